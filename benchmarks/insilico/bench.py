#!/usr/bin/env python3
"""In-silico PCR side by side with other programs on the same seeded data; prints a table, draws the growth.

.venv/bin/python benchmarks/insilico/bench.py                     # everything: about 10 minutes
.venv/bin/python benchmarks/insilico/bench.py --quick             # 2 Mb, 10 assays, a look
.venv/bin/python benchmarks/insilico/bench.py --write             # puts table and plot into docs/
"""

import argparse
import csv
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import brute
import world

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
MOST = 1500
OPTIONS = ["--max-mismatches", "3", "--three-prime-exact", "3", "--min-size", "40", "--max-size", str(MOST)]


def measured(command, out, cap):
    """Run a program; return CPU seconds and peak memory in MB, or None when it took too long."""
    peak = 0
    with open(out, "wb") as file:
        child = subprocess.Popen(
            command, stdout=file, stderr=subprocess.DEVNULL, cwd=PROJECT, env=ENVIRONMENT
        )
        while True:
            try:  # ru_maxrss of a child is never below its parent's
                status = Path(f"/proc/{child.pid}/status").read_text()
                peak = max(peak, int(re.search(r"VmHWM:\s+(\d+)", status)[1]))
            except (OSError, TypeError):
                pass
            pid, status, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if _cpu_seconds(child.pid) > cap:
                child.kill()
                os.wait4(child.pid, 0)
                return None
            time.sleep(0.01)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} failed ({child.returncode}): {' '.join(map(str, command))}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used.ru_utime + used.ru_stime, (used.ru_maxrss if used.ru_maxrss > own else peak) / 1024


ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""As installed: Python keeps what it compiled."""
JUDGED = 2000
"""Assays times megabases that the search of every place is asked for; of larger sets a part of the assays."""


def _cpu_seconds(pid):
    """Return what a running process has used so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Place:
    """A library with its files, in all the forms that programs take."""

    def __init__(self, folder, name, records, circular):
        self.name, self.records, self.circular = name, records, set(circular)
        self.bases = dict(records)
        self.megabases = sum(len(bases) for _title, bases in records) / 1e6
        self.fasta, self.longer = folder / f"{name}.fa", folder / f"{name}.longer.fa"
        self.names, self.pack = folder / f"{name}.circular", folder / f"{name}.labpack"
        self.bare = folder / f"{name}.bare.labpack"
        if not self.bare.exists():
            world.write_fasta(self.fasta, records)
            world.write_fasta(self.longer, world.lengthened(records, self.circular, MOST + 25))
            self.names.write_text("\n".join(circular) + "\n")
            used = measured(
                labhub("sequences", "pack", self.fasta, "--circular", self.names, "-o", self.pack),
                os.devnull,
                900,
            )
            print(f"packed and indexed {name}: {used[0]:.1f} s CPU, {used[1]:.0f} MB", file=sys.stderr)
            os.link(self.pack, self.bare)


def labhub(*arguments):
    return [sys.executable, "-m", "labhub", *map(str, arguments)]


def insilico(methods, reference, out, *more):
    return labhub("insilico", "--methods", methods, "--reference", reference, *OPTIONS, "-o", out, *more)


def read_products(path):
    """Return labhub's products as brute.py names them."""
    with open(path) as file:
        return {
            (row["assay"], row["reference"], int(row["start"]) - 1, int(row["size"]), row["strand"]): (
                int(row["mm_f"]),
                int(row["mm_r"]),
                int(row["probe_mm"] or -1),
            )
            for row in csv.DictReader(file, delimiter="\t")
        }


def ipcress(folder, place, assays):
    table = folder / "ipcress.txt"
    table.write_text("".join(f"{name} {f} {r} 40 {MOST}\n" for name, f, r, _probe in assays))
    command = ["ipcress", table, place.longer, "-m", "3", "--pretty", "false"]

    def found(out):
        for line in Path(out).read_text().splitlines():
            words = line.split()
            if line.startswith("ipcress:") and words[-1] in ("forward", "revcomp"):
                yield (
                    words[2],
                    words[1].split(":")[0],
                    int(words[5]),
                    int(words[3]),
                    "+" if words[-1] == "forward" else "-",
                )

    return command, found


