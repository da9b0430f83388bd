"""OECD unique identifiers: one spelling to store, one to show, and warnings that never refuse.

An identifier is ``applicant-event-digit``: 2-3, 5-6 and 1 characters, nine in all without the dashes.
A stack is the list of its events joined by `` x ``. The stored (canonical) spelling has the digit 0;
the shown one has Ø in the event part.

Source: OECD ENV/JM/MONO(2002)7/REV1 (2006) and the BCH forms, as told in the domain guide, section 3.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable

from labhub.i18n import Message, _

STACK = " x "
"""What joins the events of a stack in the canonical spelling."""

_ZEROS = re.compile("[Øø∅⌀]|[0O]\u0338")
"""Signs written for a slashed zero: letter, empty set, diameter, and zero or O with a stroke laid over."""

_DASHES = re.compile("[\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]")
"""Hyphens, dashes and the minus sign."""

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")

_SHAPE = re.compile(r"(?=.{11}$)[A-Z0-9]{2,3}-[A-Z0-9]{5,6}-[0-9]")

_UNDASHED = (
    re.compile(r"([A-Z]{3})[- ]?([A-Z0-9]{5})[- ]?([0-9])"),
    re.compile(r"([A-Z]{2})[- ]?([A-Z0-9]{6})[- ]?([0-9])"),
)

_JOINT = re.compile(
    "\\s+X\\s+|\\s*\u00d7\\s*"
    # the joint of an address (-X-) or of a list without spaces, between two whole identifiers
    r"|(?<=-[0-9])-?X-?(?=[A-Z0-9]{2,3}-[A-Z0-9]{5,6}-[0-9](?![A-WYZ0-9]))"
)

_COMPACT = "[A-Z]{2}(?:-?[A-Z0-9]){6}-?[0-9]"
"""The nine signs of an identifier, with or without dashes."""

_COMPACT_STACK = re.compile(f"{_COMPACT}(?:-?X-?{_COMPACT})+")
_COMPACT_EVENT = re.compile(f"({_COMPACT})(?:-?X-?|$)")


def normalise(text: str, known: Collection[str] = ()) -> str:
    """Return the canonical spelling: upper case, 0 for Ø, plain hyphens, `` x `` between events.

    Dashes that were left out are put in place when the shape allows: the applicant is then taken to have
    three letters, or two where a digit comes third. The spelling of a ``known`` identifier comes first,
    so that SYGTSB778 finds its register entry. Text of another shape is only cleaned, never refused.
    Not for names of events: LLRICE601 has the nine signs of an identifier.

    >>> normalise(" mon-ØØ81ø-6 ")
    'MON-00810-6'
    >>> normalise("DP3054231")
    'DP-305423-1'
    >>> normalise("MON-ØØ6Ø3-6xMON-ØØ81Ø-6")
    'MON-00603-6 x MON-00810-6'
    >>> normalise("SYGTSB778", known=["SY-GTSB77-8"])
    'SY-GTSB77-8'
    """
    spelling = {_without_dashes(part): part for part in _parts_of(known)} if known else {}
    parts = (_with_dashes(part) for part in _split(text))
    return STACK.join(spelling.get(_without_dashes(part), part) for part in parts)


def display(identifier: str) -> str:
    """Return the identifier as it is printed: Ø for each zero of the event part.

    >>> display("MON-00810-6")
    'MON-ØØ81Ø-6'
    >>> display("MON-00603-6 x MON-00810-6")
    'MON-ØØ6Ø3-6 x MON-ØØ81Ø-6'
    """
    return STACK.join(_display_one(part) for part in normalise(identifier).split(STACK))


def slug(identifier: str) -> str:
    """Return the identifier for an address; ``normalise`` turns it back.

    >>> slug("MON-ØØ6Ø3-6 x MON-ØØ81Ø-6")
    'MON-00603-6-x-MON-00810-6'
    """
    joined = normalise(identifier).replace(STACK, "-x-")
    return re.sub(r"[^A-Za-z0-9.]+", "-", joined).strip("-.")


def split_stack(text: str) -> frozenset[str]:
    """Return the canonical identifiers of a stack, or the one identifier; their order does not matter.

    >>> sorted(split_stack("MON-ØØ81Ø-6 x MON-ØØ6Ø3-6"))
    ['MON-00603-6', 'MON-00810-6']
    """
    return frozenset(part for part in normalise(text).split(STACK) if part)


def is_same(first: str, second: str) -> bool:
    """Return whether two texts name the same event or, in any order, the same stack.

    Dashes are not compared, so that an identifier written without them is found.

    >>> is_same("MON008106 x SYGTSB778", "SY-GTSB77-8 x MON-ØØ81Ø-6")
    True
    """
    return _events(first) == _events(second)


def key(identifier: str) -> str:
    """Return what all spellings of an identifier share: no dashes, the events of a stack in order.

    Two identifiers are the same (``is_same``) when their keys are. Empty for an empty text.

    >>> key("MON-ØØ81Ø-6 x mon006036")
    'MON006036 x MON008106'
    """
    return STACK.join(sorted(_events(identifier)))


def verification_digit(code8: str) -> int:
    """Return the digit that closes an identifier: 1 to 9, never 0.

    ``code8`` is the 8 characters before it, without dashes. Letters count A=1 … Z=26, a slashed zero
    counts 0, and the digits of the sum are added until one is left: arithmetic modulo 9, so that it
    misses swaps, 0 for 9, I for 9 and three O for three zeros. Raises ``ValueError`` for other text.

    >>> verification_digit("MON89788")
    1
    >>> verification_digit("ACSBNØØ4")
    7
    """
    code = _clean(code8)
    if not re.fullmatch(r"[A-Z0-9]{8}", code):
        raise ValueError(f"{code8!r} is not 8 letters and digits")
    total = sum(int(sign) if sign.isdigit() else ord(sign) - ord("A") + 1 for sign in code)
    return (total - 1) % 9 + 1


def check(identifier: str, known: Collection[str] = ()) -> list[Message]:
    """Return warnings about an identifier or each event of a stack; an empty list means no doubt.

    They never stand in the way: registered identifiers exist that fail their own digit.
    ``known`` is the register, because the digit alone misses common misprints. An identifier that it
    holds is no misprint of its neighbour, but a letter O or I for a digit stays doubtful.

    >>> check("MON-ØØ81Ø-6")
    []
    >>> [str(warning) for warning in check("SYN-000JG-2")]
    ['The verification digit of SYN-ØØØJG-2 should be 3.']
    >>> [str(warning) for warning in check("MON-ØØ18Ø-6", known=["MON-00810-6"])]
    ['MON-ØØ18Ø-6 is not known. Is MON-ØØ81Ø-6 meant?']
    """
    register = sorted(_parts_of(known))
    parts = dict.fromkeys(part for part in normalise(identifier, register).split(STACK) if part)
    return [warning for part in parts for warning in _check_one(part, register)]


def _check_one(identifier: str, register: list[str]) -> list[Message]:
    warnings = []
    shown = _display_one(identifier)
    if not _SHAPE.fullmatch(identifier):
        warnings.append(
            _(
                "%(identifier)s does not have the shape of a unique identifier, such as MON-ØØ81Ø-6: "
                "2 or 3 characters, 5 or 6 characters and a digit, 9 in all.",
                identifier=shown,
            )
        )
    else:
        digit = verification_digit(_without_dashes(identifier)[:8])
        if identifier[-1] != str(digit):
            warnings.append(
                _(
                    "The verification digit of %(identifier)s should be %(digit)s.",
                    identifier=shown,
                    digit=digit,
                )
            )
    is_known = identifier in register
    code = _without_dashes(identifier)
    for known in register:
        other = _without_dashes(known)
        if _is_letter_for_digit(code, other):
            warnings.append(
                _(
                    "%(identifier)s has a letter O or I where the known identifier %(known)s has a digit.",
                    identifier=shown,
                    known=_display_one(known),
                )
            )
        elif not is_known and _is_near(code, other):
            warnings.append(
                _(
                    "%(identifier)s is not known. Is %(known)s meant?",
                    identifier=shown,
                    known=_display_one(known),
                )
            )
    return warnings


def _is_letter_for_digit(code: str, known: str) -> bool:
    """Return whether only letters O and I stand between ``code`` and ``known``, for its digits."""
    if len(code) != len(known) or code == known:
        return False
    return all(
        written == right or (written in "OI" and right.isdigit())
        for written, right in zip(code, known, strict=True)
    )


def _is_near(code: str, known: str) -> bool:
    """Return whether one swap, or one sign wrong, missing or too many, turns ``code`` into ``known``."""
    if len(code) == len(known):
        wrong = [place for place in range(len(code)) if code[place] != known[place]]
        if len(wrong) == 2:
            first, second = wrong
            return code[first] == known[second] and code[second] == known[first]
        return len(wrong) == 1
    shorter, longer = sorted((code, known), key=len)
    return len(longer) - len(shorter) == 1 and any(
        longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer))
    )


def _clean(text: str) -> str:
    """Fold zeros, dashes, widths, case and spaces, without a look at the shape."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).upper()
    text = _DASHES.sub("-", _ZEROS.sub("0", text))
    text = " ".join(text.split())
    return re.sub(r" ?- ?", "-", text)


