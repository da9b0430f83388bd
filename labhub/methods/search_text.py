"""Text as the full-text search keeps and asks for it: folded, cut into words, the same on both databases."""

import re
import unicodedata
from functools import lru_cache

from labhub.sequences.oligos import reverse_complement

WORD = re.compile(r"[^\W_]+")
BASES = frozenset("ACGTRYSWKMBDHVN")
SEED_BASES = 8
"""Oligos are indexed by all their pieces of this length."""
FEWEST_BASES = 6
"""Shorter words are never taken for a sequence."""
LONGEST_WORD = 100
MOST_WORDS_IN_TEXT = 8000
PIECE_LETTERS = 3
"""Shorter words are looked for without an index."""
_JOINED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""Runs of scripts written without blanks between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese."""
_ZEROS = str.maketrans({"ø": "0", "∅": "0", "⌀": "0"})


def fold(text: str) -> str:
    """Return text in lower case without accents, vowel signs or full-width forms.

    >>> fold("Maïs ＧＭ")
    'mais gm'
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    marks = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", marks.casefold())


def words(text: str) -> list[str]:
    """Return the words of a text, folded.

    >>> words("P-35S, Zea_mays (maïs)")
    ['p', '35s', 'zea', 'mays', 'mais']
    """
    return [word[:LONGEST_WORD] for word in WORD.findall(fold(text))]


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(words(text))


def joined_words(*texts: str | None) -> str:
    """Return the words of texts with single blanks between them; at most ``MOST_WORDS_IN_TEXT``."""
    found: list[str] = []
    for text in texts:
        if text:
            found += _words(text)  # many methods say the same of reagents, matrices, licence
    return " ".join(found[:MOST_WORDS_IN_TEXT])


def compact(text: str) -> str:
    """Return letters and digits only, a slashed zero as 0: a code without its dashes.

    >>> compact("MON-ØØ81Ø-6")
    'mon008106'
    """
    plain = fold(text)
    return "".join(WORD.findall(plain if plain.isascii() else plain.translate(_ZEROS)))


def pieces(*texts: str | None) -> str:
    """Return texts for finding parts of words: folded, and once more without their dashes.

    >>> pieces("QT-EVE 1")
    'qt-eve 1\\nqteve1'
    """
    lines: dict[str, None] = {}
    for text in texts:
        if text:
            lines[fold(text)] = None
            lines[compact(text)] = None
    return "\n".join(lines)


def joined_script(*texts: str | None) -> list[str]:
    """Return the runs of scripts without blanks between words: they can only be found by pieces.

    >>> joined_script("测定 of maize")
    ['测定']
    """
    return [run for text in texts if text and not text.isascii() for run in _JOINED.findall(text)]


def seeds(sequence: str) -> list[str]:
    """Return the pieces of ``SEED_BASES`` bases of an oligo, in order, each once.

    >>> seeds("ACGTACGTA")
    ['acgtacgt', 'cgtacgta']
    """
    bases = sequence.lower()
    found = (bases[place : place + SEED_BASES] for place in range(len(bases) - SEED_BASES + 1))
    return list(dict.fromkeys(found))


def strands(word: str) -> tuple[str, ...]:
    """Return both strands of a word that may be a sequence; nothing when it is none.

    >>> strands("aacguu")
    ('AACGTT',)
    """
    bases = word.upper().replace("U", "T")
    if len(bases) < FEWEST_BASES or not bases.isascii() or set(bases) - BASES:
        return ()
    return tuple(dict.fromkeys((bases, reverse_complement(bases))))


def needs_pieces(word: str) -> bool:
    """Say whether a word is looked for inside words too: codes, and scripts without blanks.

    >>> needs_pieces("mon810"), needs_pieces("maize")
    (True, False)
    """
    return not word.isalpha() or bool(_JOINED.search(word))


# FTS5 -----------------------------------------------------------------------------------------


def fts5_phrase(text: str) -> str:
    """Return text as one quoted phrase of FTS5, whatever signs it holds.

    >>> fts5_phrase('a"b')
    '"a""b"'
    """
    return '"' + text.replace("\x00", "").replace('"', '""') + '"'


def fts5_prefix(column: str, found: list[str]) -> str:
    """Return the query for words that follow each other, the last one begun, in a column.

    >>> fts5_prefix("title", ["p", "35"])
    'title : "p 35" *'
    """
    return f"{column} : {fts5_phrase(' '.join(found))} *"


# PostgreSQL -----------------------------------------------------------------------------------


def tsquery_prefix(weight: str, found: list[str]) -> str:
    """Return the text form of a ``tsquery`` for words that follow each other, the last one begun.

    >>> tsquery_prefix("B", ["p", "35"])
    "'p':B <-> '35':*B"
    """
    quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in found]
    return " <-> ".join(f"{word}:{weight}" for word in quoted[:-1]) + (
        f" <-> {quoted[-1]}:*{weight}" if len(quoted) > 1 else f"{quoted[-1]}:*{weight}"
    )
