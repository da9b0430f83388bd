"""Identification beside blastn, megablast and minimap2: one seeded world, one table.

    .venv/bin/python benchmarks/insilico/bench_identify.py                    # library of 18 Mb, 1,000 reads
    .venv/bin/python benchmarks/insilico/bench_identify.py --background 100   # and a genome of 100 Mb

Peers come from Debian (ncbi-blast+, minimap2); those that are missing are named and left out. CPU is
user and system time of the whole process, median of --runs interleaved rounds; setting up (makeblastdb,
packing) is not in it and stands beside it. The judge is edlib: a tool is right about a read when the
record that it names first is at least as near to the whole read, either strand, over the origin of
circular records, as the record that the read was cut from. Reads of no record must not get one with 80 %
identity over 80 % of the read.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import edlib
import numpy as np

ACGT = np.frombuffer(b"ACGT", np.uint8)
OTHER = np.zeros(256, np.uint8)
for _one, _two in zip(b"ACGTN", b"TGCAN", strict=True):
    OTHER[_one] = _two
SHORT_SIGHT = 60
"""Bases over the origin, beyond the read, that the judge looks at."""


@dataclass
class World:
    records: list[tuple[str, np.ndarray]] = field(default_factory=list)
    circular: set[str] = field(default_factory=set)
    reads: list[tuple[str, np.ndarray, str]] = field(default_factory=list)
    """Name, bases, and the record that it was cut from (empty: none)."""


def some(chance: np.random.Generator, size: int) -> np.ndarray:
    return ACGT[chance.integers(0, 4, size)]


def backward(bases: np.ndarray) -> np.ndarray:
    return OTHER[bases[::-1]]


def changed(chance: np.random.Generator, bases: np.ndarray, rate: float) -> np.ndarray:
    """Return bases with so many changes a base, nine in ten of them substitutions."""
    bases = bases.copy()
    places = np.flatnonzero(chance.random(len(bases)) < 0.9 * rate)
    bases[places] = ACGT[(np.searchsorted(ACGT, bases[places]) + chance.integers(1, 4, len(places))) % 4]
    pieces, at = [], 0
    for place in np.flatnonzero(chance.random(len(bases)) < 0.05 * rate).tolist():
        pieces.append(bases[at:place])
        size = int(min(chance.geometric(0.4), 8))
        if chance.random() < 0.5:
            pieces.append(some(chance, size))
            at = place
        else:
            at = min(place + size, len(bases))
    return np.concatenate([*pieces, bases[at:]])


def make_world(seed: int, records: int, background_mb: int) -> World:
    """Return plasmid-like records made of 300 shared elements, reads of them, and perhaps a genome."""
    chance = np.random.default_rng(seed)
    world = World()
    elements = [some(chance, int(chance.integers(200, 2_500))) for _each in range(300)]
    for number in range(records):
        wanted, parts, size = int(chance.integers(3_000, 14_000)), [], 0
        while size < wanted:
            element = changed(chance, elements[chance.integers(300)], chance.uniform(0, 0.03))
            parts += [
                element if chance.random() < 0.5 else backward(element),
                some(chance, int(chance.integers(10, 60))),
            ]
            size += len(parts[-2]) + len(parts[-1])
        bases = np.concatenate(parts)
        name = f"plasmid{number:05d}"
        world.records.append((name, np.roll(bases, int(chance.integers(len(bases))))))
        if chance.random() < 0.6:
            world.circular.add(name)
    plasmids = list(world.records)
    for kind, count, low, high in (
        ("sanger", 600, 400, 1_000),
        ("amplicon", 300, 50, 1_500),
        ("contig", 100, 1_500, 7_000),
    ):
        for number in range(count):
            size = int(chance.integers(low, high))
            name = f"{kind}{number:04d}"
            if chance.random() < 0.05:
                world.reads.append((name, some(chance, size), ""))
                continue
            source, bases = plasmids[chance.integers(len(plasmids))]
            size = min(size, len(bases))
            over = source in world.circular and chance.random() < 0.1
            start = (
                int(chance.integers(len(bases) - size + 1, len(bases)))
                if over
                else int(chance.integers(len(bases) - size + 1))
            )
            read = np.take(bases, range(start, start + size), mode="wrap")
            read = changed(chance, read, float(chance.choice([0, 0.005, 0.01, 0.02, 0.05])))
            if kind == "sanger":
                read[chance.random(len(read)) < 0.003] = ord("N")
            world.reads.append((name, read if chance.random() < 0.5 else backward(read), source))
    families = [some(chance, int(chance.integers(300, 4_000))) for _each in range(60)]
    for number in range(-(-background_mb // 10)):
        genome = some(chance, 10_000_000)
        for _each in range(1_200):
            repeat = changed(chance, families[min(int(chance.zipf(1.6)) - 1, 59)], chance.uniform(0.01, 0.2))
            place = int(chance.integers(0, len(genome) - len(repeat)))
            genome[place : place + len(repeat)] = repeat
        world.records.append((f"chromosome{number + 1}", genome))
    return world


def write_fasta(path: Path, records: Iterator[tuple[str, np.ndarray]]) -> None:
    with path.open("wb") as file:
        for name, bases in records:
            text = bases.tobytes()
            file.write(b">" + name.encode() + b"\n")
            file.write(b"\n".join(text[at : at + 80] for at in range(0, len(text), 80)) + b"\n")


# --- tools

Row = tuple[str, str, float, float]
"""Query, reference, identity (percent), coverage (0 to 1)."""


@dataclass
class Tool:
    name: str
    command: list[str]
    row: Callable[[str], Row | None]
    setup: list[str] = field(default_factory=list)
    needs: str = ""


def tools(folder: Path) -> list[Tool]:
    fasta, reads, out = folder / "library.fa", folder / "reads.fa", str(folder / "out")
    labhub = [sys.executable, "-m", "labhub"]
    identify = [*labhub, "identify", "--query", str(reads), "-o", out, "--reference"]
    circular = ["--circular", str(folder / "circular.txt")]
    pack = [*labhub, "sequences", "pack", str(fasta), *circular, "-o", str(folder / "library.labpack")]
    blast = [
        "blastn",
        "-query",
        str(reads),
        "-db",
        str(folder / "db"),
        "-num_threads",
        "1",
        "-max_target_seqs",
        "20",
    ]
    blast += ["-max_hsps", "1", "-outfmt", "6 qseqid sseqid pident length qlen", "-out", out, "-task"]
    database = ["makeblastdb", "-in", str(fasta), "-dbtype", "nucl", "-out", str(folder / "db")]
    minimap = ["minimap2", "-c", "-t", "1", "-N", "20", str(fasta), str(reads), "-o", out, "-x"]
    return [
        Tool("labhub identify, FASTA", [*identify, str(fasta), *circular], labhub_row),
        Tool("labhub identify, pack", [*identify, str(folder / "library.labpack")], labhub_row, pack),
        Tool("blastn", [*blast, "blastn"], blast_row, database, "blastn"),
        Tool("megablast", [*blast, "megablast"], blast_row, database, "blastn"),
        Tool("minimap2 -x sr -c", [*minimap, "sr"], minimap_row, needs="minimap2"),
        Tool("minimap2 -x asm20 -c", [*minimap, "asm20"], minimap_row, needs="minimap2"),
    ]


def labhub_row(line: str) -> Row | None:
    cells = line.split("\t")
    return None if cells[0] == "query" else (cells[0], cells[1], float(cells[2]), float(cells[3]))


def blast_row(line: str) -> Row:
    cells = line.split("\t")
    return cells[0], cells[1], float(cells[2]), int(cells[3]) / int(cells[4])


def minimap_row(line: str) -> Row:
    cells = line.split("\t")
    edits = next(int(cell[5:]) for cell in cells[12:] if cell.startswith("NM:i:"))
    return (
        cells[0],
        cells[5],
        100 * (1 - edits / int(cells[10])),
        (int(cells[3]) - int(cells[2])) / int(cells[1]),
    )


def run(command: list[str]) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak MB of a command."""
    root = Path(__file__).resolve().parent.parent.parent
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    said = process.stderr.read() if process.stderr else b""
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said.decode()[-500:]}")
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