def primersearch(folder, place, assays):
    table, report = folder / "primersearch.txt", folder / "primersearch.out"
    table.write_text("".join(f"{name}\t{f}\t{r}\n" for name, f, r, _probe in assays))
    forwards = {name: f for name, f, _r, _probe in assays}
    command = [
        "primersearch",
        "-seqall",
        place.longer,
        "-infile",
        table,
        "-mismatchpercent",
        "17",
        "-outfile",
        report,
    ]

    def found(_out):
        name = title = left = ""
        start = 0
        for line in report.read_text().splitlines():
            line = line.strip()
            if line.startswith("Primer name"):
                name = line.split()[-1]
            elif line.startswith("Sequence:"):
                title = line.split()[1]
            elif "hits forward strand at" in line:
                left = re.sub(r"\[\w*(\w)\]", r"\1", line.split()[0]).upper()
                start = int(line.split(" at ")[1].split()[0]) - 1
            elif line.startswith("Amplimer length"):
                yield name, title, start, int(line.split()[2]), "+" if left == forwards[name] else "-"

    return command, found


def seqkit(folder, place, assays):
    table = folder / "seqkit.txt"
    table.write_text("".join(f"{name}\t{f}\t{r}\n" for name, f, r, _probe in assays))
    command = ["seqkit", "amplicon", "-j", "1", "-p", table, "-m", "3", "--bed", place.longer]

    def found(out):
        for line in Path(out).read_text().splitlines():
            cells = line.rstrip("\n").split("\t")
            if len(cells) > 5:
                yield cells[3], cells[0], int(cells[1]), int(cells[2]) - int(cells[1]), cells[5]

    return command, found


PEERS = {"ipcress": (ipcress, 100), "primersearch": (primersearch, 10), "seqkit amplicon": (seqkit, 10)}
"""Each with the most assays that it is given: they grow with the number of assays."""