def _split(text: str) -> list[str]:
    parts = [part.strip() for part in _JOINT.split(_clean(text))]
    return [event for part in parts if part for event in _split_compact(part)]


def _split_compact(text: str) -> list[str]:
    """Split a stack whose dashes were left out, such as MON006036XMON008106, at each joint."""
    return _COMPACT_EVENT.findall(text) if _COMPACT_STACK.fullmatch(text) else [text]


def _with_dashes(text: str) -> str:
    """Put the dashes of one cleaned identifier in place, when it has the nine characters of one."""
    if not _SHAPE.fullmatch(text):
        for pattern in _UNDASHED:
            if found := pattern.fullmatch(text):
                return "-".join(found.groups())
    return text


def _without_dashes(text: str) -> str:
    return text.replace("-", "").replace(" ", "")


def _display_one(identifier: str) -> str:
    if not _SHAPE.fullmatch(identifier):
        return identifier
    applicant, event, digit = identifier.split("-")
    return f"{applicant}-{event.replace('0', 'Ø')}-{digit}"


def _events(text: str) -> frozenset[str]:
    return frozenset(_without_dashes(part) for part in split_stack(text))


def _parts_of(identifiers: Iterable[str]) -> frozenset[str]:
    return frozenset(part for identifier in identifiers for part in split_stack(identifier))
