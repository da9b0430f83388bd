"""In-silico PCR without seeds, chunks or packing: every place is compared, letter by letter."""

from collections.abc import Sequence

import numpy as np

from labhub.sequences.insilico import Assay, Settings

SETS = {
    "A": 1, "C": 2, "G": 4, "T": 8, "U": 8, "R": 5, "Y": 10, "S": 6, "W": 9, "K": 12, "M": 3,
    "B": 14, "D": 13, "H": 11, "V": 7, "N": 15, "I": 15,
}  # fmt: skip
OTHER = str.maketrans("ACGTURYSWKMBDHVNI", "TGCAAYRSWMKVHDBNI")

Row = tuple[str, str, int, int, str, str, int, int, int]
"""Assay, record, start, size, primers, left primer, mm_f, mm_r, probe_mm."""


def letters(text: str) -> np.ndarray:
    return np.array([SETS.get(letter, 0) for letter in text.upper()], np.uint8)


def turned(text: str) -> str:
    return text.upper().translate(OTHER)[::-1]


def differences(oligo: str, text: np.ndarray) -> np.ndarray:
    """Of each place of a text where the oligo fits, which bases differ."""
    wanted = letters(oligo)
    if len(text) < len(wanted):
        return np.zeros((0, len(wanted)), bool)
    seen = np.lib.stride_tricks.sliding_window_view(text, len(wanted))
    return ((seen & ~wanted) != 0) | (seen == 0)


def places(oligo: str, text: np.ndarray, most: int, exact: int, right: bool) -> list[tuple[int, int]]:
    """Where an oligo, written as it lies on the plus strand, is a site: (place, mismatches)."""
    wrong = differences(oligo, text)
    exact = min(exact, len(oligo))
    firm = wrong[:, len(oligo) - exact :] if right else wrong[:, :exact]
    counts = wrong.sum(1)
    fits = (counts <= most) & ~firm.any(1)
    return [(int(place), int(counts[place])) for place in np.flatnonzero(fits)]


def brute_force(
    assays: Sequence[Assay], records: Sequence[tuple[str, str, bool]], settings: Settings
) -> set[Row]:
    found: set[Row] = set()
    for name, bases, circular in records:
        length = len(bases)
        sets = letters(bases)
        for assay in assays:
            forward, reverse = assay.forward.upper(), assay.reverse.upper()
            pairs = [("F", forward, "R", reverse), ("R", reverse, "F", forward)]
            if letters(forward).tolist() == letters(reverse).tolist():
                pairs = pairs[:1]
            elif settings.self_products:
                pairs += [("F", forward, "F", forward), ("R", reverse, "R", reverse)]
            for left_name, left, right_name, right in pairs:
                around = np.resize(sets, length + 200) if circular and length else sets
                lefts = places(left, around, settings.max_mismatches, settings.three_prime_exact, True)
                rights = places(
                    turned(right), around, settings.max_mismatches, settings.three_prime_exact, False
                )
                for start, left_mm in lefts:
                    for end, right_mm in rights:
                        if start >= length or end >= length:
                            continue
                        size = end + len(right) - start
                        if circular:
                            size = (size - 1) % length + 1
                        least = max(settings.min_size, len(left), len(right))
                        if not least <= size <= min(settings.max_size, length):
                            continue
                        if not circular and (start + size > length or end < start - len(right)):
                            continue
                        product = np.take(sets, np.arange(start, start + size), mode="wrap")
                        probe = -1
                        if assay.probe:
                            counts = [
                                int(differences(strand, product).sum(1).min(initial=99))
                                for strand in (assay.probe, turned(assay.probe))
                            ]
                            probe = min(counts)
                            probe = probe if probe <= settings.most_probe_mismatches else -1
                        as_written = (left_name, right_name) != ("R", "F")
                        found.add(
                            (
                                assay.name,
                                name,
                                start,
                                size,
                                "".join(sorted((left_name, right_name))),
                                left_name,
                                left_mm if as_written else right_mm,
                                right_mm if as_written else left_mm,
                                probe,
                            )
                        )
    return found