def compare(place, assays, methods, folder, options):
    """Measure one set of assays on one library; return rows of the table."""
    begun = time.monotonic()
    judged = {name for name, *_oligos in assays}
    if len(assays) * place.megabases > JUDGED:  # assays do not depend on each other: some judge all
        step = round(len(assays) * place.megabases / JUDGED)
        judged = {name for name, *_oligos in assays[::step]}
    truth = brute.products([row for row in assays if row[0] in judged], place.records, place.circular)
    print(f"brute force: {len(truth)} products, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    rows = []
    out = folder / "out.tsv"
    ways = {
        "labhub, FASTA": insilico(methods, place.fasta, out, "--circular", place.names),
        "labhub, pack": insilico(methods, place.bare, out),
        "labhub, pack and index": insilico(methods, place.pack, out),
    }
    for name, command in ways.items():
        runs = [measured(command, os.devnull, options.cap) for _each in range(options.runs)]
        every = read_products(out)
        products = {key: counts for key, counts in every.items() if key[0] in judged}
        rows.append(
            {
                "program": name,
                "cpu": statistics.median(used[0] for used in runs),
                "mb": max(used[1] for used in runs),
                "recall": len(products.keys() & truth.keys()) / max(len(truth), 1),
                "extra": len(products.keys() - truth.keys()),
                "wrong": sum(products[key] != truth[key] for key in products.keys() & truth.keys()),
            }
        )
    for name, (adapter, most) in PEERS.items():
        if not shutil.which(name.split()[0]) or len(assays) > most or place.megabases > 50:
            continue
        command, found = adapter(folder, place, assays)
        used = measured(command, folder / "peer.out", options.cap)
        if used is None:
            rows.append({"program": name, "cpu": None})
            continue
        keys = set()
        for assay, title, start, size, strand in found(folder / "peer.out"):
            if title in place.circular:
                start %= len(place.bases[title])
            keys.add((assay, title, start, size, strand))
        rows.append(
            {
                "program": name,
                "cpu": used[0],
                "mb": used[1],
                "recall": len(keys & truth.keys()) / max(len(truth), 1),
                "extra": len(keys - truth.keys()),
                "wrong": None,
            }
        )
    return len(every), rows


def one_assay(place, methods):
    """Return the median milliseconds of one assay after the other in one process that has the index open."""
    program = (
        "import statistics, sys, time\n"
        "from pathlib import Path\n"
        "from labhub.sequences.assay_tables import read_assays\n"
        "from labhub.sequences.insilico import Settings, search\n"
        "from labhub.sequences.packed import open_pack\n"
        "from labhub.sequences.position_index import index_path, open_index\n"
        "library = open_pack(Path(sys.argv[1])); index = open_index(index_path(library.path), library)\n"
        "assays = read_assays(Path(sys.argv[2]).read_text())[:100]\n"
        "times = []\n"
        "for assay in assays * 2:\n"
        "    begun = time.process_time(); search([assay], library, Settings(3), index=index)\n"
        "    times.append(1000 * (time.process_time() - begun))\n"
        "print(statistics.median(times[len(assays):]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, place.bare.with_name(place.pack.name), methods],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def growth(folder, places, tables, options):
    """Return CPU seconds against assays, megabases and mismatches; packs without index."""
    out = folder / "out.tsv"

    def cpu(command):
        return statistics.median(
            measured(command, os.devnull, options.cap)[0] for _each in range(options.runs)
        )

    least = cpu(labhub("insilico", "--help"))
    curves = {
        "assays": [(number, cpu(insilico(path, places[0].bare, out))) for number, path in tables.items()],
        "megabases": [(place.megabases, cpu(insilico(tables[100], place.bare, out))) for place in places],
        "mismatches": [
            (number, cpu([*insilico(tables[100], places[0].bare, out), "--max-mismatches", str(number)]))
            for number in range(6)
        ],
    }
    return least, curves


def drawing(least, curves):
    """Return the three curves as one SVG, readable on light and dark."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 260" font-family="sans-serif" '
        'font-size="12">',
        "<title>CPU seconds of labhub insilico against assays, megabases and mismatches</title>",
        '<rect width="780" height="260" fill="#fff"/>',
    ]
    for panel, (name, points) in enumerate(curves.items()):
        left = 50 + 260 * panel
        top = max(y for _x, y in points) * 1.1
        widest = max(x for x, _y in points)
        line = []
        for x, y in points:
            px, py = left + 190 * x / widest, 210 - 180 * y / top
            line.append(f"{px:.1f},{py:.1f}")
            parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="#0b5cad"/>')
        parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="#0b5cad" stroke-width="2"/>')
        floor = 210 - 180 * least / top
        ends = f'x1="{left}" y1="{floor:.1f}" x2="{left + 190}" y2="{floor:.1f}"'
        parts.append(f'<line {ends} stroke="#777" stroke-dasharray="4"/>')
        parts.append(f'<path d="M{left},25V210H{left + 195}" fill="none" stroke="#222"/>')
        parts.append(f'<text x="{left + 95}" y="245" text-anchor="middle">{name}</text>')
        for value in (0, widest / 2, widest):
            parts.append(
                f'<text x="{left + 190 * value / widest:.0f}" y="226" text-anchor="middle">'
                f"{round(value, 1):g}</text>"
            )
        for value in (top / 2, top):
            parts.append(
                f'<text x="{left - 5}" y="{214 - 180 * value / top:.0f}" text-anchor="end">{value:.1f}</text>'
            )
    parts.append('<text x="8" y="16">CPU s; dashed: start of the program alone</text></svg>')
    return "\n".join(parts) + "\n"


def report(sets, least, curves, warm, options):
    """Return the section of docs/performance.md."""
    lines = [
        "## In-silico PCR (`benchmarks/insilico/bench.py`)",
        "",
        f"{date.today():%d %B %Y}, {os.cpu_count()} cores {cpu_name()}, Python {platform.python_version()}, "
        "one thread, at most 3 mismatches a primer, none in the last 3 bases at its 3' end, "
        f"40 to {MOST} bp; load of the machine {os.getloadavg()[0]:.1f}. CPU seconds are of a whole process",
        f"(median of {options.runs}; other programs once). Recall, extra and wrong (another number of "
        "mismatches) are against a search of every place without seeds, of large sets for a part.",
        f"Other programs got circular records lengthened by {MOST + 25} bases; their extra ones lie outside "
        "the common rules.",
        "",
        "| assays × library | products | program | CPU s | MB | recall | extra | wrong "
        "| CPU, program / labhub with a pack |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for title, number, rows in sets:
        base = next(row["cpu"] for row in rows if row["program"] == "labhub, pack")
        for row in rows:
            if row["cpu"] is None:
                lines.append(
                    f"| {title} | {number} | {row['program']} | over {options.cap:.0f} s | | | | | |"
                )
                continue
            wrong = "" if row["wrong"] is None else row["wrong"]
            cells = (
                title,
                number,
                row["program"],
                f"{row['cpu']:.2f}",
                f"{row['mb']:.0f}",
                f"{row['recall']:.4f}",
                row["extra"],
                wrong,
                f"{row['cpu'] / base:.1f}",
            )
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", f"One assay in a warm process with the index open: {warm:.1f} ms (median of 100).", ""]
    lines += [
        f"Growth (pack without index; starting the program alone takes {least:.2f} s):",
        "",
        "![CPU seconds against assays, megabases and mismatches](insilico-growth.svg)",
        "",
        "| grows | CPU s |",
        "|---|---|",
    ]
    for name, points in curves.items():
        lines.append(f"| {name} | " + ", ".join(f"{x:.0f}: {y:.2f}" for x, y in points) + " |")
    return "\n".join(lines) + "\n"


def cpu_name():
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.machine()


def write_docs(text, svg):
    """Put the section between its marks in docs/performance.md."""
    (PROJECT / "docs" / "insilico-growth.svg").write_text(svg)
    path = PROJECT / "docs" / "performance.md"
    begin, end = "<!-- insilico: made by benchmarks/insilico/bench.py --write -->", "<!-- insilico: end -->"
    old = path.read_text(encoding="utf-8")
    section = f"{begin}\n{text}{end}\n"
    if begin in old:
        new = old[: old.index(begin)] + section + old[old.index(end) + len(end) + 1 :]
    else:
        new = old.rstrip("\n") + "\n\n" + section
    path.write_text(new, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "labhub-bench" / "insilico")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cap", type=float, default=300, help="CPU seconds after which a program is stopped")
    parser.add_argument("--background", type=float, default=100, help="megabases")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    folder = options.folder / ("quick" if options.quick else "full")
    folder.mkdir(parents=True, exist_ok=True)
    records, circular = world.library(2026, 2 if options.quick else 18)
    library = Place(folder, "library", records, circular)
    places = [library]
    if not options.quick:
        for megabases in (options.background * 0.3, options.background):
            more = records + world.background(7, megabases)
            places.append(Place(folder, f"library+{megabases:.0f}", more, circular))
    sources = [bases for _title, bases in records]
    every = world.assays(3, 2000, sources)
    tables = {}
    for number in (1, 10, 30, 100, 300, 1000, 2000):
        tables[number] = folder / f"assays_{number}.tsv"
        rows = ["\t".join(row) for row in every[:number]]
        tables[number].write_text("\n".join(["id\tforward\treverse\tprobe", *rows]) + "\n")
    sets = []
    wished = (
        [(library, 10), (library, 100)]
        if options.quick
        else [
            (library, 10),
            (library, 100),
            (library, 1000),
            (places[-1], 10),
            (places[-1], 100),
            (places[-1], 1000),
        ]
    )
    for place, number in wished:
        title = f"{number} × {place.megabases:.0f} Mb"
        print(title, file=sys.stderr)
        sets.append((title, *compare(place, every[:number], tables[number], folder, options)))
    warm = one_assay(library, tables[100])
    least, curves = growth(folder, places, tables, options)
    text, svg = report(sets, least, curves, warm, options), drawing(least, curves)
    print(text)
    (folder / "growth.svg").write_text(svg)
    if options.write:
        write_docs(text, svg)
    ours = [row for _title, _number, rows in sets for row in rows if row["program"].startswith("labhub")]
    return 0 if all(row["recall"] == 1 and not row["extra"] and not row["wrong"] for row in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
