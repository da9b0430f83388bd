"""Primers and probes: read as people write them, compared letter by letter under the IUPAC code.

Ambiguous letters are compared as sets of bases and never expanded, so 40 N cost what 40 A cost.
"""

import re
from dataclasses import dataclass

from labhub.errors import Invalid
from labhub.file_kinds import shown
from labhub.i18n import Message, _

MAX_OLIGO_BASES = 200
MAX_OLIGO_CHARACTERS = 1_000
"""Characters of the text, with blanks and modifications."""
MAX_AMPLICON_CHARACTERS = 100_000

IUPAC: dict[str, frozenset[str]] = {
    letter: frozenset(bases)
    for letter, bases in {
        "A": "A",
        "C": "C",
        "G": "G",
        "T": "T",
        "R": "AG",
        "Y": "CT",
        "S": "CG",
        "W": "AT",
        "K": "GT",
        "M": "AC",
        "B": "CGT",
        "D": "AGT",
        "H": "ACT",
        "V": "ACG",
        "N": "ACGT",
    }.items()
}
"""The bases that each letter stands for (NC-IUB 1984)."""

_COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")
_NOT_IUPAC = re.compile("[^ACGTRYSWKMBDHVN]")
_PARTS = re.compile(r"-?(?:\[([^][]*)\]|\(([^()]*)\)|\{([^{}]*)\}|/([^/]*)/)-?|(.)", re.DOTALL)
_ENDS = re.compile(r"^\s*5\s*['′’]\s*-?|-?\s*3\s*['′’]\s*$")


INOSINE = "inosine"
_MARKS = {"+": "LNA", "*": "phosphorothioate"}
OF_A_BASE = frozenset({INOSINE, *_MARKS.values()})
"""Modifications of a base or of a bond, which are no labels of an end."""
RUN_OF_N = 4
"""This many N in a row pair with anything, so that a reader should look twice."""


@dataclass(frozen=True)
class Oligo:
    """An oligonucleotide, 5' to 3', as DNA in upper case."""

    bases: str
    modifications: tuple[tuple[int, str], ...] = ()
    """Each with the number of bases before it: 0 is the 5' end, ``len(bases)`` the 3' end."""

    def __str__(self) -> str:
        return self.bases

    def __len__(self) -> int:
        return len(self.bases)


def read_oligo(text: str) -> Oligo:
    """Return the oligo that a text means.

    Blanks, ``5'-`` and ``-3'`` are left out, U is T, lower case is upper case; modifications
    stand in brackets or between slashes. Inosine (I) is N, the mark ``+`` before a locked base (LNA) and
    the ``*`` of a phosphorothioate bond are modifications. Raises ``Invalid`` naming letter and position.

    >>> read_oligo("5'-ccacgucuuc aaag-3'").bases
    'CCACGTCTTCAAAG'
    >>> read_oligo("[6-FAM]TTCY/iZEN/GG[BHQ1]")
    Oligo(bases='TTCYGG', modifications=((0, '6-FAM'), (4, 'iZEN'), (6, 'BHQ1')))
    >>> read_oligo("+ACIG*T")
    Oligo(bases='ACNGT', modifications=((0, 'LNA'), (2, 'inosine'), (4, 'phosphorothioate')))
    """
    if len(text) > MAX_OLIGO_CHARACTERS:
        raise Invalid(_("An oligo may have %(most)s bases.", most=MAX_OLIGO_BASES))
    if 0 < len(text) <= MAX_OLIGO_BASES and not _NOT_IUPAC.search(text):
        return Oligo(text)
    bases: list[str] = []
    modifications: list[tuple[int, str]] = []
    for part in _PARTS.finditer(_ENDS.sub("", text)):
        letter = part[5]
        if letter is None:
            name = " ".join(next(group for group in part.groups() if group is not None).split())
            if not name or not name.isprintable():
                raise Invalid(
                    _("The modification after base %(place)s has no readable name.", place=len(bases))
                )
            modifications.append((len(bases), name))
        elif letter.isspace():
            continue
        elif letter in _MARKS:
            modifications.append((len(bases), _MARKS[letter]))
        elif letter in "Ii":
            modifications.append((len(bases), INOSINE))
            bases.append("N")
        else:
            bases.append(_base(letter, len(bases) + 1))
    if not bases:
        raise Invalid(_("The oligo has no bases."))
    if (len(bases), _MARKS["+"]) in modifications:
        _base("+", len(bases) + 1)
    if len(bases) > MAX_OLIGO_BASES:
        raise Invalid(_("An oligo may have %(most)s bases.", most=MAX_OLIGO_BASES))
    return Oligo("".join(bases), tuple(modifications))


