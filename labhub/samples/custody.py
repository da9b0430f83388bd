"""The chain of custody: each entry holds the digest of the one before it."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

from labhub.audit import canonical
from labhub.i18n import Text, _
from labhub.names import name_key

FIRST_HASH = "0" * 64
HASHED_FIELDS = (
    "sample_id",
    "seq",
    "act",
    "at",
    "from_person",
    "to_person",
    "place",
    "note",
    "recorded_at",
    "recorded_by_id",
    "previous_hash",
)


def entry_hash(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of every field of an entry but the hash itself.

    >>> len(entry_hash(dict.fromkeys(HASHED_FIELDS, "")))
    64
    """
    return sha256(canonical({name: entry[name] for name in HASHED_FIELDS}).encode()).hexdigest()


def same_hands(from_person: str, held_by: str) -> bool:
    """Whether a sample comes from the person who held it, however the name is spaced and cased.

    >>> same_hands("carl  Ode", "Carl Ode")
    True
    """
    return name_key(from_person) == name_key(held_by)


def gaps(entries: Sequence[tuple[int, str, str]]) -> set[int]:
    """Return which entries (number, from whom, to whom; in order) do not come from the one before it.

    >>> gaps([(1, "", "Bob"), (2, "Bob", "Carl"), (3, "Zoe", "Dan")])
    {3}
    """
    return {later[0] for earlier, later in pairwise(entries) if not same_hands(later[1], earlier[2])}


def broken_link(entries: Sequence[Mapping[str, Any]], last_seq: int, last_hash: str) -> Text:
    """Return what is wrong with a chain (in the order of ``seq``); empty when it holds.

    ``last_seq`` and ``last_hash`` are what the sample says of its last entry.
    """
    previous = FIRST_HASH
    for number, entry in enumerate(entries, start=1):
        if entry["seq"] != number:
            return _("Entry %(number)s is missing.", number=number)
        if entry["previous_hash"] != previous:
            return _("Entry %(number)s does not follow the one before it.", number=number)
        if entry["hash"] != entry_hash(entry):
            return _("Entry %(number)s was changed after it was written.", number=number)
        previous = entry["hash"]
    if len(entries) < last_seq:
        return _("Entry %(number)s is missing.", number=len(entries) + 1)
    if (len(entries), previous) != (last_seq, last_hash):
        return _("The last entry is not the one that the sample names.")
    return ""
