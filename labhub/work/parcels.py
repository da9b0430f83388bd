"""What a job needs and what it found, as compressed JSON in which messages stay messages.

So a result that holds sentences is read by each person in their own language.
"""

import json
import zlib
from typing import Any

from labhub.errors import TooLarge
from labhub.i18n import Message, Text, _

MOST_BYTES = 96 << 20
"""Characters of the JSON of one payload or result, before it is compressed."""
_TEXT, _VALUES, _PLURAL, _NUMBER = "$text", "$values", "$plural", "$number"


def pack(value: Any) -> bytes:
    """Return a value as compressed JSON.

    >>> unpack(pack({"a": [1, None, "Ä"]}))
    {'a': [1, None, 'Ä']}
    """
    text = json.dumps(value, default=_plain, separators=(",", ":"), allow_nan=False)
    if len(text) > MOST_BYTES:
        raise TooLarge(_("This is more than the hub keeps of one job. Ask for less at a time."))
    return zlib.compress(text.encode(), 6)


def unpack(parcel: bytes) -> Any:
    """Return the value of a parcel again.

    >>> str(unpack(pack(_("There is no sequence %(accession)s.", accession="LHS-1"))))
    'There is no sequence LHS-1.'
    """
    return json.loads(zlib.decompress(parcel), object_hook=_message)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        kept = {_TEXT: value.msgid, _VALUES: value.params}
        return kept if value.plural is None else {**kept, _PLURAL: value.plural, _NUMBER: value.number}
    raise TypeError(f"{type(value).__name__} cannot be kept in a job")


def _message(found: dict[str, Any]) -> dict[str, Any] | Text:
    if _TEXT not in found:
        return found
    return Message(found[_TEXT], found[_VALUES], found.get(_PLURAL), found.get(_NUMBER, 1))
