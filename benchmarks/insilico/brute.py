"""Every product, by comparing every oligo with every place: no seeds, and nothing of labhub.

Bit-sliced: one bit a place, 64 places a word, counters that stay at four, so for 3 mismatches only.
The rules are those of docs/insilico.md.
"""

import numpy as np
from world import turned

SETS = dict(zip("ACGTRYSWKMBDHVN", (1, 2, 4, 8, 5, 10, 6, 9, 12, 3, 14, 13, 11, 7, 15), strict=True))
TABLE = np.zeros(256, np.uint8)
for _letter, _set in SETS.items():
    TABLE[ord(_letter)] = TABLE[ord(_letter.lower())] = _set
GAP = 64
BLOCK = 1 << 20
"""Places that are compared at once."""


def products(assays, records, circular, exact=3, least=40, most=1500):
    """Return {(assay, record, start, size, strand): (mm_f, mm_r, probe_mm)}, starts 0-based."""
    text, starts, lengths = [], [], []
    position = 0
    for name, bases in records:
        sets = TABLE[np.frombuffer(bases, np.uint8)]
        piece = np.concatenate(
            (sets, np.resize(sets, GAP) if name in circular else sets[:0], np.zeros(GAP, np.uint8))
        )
        text.append(piece)
        starts.append(position)
        lengths.append(len(bases))
        position += len(piece)
    whole = np.concatenate(text)
    begins, sizes = np.array(starts), np.array(lengths)
    oligos = {}
    for _name, forward, reverse, _probe in assays:
        for oligo in (forward, reverse):
            oligos.setdefault((oligo, True), [])
            oligos.setdefault((turned(oligo.encode()).decode(), False), [])
    longest = max(len(oligo) for oligo, _right in oligos)
    for low in range(0, len(whole), BLOCK):
        part = whole[low : low + BLOCK + longest]
        part = np.concatenate((part, np.zeros(BLOCK + 64 * 2 - len(part) + longest, np.uint8)))
        planes = {}
        for letter in set("".join(oligo for oligo, _right in oligos)):
            wrong = (part & ~np.uint8(SETS[letter]) != 0) | (part == 0)
            planes[letter] = [
                np.packbits(wrong[shift : shift + BLOCK], bitorder="little").view(np.uint64)
                for shift in range(longest)
            ]
        for (oligo, right), found in oligos.items():
            one, two, four, over = (np.zeros(BLOCK // 64, np.uint64) for _each in range(4))
            for place, letter in enumerate(oligo):
                plane = planes[letter][place]
                if place >= len(oligo) - exact if right else place < exact:
                    over |= plane
                else:
                    carry = one & plane
                    one ^= plane
                    more = two & carry
                    two ^= carry
                    four |= more
            hits = np.flatnonzero(np.unpackbits((~(four | over)).view(np.uint8), bitorder="little"))
            for hit in hits.tolist():
                word, bit = hit >> 6, np.uint64(hit & 63)
                count = int(one[word] >> bit & np.uint64(1)) + 2 * int(two[word] >> bit & np.uint64(1))
                record = int(np.searchsorted(begins, low + hit, side="right")) - 1
                start = low + hit - starts[record]
                if start < lengths[record]:
                    found.append((record, start, count))
    del begins, sizes
    return _paired(assays, records, circular, oligos, least, most)


def _paired(assays, records, circular, oligos, least, most):
    made = {}
    for name, forward, reverse, probe in assays:
        pairs = [("+", forward, reverse), ("-", reverse, forward)][: 1 if forward == reverse else 2]
        for strand, left, right in pairs:
            rights = {}
            for record, start, count in oligos[(turned(right.encode()).decode(), False)]:
                rights.setdefault(record, []).append((start, count))
            for record, start, left_count in oligos[(left, True)]:
                title, bases = records[record]
                for end, right_count in rights.get(record, ()):
                    size = end + len(right) - start
                    if title in circular:
                        size = (size - 1) % len(bases) + 1
                    elif start + size > len(bases):
                        continue
                    if not max(least, len(left), len(right)) <= size <= min(most, len(bases)):
                        continue
                    product = (bases + bases)[start : start + size]
                    counts = (left_count, right_count) if strand == "+" else (right_count, left_count)
                    made[(name, title, start, size, strand)] = (*counts, _probe(probe, product))
    return made


def _probe(probe, product):
    if not probe or len(probe) > len(product):
        return -1
    text = TABLE[np.frombuffer(product, np.uint8)]
    view = np.lib.stride_tricks.sliding_window_view(text, len(probe))
    fewest = 99
    for strand in (probe.encode(), turned(probe.encode())):
        wanted = TABLE[np.frombuffer(strand, np.uint8)]
        fewest = min(fewest, int((((view & ~wanted) != 0) | (view == 0)).sum(1).min()))
    return fewest if fewest <= 3 else -1
