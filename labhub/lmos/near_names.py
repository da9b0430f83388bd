"""Which known names a misspelt one may mean; bounded, so that no list and no text is slow."""

from collections.abc import Collection
from difflib import SequenceMatcher

LONGEST = 80
"""Longer texts are sentences, not misspelt names."""
MOST_KNOWN = 20_000
LIKENESS = 0.8


def nearest(text: str, known: Collection[str], *, most: int = 3) -> list[str]:
    """Return up to ``most`` known names that look like ``text``, the likest first; itself never.

    Names are compared as they are: give both in the form in which they are compared. Signs between
    letters and digits count less than the letters.

    >>> nearest("mon 801", ["mon810", "mon863", "gt73", "nk603"])
    ['mon810']
    >>> nearest("p-53s", ["p-35s", "t-35s", "p-fmv"])
    ['p-35s']
    """
    wanted = _bare(text)
    if not 3 <= len(wanted) <= LONGEST or len(known) > MOST_KNOWN:
        return []
    slack = max(1, len(wanted) // 4)
    letters = frozenset(wanted)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    found: list[tuple[float, str]] = []
    for name in known:
        bare = _bare(name)
        if name == text or abs(len(bare) - len(wanted)) > slack or len(letters - set(bare)) > slack:
            continue
        if bare == wanted or _is_swap(bare, wanted):
            found.append((1.0 if bare == wanted else 0.99, name))
            continue
        matcher.set_seq1(bare)
        if matcher.real_quick_ratio() < LIKENESS or matcher.quick_ratio() < LIKENESS:
            continue
        likeness = matcher.ratio()
        if likeness >= LIKENESS:
            found.append((likeness, name))
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    return [name for _likeness, name in found[:most]]


def _bare(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _is_swap(first: str, second: str) -> bool:
    """Return whether one swap of neighbours turns one text into the other."""
    if len(first) != len(second):
        return False
    wrong = [place for place in range(len(first)) if first[place] != second[place]]
    return (
        len(wrong) == 2
        and wrong[1] == wrong[0] + 1
        and first[wrong[0]] == second[wrong[1]]
        and first[wrong[1]] == second[wrong[0]]
    )
