"""What living specificity finds, in words: for mails, pages and tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from labhub.i18n import Text, _, ngettext
from labhub.methods.specificity import REASON_NAMES, Part, Reason
from labhub.methods.specificity_models import ChangeKind

MOST_NAMED = 6
"""Mismatches that one sentence names."""


def mismatch(part: str, base: int, from_end: int, oligo: str, sequence: str) -> Text:
    """Return one mismatch in words.

    >>> str(mismatch("reverse", 3, 22, "C", "T"))
    'mismatch at base 3 of the reverse primer (C, here T)'
    >>> str(mismatch("forward", 23, 1, "G", "A"))
    'mismatch at base 23 of the forward primer, the last one at its 3′ end (G, here A)'
    """
    values = {"base": base, "end": from_end, "oligo": oligo, "sequence": sequence}
    if part == Part.PROBE:
        return _("mismatch at base %(base)s of the probe (%(oligo)s, here %(sequence)s)", **values)
    if part == Part.FORWARD:
        if from_end == 1:
            return _(
                "mismatch at base %(base)s of the forward primer, the last one at its 3′ end "
                "(%(oligo)s, here %(sequence)s)",
                **values,
            )
        return _("mismatch at base %(base)s of the forward primer (%(oligo)s, here %(sequence)s)", **values)
    if from_end == 1:
        return _(
            "mismatch at base %(base)s of the reverse primer, the last one at its 3′ end "
            "(%(oligo)s, here %(sequence)s)",
            **values,
        )
    return _("mismatch at base %(base)s of the reverse primer (%(oligo)s, here %(sequence)s)", **values)


def remarks(
    reasons: Iterable[str], mismatches: Sequence[Sequence[Any]], size_bp: int | None, published_bp: int | None
) -> list[Text]:
    """Return everything that is to be said of the best product of a pair, mismatches first."""
    found: list[Text] = [mismatch(*each) for each in mismatches[:MOST_NAMED]]
    if (rest := len(mismatches) - MOST_NAMED) > 0:
        found.append(ngettext("%(number)s more mismatch", "%(number)s more mismatches", rest))
    reasons = set(reasons)
    if Reason.PROBE in reasons and not any(each[0] == Part.PROBE for each in mismatches):
        found.append(_(REASON_NAMES[Reason.PROBE]))
    if Reason.SIZE in reasons:
        found.append(
            _("product of %(size)s bp, published with %(published)s bp", size=size_bp, published=published_bp)
        )
    return found


def sentence(
    kind: ChangeKind,
    reasons: Iterable[str],
    mismatches: Sequence[Sequence[Any]],
    size_bp: int | None,
    published_bp: int | None,
) -> str:
    """Return a difference in words, in the present language."""
    said = "; ".join(str(text) for text in remarks(reasons, mismatches, size_bp, published_bp))
    if kind is ChangeKind.LOST:
        return str(_("not detected in silico"))
    if kind is ChangeKind.UNEXPECTED:
        head = str(_("found in silico, though it is not a target of the method"))
        return f"{head}; {said}" if said else head
    if kind is ChangeKind.FOUND:
        head = str(_("detected in silico now"))
        return f"{head}; {said}" if said else head
    return said or str(_("doubtful in silico"))
