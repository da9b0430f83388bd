"""What the three facts of a case mean for Articles 17 and 25; "not yet known" stays not yet known."""

from enum import StrEnum

from labhub.i18n import N_


class Fact(StrEnum):
    """The answer to one of the three questions about a case."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


FACT_NAMES: dict[Fact, str] = {
    Fact.YES: N_("yes"),
    Fact.NO: N_("no"),
    Fact.UNKNOWN: N_("not yet known"),
}


def both(first: Fact, second: Fact) -> Fact:
    """Return whether both facts hold: one "no" decides, otherwise "not yet known" stays.

    >>> both(Fact.YES, Fact.UNKNOWN).value, both(Fact.NO, Fact.UNKNOWN).value
    ('unknown', 'no')
    """
    if Fact.NO in (first, second):
        return Fact.NO
    return Fact.UNKNOWN if Fact.UNKNOWN in (first, second) else Fact.YES


def is_unintentional_movement(inadvertent: Fact, significant_effects_likely: Fact) -> Fact:
    """Return whether the movement is unintentional in the sense of Article 17.

    Source: definitions of decision CP-VIII/16: inadvertent crossing of a border, and significant
    adverse effects likely.

    >>> is_unintentional_movement(Fact.YES, Fact.YES).value
    'yes'
    """
    return both(inadvertent, significant_effects_likely)


def is_illegal_movement(contravention: Fact) -> Fact:
    """Return whether the movement is illegal in the sense of Article 25: it contravenes domestic measures.

    Source: definitions of decision CP-VIII/16.

    >>> is_illegal_movement(Fact.UNKNOWN).value
    'unknown'
    """
    return contravention
