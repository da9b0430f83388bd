"""The words of LMOs: kinds of names and elements, what a source says, and the signs of the matrix."""

from collections.abc import Iterable
from enum import StrEnum

from labhub.i18n import N_


class NameKind(StrEnum):
    """What kind of name a synonym is."""

    SYNONYM = "synonym"
    TRADE_NAME = "trade-name"
    CODE = "code"
    FORMER = "former-name"
    BCH = "bch"
    """The number of its record in the Biosafety Clearing-House: BCH-LMO-SCBD-…"""


NAME_KINDS: dict[NameKind, str] = {
    NameKind.SYNONYM: N_("synonym"),
    NameKind.TRADE_NAME: N_("trade name"),
    NameKind.CODE: N_("code"),
    NameKind.FORMER: N_("former name"),
    NameKind.BCH: N_("BCH record"),
}


class ElementKind(StrEnum):
    """What a genetic element does."""

    PROMOTER = "promoter"
    GENE = "gene"
    TERMINATOR = "terminator"
    MARKER = "marker"
    OTHER = "other"


ELEMENT_KINDS: dict[ElementKind, str] = {
    ElementKind.PROMOTER: N_("promoter"),
    ElementKind.GENE: N_("gene"),
    ElementKind.TERMINATOR: N_("terminator"),
    ElementKind.MARKER: N_("marker"),
    ElementKind.OTHER: N_("other"),
}


class Sign(StrEnum):
    """What a source says of an element in an LMO."""

    HAS = "has"
    LACKS = "lacks"


class Standing(StrEnum):
    """A cell of the matrix."""

    HAS = "+"
    LACKS = "-"
    DISPUTED = "±"
    UNKNOWN = "?"


STANDINGS: dict[Standing, str] = {
    Standing.HAS: N_("has the element"),
    Standing.LACKS: N_("lacks the element"),
    Standing.DISPUTED: N_("disputed: the sources disagree"),
    Standing.UNKNOWN: N_("no source says anything"),
}


def standing(signs: Iterable[str]) -> Standing:
    """Return the cell that follows from what the sources say, however many they are.

    >>> [standing(signs).value for signs in ([], [Sign.HAS, Sign.HAS], [Sign.LACKS], [Sign.HAS, Sign.LACKS])]
    ['?', '+', '-', '±']
    """
    said = frozenset(signs)
    if not said:
        return Standing.UNKNOWN
    if len(said) > 1:
        return Standing.DISPUTED
    return Standing.HAS if Sign.HAS in said else Standing.LACKS
