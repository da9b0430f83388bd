"""Seeded sequences and assays: a library like a vector collection, a background like a genome.

The library: records of about 8 kb put together from shared parts, each copy changed by 0 to 3 %, on either
strand, 60 % circular and cut at any place; some lower case, runs of N, ambiguity letters. The background:
blocks of varying GC content with diverged repeats, homopolymers and gaps. Assays: primers of 18 to 25 bases
with 0 to 3 changes off the 3' end, a tenth degenerate, two thirds with a probe.
"""

from pathlib import Path

import numpy as np

BASES = np.frombuffer(b"ACGT", np.uint8)
OTHER = bytes.maketrans(b"ACGTRYSWKMBDHVNacgtryswkmbdhvn", b"TGCAYRSWMKVHDBNtgcayrswmkvhdbn")
TWO = {"AG": b"R", "CT": b"Y", "CG": b"S", "AT": b"W", "GT": b"K", "AC": b"M"}


def turned(bases: bytes) -> bytes:
    """Return the reverse complement."""
    return bases.translate(OTHER)[::-1]


class Dna:
    """Random bases of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def bases(self, size: int, gc: float = 0.5) -> bytes:
        share = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
        return BASES[self.random.choice(4, size, p=share)].tobytes()

    def changed(self, bases: bytes, share: float) -> bytes:
        letters = np.frombuffer(bases, np.uint8).copy()
        hit = self.random.random(len(letters)) < share
        letters[hit] = BASES[
            (np.searchsorted(BASES, letters[hit]) + self.random.integers(1, 4, hit.sum())) % 4
        ]
        return letters.tobytes()

    def whole(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high))


def library(seed: int, megabases: float) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Return records and the names of the circular ones."""
    dna = Dna(seed)
    parts = [dna.bases(dna.whole(200, 2500), dna.random.uniform(0.35, 0.62)) for _each in range(300)]
    records, circular, total = [], [], 0
    while total < megabases * 1e6:
        pieces, size, aim = [], 0, int(dna.random.normal(8000, 1500))
        while size < aim:
            part = dna.changed(parts[dna.whole(0, 300)], dna.random.uniform(0, 0.03))
            pieces += [part if dna.random.random() < 0.5 else turned(part), dna.bases(dna.whole(10, 60))]
            size += len(pieces[-1]) + len(pieces[-2])
        bases = bytearray(b"".join(pieces))
        cut = dna.whole(0, len(bases))
        bases = bases[cut:] + bases[:cut]
        if dna.random.random() < 0.05:
            bases[500:900] = bytes(bases[500:900]).lower()
        if dna.random.random() < 0.05:
            start = dna.whole(0, len(bases) - 130)
            bases[start : start + 60] = b"N" * 60
        if dna.random.random() < 0.05:
            for letter in b"RYK":
                bases[dna.whole(0, len(bases))] = letter
        name = f"v{len(records):05d}"
        records.append((name, bytes(bases)))
        if dna.random.random() < 0.6:
            circular.append(name)
        total += len(bases)
    return records, circular


def background(seed: int, megabases: float) -> list[tuple[str, bytes]]:
    """Return ten chromosomes."""
    dna = Dna(seed)
    families = [dna.bases(dna.whole(300, 4000), dna.random.uniform(0.35, 0.6)) for _each in range(60)]
    records = []
    for number in range(10):
        blocks = []
        for _block in range(max(int(megabases), 1)):
            block = bytearray(dna.bases(100_000, float(np.clip(dna.random.normal(0.42, 0.06), 0.28, 0.62))))
            for _repeat in range(int(dna.random.poisson(12))):
                family = families[min(int(dna.random.zipf(1.6)) - 1, 59)]
                copy = dna.changed(family, dna.random.uniform(0.01, 0.2))
                copy = copy if dna.random.random() < 0.5 else turned(copy)
                start = dna.whole(0, len(block) - len(copy))
                block[start : start + len(copy)] = copy.lower() if dna.random.random() < 0.3 else copy
            start = dna.whole(0, 90_000)
            block[start : start + 40] = BASES[dna.whole(0, 4) :][:1].tobytes() * 40
            if dna.random.random() < 0.1:
                block[start : start + dna.whole(50, 5000)] = b"N" * dna.whole(50, 5000)
            blocks.append(bytes(block))
        records.append((f"chr{number + 1:02d}", b"".join(blocks)))
    return records


def assays(seed: int, number: int, sources: list[bytes]) -> list[tuple[str, str, str, str]]:
    """Return assays that find something in the sources."""
    dna = Dna(seed)
    made: list[tuple[str, str, str, str]] = []
    while len(made) < number:
        source = sources[dna.whole(0, len(sources))]
        size = dna.whole(65, 250) if dna.random.random() < 0.75 else dna.whole(250, 1400)
        if len(source) < size + 2:
            continue
        start = dna.whole(0, len(source) - size)
        window = source[start : start + size].upper()
        if window.translate(None, b"ACGT"):
            continue
        if dna.random.random() < 0.5:
            window = turned(window)
        oligos = []
        for template in (window, turned(window)):
            oligo = bytearray(template[: dna.whole(18, 26)])
            for place in dna.random.choice(
                len(oligo) - 3, dna.random.choice(4, p=[0.45, 0.25, 0.15, 0.15]), False
            ):
                oligo[place] = dna.bases(1)[0]
            if dna.random.random() < 0.1:
                place = dna.whole(0, len(oligo) - 4)
                pair = "".join(sorted({chr(oligo[place]), "ACGT"["ACGT".index(chr(oligo[place])) - 1]}))
                oligo[place : place + 1] = TWO[pair]
            oligos.append(oligo.decode())
        probe = b""
        if size > 80 and dna.random.random() < 0.7:
            place = dna.whole(26, size - 54)
            probe = dna.changed(window[place : place + dna.whole(20, 29)], 0.02)
            probe = probe if dna.random.random() < 0.5 else turned(probe)
        made.append((f"A{len(made):05d}", *oligos, probe.decode()))
    return made


def write_fasta(path: Path, records: list[tuple[str, bytes]]) -> None:
    """Write records, 80 bases a line."""
    with path.open("wb") as file:
        for name, bases in records:
            lines = [bases[place : place + 80] for place in range(0, len(bases), 80)]
            file.write(b">" + name.encode() + b"\n" + b"\n".join(lines) + b"\n")


def lengthened(records: list[tuple[str, bytes]], circular: set[str], by: int) -> list[tuple[str, bytes]]:
    """Return circular records with their beginning once more: for programs that know no circles."""
    return [(name, bases + bases[:by] if name in circular else bases) for name, bases in records]
