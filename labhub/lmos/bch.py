"""Numbers of records of the Biosafety Clearing-House: ``BCH-LMO-SCBD-14750-22``.

The last part counts the revisions of a record and is left out where two numbers are compared.
Source: addresses of records on bch.cbd.int; the shape is from memory.
"""

import re

from labhub.names import name_key

_SHAPE = re.compile(r"bch[ -]*(lmo|gene|orga|lab)[ -]*scbd[ -]*([0-9]{1,9})(?:[ -]+[0-9]{1,5})?")


def record_number(text: str) -> str:
    """Return the number of a BCH record without its revision, or nothing for any other text.

    >>> [record_number(text) for text in ("BCH-LMO-SCBD-14750-22", "bch lmo scbd 14750", "MON810")]
    ['BCH-LMO-SCBD-14750', 'BCH-LMO-SCBD-14750', '']
    """
    found = _SHAPE.fullmatch(name_key(text))
    return f"BCH-{found[1].upper()}-SCBD-{found[2]}" if found else ""


def register_key(text: str) -> str:
    """Return the form in which names of the register are compared: of BCH records without the revision.

    >>> register_key("BCH-LMO-SCBD-14750-22"), register_key("Roundup  READY")
    ('bch-lmo-scbd-14750', 'roundup ready')
    """
    return record_number(text).casefold() or name_key(text)
