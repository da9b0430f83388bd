"""The rules of a free question to sealed records, and how a walk along a hidden sequence is noticed.

A yes/no service on a hidden sequence can be walked: known bases and a guess of the next one. Because free
questions are answered exactly (no mismatches), every answer that tells something of hidden bases comes from
an oligo of at least 18 bases of which most are known already; two questions at the same place then share
12 of them in a row, or 6 on each side of what is guessed. Of each question the hub keeps keyed digests
of such words, on whichever strand, and no question that shares words with too many others is answered
(``docs/sealed.md`` gives the figures).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from math import prod

from labhub.errors import Invalid
from labhub.i18n import Message, Text, _
from labhub.sequences.oligos import IUPAC, read_oligo, reverse_complement

SHORTEST_OLIGO = 18
LONGEST_OLIGO = 60
SHORTEST_SEQUENCE = 30
LONGEST_SEQUENCE = 200
MOST_FOLD = 16
"""Sequences that a degenerate oligo may stand for."""
MOST_QUESTIONS = 20
"""Records of one request."""
A_DAY_AND_PERSON = 50
A_DAY_AND_LABORATORY = 200
CHAIN = 8
"""So many questions that belong together are a walk; the one that completes it is not answered."""
DAYS_KEPT = 90
"""Days for which the digests of words are kept and questions are compared with each other."""

ARM = 6
HOLES = range(7)
"""Words are two arms of 6 bases with 0 to 6 bases between them that do not count."""
LONG_WORD = 15
"""A word that links the questions of a chain; two unrelated questions hardly ever share one."""


@dataclass(frozen=True, repr=False)
class Question:
    """What is asked: a pair of primers (and probe), or one sequence, in IUPAC letters. Never printed."""

    forward: str = ""
    reverse: str = ""
    probe: str = ""
    sequence: str = ""

    def __repr__(self) -> str:
        return "Question(…)"

    @property
    def parts(self) -> tuple[str, ...]:
        """Its oligos or its sequence."""
        return tuple(part for part in (self.forward, self.reverse, self.probe, self.sequence) if part)


@dataclass(frozen=True)
class Refused:
    """A question that breaks a rule: where, and why."""

    errors: dict[str, list[Text]]


def read_questions(forward: str, reverse: str, probe: str, sequences: str) -> list[Question | Refused]:
    """Return the questions of a request: the pair if there is one, then each record of the sequences."""
    found: list[Question | Refused] = []
    if forward.strip() or reverse.strip() or probe.strip():
        found.append(read_pair(forward, reverse, probe))
    return found + read_sequences(sequences)


def read_pair(forward: str, reverse: str, probe: str = "") -> Question | Refused:
    """Return the question that a pair of primers and a probe mean, or what is wrong with it."""
    errors: dict[str, list[Text]] = {}
    read = {}
    for field, text in (("forward", forward), ("reverse", reverse), ("probe", probe)):
        if field == "probe" and not text.strip():
            read[field] = ""
            continue
        try:
            read[field] = read_oligo(text).bases
        except Invalid as refusal:
            errors[field] = [refusal.message]
            continue
        wrong = _unfit(read[field], SHORTEST_OLIGO, LONGEST_OLIGO)
        if wrong:
            errors[field] = wrong
    return Refused(errors) if errors else Question(**read)


def read_sequences(text: str) -> list[Question | Refused]:
    """Return the question of each record of a FASTA text; text without a header is one record."""
    found: list[Question | Refused] = []
    for number, bases in enumerate(_records(text), start=1):
        letters = "".join(bases.split()).upper().replace("U", "T")
        field = f"sequences, record {number}"
        wrong: list[Text]
        if not letters or not set(letters) <= set(IUPAC):
            wrong = [_("Only letters of nucleotides are allowed here (IUPAC), and at least one.")]
        else:
            wrong = _unfit(letters, SHORTEST_SEQUENCE, LONGEST_SEQUENCE)
        found.append(Refused({field: wrong}) if wrong else Question(sequence=letters))
    return found


def _records(text: str) -> Iterator[str]:
    pieces: list[str] | None = None
    for line in text.replace("\r", "\n").split("\n"):
        if line.startswith(">"):
            if pieces is not None:
                yield "\n".join(pieces)
            pieces = []
        elif line.strip():
            pieces = [] if pieces is None else pieces
            pieces.append(line)
    if pieces is not None:
        yield "\n".join(pieces)


def _unfit(bases: str, shortest: int, longest: int) -> list[Text]:
    wrong: list[Text] = []
    if not shortest <= len(bases) <= longest:
        wrong.append(
            _(
                "Give %(shortest)s to %(longest)s bases: shorter and longer ones are not searched in sealed "
                "records.",
                shortest=shortest,
                longest=longest,
            )
        )
    if fold(bases) > MOST_FOLD:
        wrong.append(
            _(
                "Its degenerate letters stand for more than %(most)s sequences; such ones are not searched "
                "in sealed records.",
                most=MOST_FOLD,
            )
        )
    return wrong


def fold(bases: str) -> int:
    """Return how many sequences a degenerate one stands for.

    >>> fold("ACGT"), fold("ARYT"), fold("NNACG")
    (1, 4, 16)
    """
    return prod(len(IUPAC[letter]) for letter in bases)


def walk_key(secret: str) -> bytes:
    """Return the key of the digests, made from the secret of the hub and used for nothing else."""
    return blake2b(secret.encode(), digest_size=32, person=b"labhub-sealed").digest()


def words_of(question: Question, key: bytes) -> dict[int, bool]:
    """Return the keyed digests of a question's words on either strand, with whether each is a long one.

    >>> first = words_of(Question(sequence="ACGTTGCAAGTCCATGGATC"), b"k")
    >>> other = words_of(Question(sequence=reverse_complement("ACGTTGCAAGTCCATGGATC")), b"k")
    >>> first == other, len(first)
    (True, 48)
    """
    found: dict[int, bool] = {}
    for part in question.parts:
        for hole in HOLES:
            span = 2 * ARM + hole
            for start in range(len(part) - span + 1):
                text = part[start : start + ARM] + part[start + ARM + hole : start + span]
                for word in _plain(text):
                    found.setdefault(_digest(f"{hole}:{_either_strand(word)}", key), False)
        for start in range(len(part) - LONG_WORD + 1):
            for word in _plain(part[start : start + LONG_WORD]):
                found[_digest(f"long:{_either_strand(word)}", key)] = True
    return found


def mark_of(question: Question, key: bytes) -> int:
    """Return the keyed digest of a whole question: equal for an exact repetition on either strand."""
    parts = sorted(_either_strand(part) for part in question.parts)
    return _digest("whole:" + "/".join(parts), key)


def _plain(text: str) -> Iterator[str]:
    """Yield the sequences without degenerate letters that a text stands for (at most 16)."""
    return map("".join, product(*(sorted(IUPAC[letter]) for letter in text)))


def _either_strand(word: str) -> str:
    return min(word, reverse_complement(word))


def _digest(text: str, key: bytes) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=key).digest(), "big", signed=True)


def is_walk(mark: int, neighbours: Iterable[int], chained: Collection[int]) -> bool:
    """Say whether a question completes a walk.

    ``neighbours`` are the marks of questions that share a word with it, ``chained`` those that hang
    together with it by long words, directly or through each other. Repetitions count once.
    """
    return (
        len({mark, *neighbours}) >= CHAIN or len({mark, *chained}) >= CHAIN  # with the question itself
    )


def limits_text() -> Message:
    """Return the rules of a free question, as pages say them."""
    return _(
        "Primers and probe have %(oligo)s bases or more, a sequence %(shortest)s to %(longest)s; degenerate "
        "letters stand for at most %(fold)s sequences. %(person)s questions a person and day, "
        "%(laboratory)s a laboratory and day; each record of a FASTA text is one.",
        oligo=SHORTEST_OLIGO,
        shortest=SHORTEST_SEQUENCE,
        longest=LONGEST_SEQUENCE,
        fold=MOST_FOLD,
        person=A_DAY_AND_PERSON,
        laboratory=A_DAY_AND_LABORATORY,
    )