# --- judging


class Judge:
    """Knows how far a read is from a record, and counts who was right."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.records = {name: bases.tobytes() for name, bases in world.records}
        self.reads = {
            name: (bases.tobytes(), backward(bases).tobytes()) for name, bases, _source in world.reads
        }
        self.known: dict[tuple[str, str], int] = {}

    def distance(self, read: str, record: str) -> int:
        key = read, record
        if key not in self.known:
            text = self.records[record]
            if record in self.world.circular:
                text += text[: len(self.reads[read][0]) + SHORT_SIGHT]
            found = [edlib.align(strand, text, mode="HW")["editDistance"] for strand in self.reads[read]]
            self.known[key] = min(found)
        return self.known[key]

    def count(self, path: Path, row: Callable[[str], Row | None]) -> tuple[int, int, float]:
        """Return reads that are right, aliens with a reference, and the mean error of identity in points."""
        best: dict[str, tuple[float, Row]] = {}
        with path.open(encoding="utf-8") as file:
            for line in file:
                found = row(line.rstrip("\n"))
                if found is None:
                    continue
                value = found[2] * min(found[3], 1.0)
                if found[0] not in best or value > best[found[0]][0] + 1e-9:
                    best[found[0]] = value, found
        right = aliens = 0
        errors = []
        for name, bases, source in self.world.reads:
            if name not in best:
                continue
            _name, record, identity, coverage = best[name][1]
            if not source:
                aliens += identity >= 80 and coverage >= 0.8
            else:
                distance = self.distance(name, record)
                right += distance <= self.distance(name, source)
                errors.append(abs(identity - 100 * (1 - distance / len(bases))))
        return right, aliens, statistics.mean(errors) if errors else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--background", type=int, default=0, help="Mb of a genome beside the library.")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="", help="Part of the names of the tools, comma separated.")
    options = parser.parse_args()
    world = make_world(options.seed, options.records, options.background)
    judge = Judge(world)
    of_record = sum(bool(source) for _name, _bases, source in world.reads)
    total = sum(len(bases) for _name, bases in world.records)
    print(f"{len(world.records)} records, {total / 1e6:.1f} Mb")
    print(f"{len(world.reads)} reads, {of_record} of them of a record")
    with tempfile.TemporaryDirectory(prefix="labhub-bench-") as name:
        folder = Path(name)
        write_fasta(folder / "library.fa", iter(world.records))
        write_fasta(folder / "reads.fa", ((name, bases) for name, bases, _source in world.reads))
        (folder / "circular.txt").write_text("\n".join(sorted(world.circular)) + "\n")
        chosen = [
            tool
            for tool in tools(folder)
            if not options.only or any(part in tool.name for part in options.only.split(","))
        ]
        for tool in [tool for tool in chosen if tool.needs and not shutil.which(tool.needs)]:
            print(f"{tool.name}: not installed")
            chosen.remove(tool)
        setups = {tool.name: run(tool.setup)[1] if tool.setup else 0.0 for tool in chosen}
        used: dict[str, list[tuple[float, float, float]]] = {tool.name: [] for tool in chosen}
        counts = {}
        for _round in range(options.runs):
            for tool in chosen:
                used[tool.name].append(run(tool.command))
                if tool.name not in counts:
                    counts[tool.name] = judge.count(folder / "out", tool.row)
        print(f"{'tool':24}{'setup CPU':>10}{'CPU s':>8}{'MB':>7}{'right':>7}{'aliens':>8}{'error':>7}")
        for tool in chosen:
            _wall, cpu, memory = (statistics.median(column) for column in zip(*used[tool.name], strict=True))
            right, aliens, error = counts[tool.name]
            print(
                f"{tool.name:24}{setups[tool.name]:10.1f}{cpu:8.2f}{memory:7.0f}"
                f"{right:7}{aliens:8}{error:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
