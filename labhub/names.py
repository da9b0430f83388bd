"""Names that people type: cleaned, compared, and made safe for an address (``trust.md`` C12)."""

import re
import unicodedata

from labhub.errors import Invalid
from labhub.i18n import _

_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiners that Persian and Indic names need between letters; refused here all the same."""


def clean_name(text: str, *, field: str, longest: int = 200) -> str:
    """Return ``text`` in NFC with single blanks; refuse control, bidirectional and zero-width signs."""
    if text.isascii() and "  " not in text:
        name = text.strip()
    else:
        name = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
        name = re.sub(r" +", " ", name)
    if not name:
        raise Invalid(_("This field is needed."), field=field)
    if len(name) > longest:
        raise Invalid(_("At most %(number)s characters.", number=longest), field=field)
    if name.isascii() and name.isprintable():
        return name
    for character in name:
        if unicodedata.category(character) in _REFUSED:
            raise Invalid(_("Invisible or control characters are not allowed here."), field=field)
    return name


def name_key(text: str) -> str:
    """Return the form in which two names are compared: case-folded NFKC with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def slug(text: str, *, longest: int = 60) -> str:
    """Return ASCII letters, digits and single hyphens, for an address; empty when nothing is left.

    >>> slug("MON 810 × NK603")
    'mon-810-x-nk603'
    """
    plain = unicodedata.normalize("NFKD", text.replace("×", "x").replace("Ø", "0").replace("ø", "0"))
    ascii_only = plain.encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:longest].strip("-")