def remarks(text: str, oligo: Oligo) -> list[Message]:
    """Return what was done to a text to read it, and what is doubtful; empty for plain bases.

    >>> [str(remark) for remark in remarks("acgu", read_oligo("acgu"))]
    ['acgu was read as ACGT.']
    """
    found = []
    if oligo.modifications:
        names = ", ".join(dict.fromkeys(name for _place, name in oligo.modifications))
        found.append(
            _(
                "%(given)s was read as %(bases)s; apart from it stand: %(names)s.",
                given=shown(text, 250),
                bases=oligo.bases,
                names=names[:250],
            )
        )
    elif text != oligo.bases:
        found.append(_("%(given)s was read as %(bases)s.", given=shown(text, 250), bases=oligo.bases))
    if "N" * RUN_OF_N in oligo.bases:
        found.append(
            _("%(bases)s has several N in a row, which pair with anything. Check them.", bases=oligo.bases)
        )
    return found


def _base(letter: str, place: int) -> str:
    base = letter.upper().replace("U", "T")
    if base not in IUPAC:
        raise Invalid(
            _(
                "%(letter)s at base %(place)s is no IUPAC letter (write modifications in brackets).",
                letter=shown(letter) if letter.isascii() else f"U+{ord(letter):04X}",
                place=place,
            )
        )
    return base


def normalised(bases: str, most: int = MAX_AMPLICON_CHARACTERS) -> str:
    """Return bases without blanks, upper case, T for U; raises ``Invalid`` with the position.

    >>> normalised("acgu nn")
    'ACGTNN'
    """
    if len(bases) > most:
        raise Invalid(_("A sequence here may have %(most)s bases.", most=most))
    plain = "".join(bases.split())
    for place, letter in enumerate(plain, 1) if not plain.isascii() else ():
        _base(letter, place)
    plain = plain.upper().replace("U", "T")
    wrong = _NOT_IUPAC.search(plain)
    if wrong:
        _base(wrong[0], wrong.start() + 1)
    return plain


def reverse_complement(bases: str) -> str:
    """Return the other strand, 5' to 3', of upper-case DNA.

    >>> reverse_complement("AACGRYN")
    'NRYCGTT'
    """
    return bases.translate(_COMPLEMENT)[::-1]


def matches(reference: str, oligo: str) -> bool:
    """Say whether each reference letter's bases are among the oligo letter's (lengths equal).

    So N in a reference matches only N in an oligo; case is ignored (``contract.md``).

    >>> matches("ACGT", "ANRT"), matches("N", "A"), matches("N", "N"), matches("R", "D")
    (True, False, True, True)
    """
    if len(reference) != len(oligo):
        return False
    pairs = zip(reference.upper().replace("U", "T"), oligo.upper().replace("U", "T"), strict=True)
    return all(
        letter == wanted or (letter in IUPAC and wanted in IUPAC and IUPAC[letter] <= IUPAC[wanted])
        for letter, wanted in pairs
    )


def gc_fraction(bases: str) -> float:
    """Return the expected fraction (0 to 1) of G and C, an ambiguous letter counting by its share.

    >>> gc_fraction("GGCCAATT"), gc_fraction("NN"), gc_fraction("S")
    (0.5, 0.5, 1.0)
    """
    if not bases:
        return 0.0
    share = {letter: len(stands & {"G", "C"}) / len(stands) for letter, stands in IUPAC.items()}
    plain = normalised(bases)
    return sum(share[letter] * plain.count(letter) for letter in share) / len(plain)


def amplicon_fits(amplicon: str, forward: str, reverse: str) -> bool:
    """Say whether an amplicon starts with the forward primer and ends with the reverse one's other strand.

    Letters between the primers are free; a run of N there stands for what is not published.

    >>> amplicon_fits("ACCTNNNNGGCA", "ACCT", "TGCC")
    True
    >>> amplicon_fits("ACCTNNNNGGCA", "ACCT", "GGCA")
    False
    """
    whole = normalised(amplicon)
    return begins_with(whole, read_oligo(forward).bases) and begins_with(
        reverse_complement(whole), read_oligo(reverse).bases
    )


def begins_with(strand: str, primer: str) -> bool:
    """Say whether a strand starts with a primer; both are plain bases, 5' to 3'.

    >>> begins_with("ACCTNNNNGGCA", "ACYT")
    True
    """
    return len(primer) <= len(strand) and matches(strand[: len(primer)], primer)
