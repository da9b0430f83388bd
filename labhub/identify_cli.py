"""``labhub identify``: which reference a read, amplicon or contig comes from, without or with a hub.

It starts light: the hub is loaded only for ``--reference hub``.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import click

from labhub.errors import Invalid, Refusal
from labhub.file_kinds import FileKind, shown
from labhub.i18n import _
from labhub.sequences.covered import JUNCTION_BASES, Annotated, covered, rows_of, text_of
from labhub.sequences.fasta import Reading
from labhub.sequences.formats import ParsedFeature, read_records
from labhub.sequences.identify import Hit, Identification, Settings, identify_reads
from labhub.sequences.packed import Bases, PackedLibrary, open_pack, pack
from labhub.sequences.reads import MOST_TOLD, TRIM_ERROR, Read, Reads, read_reads
from labhub.sequences.references import PACK, kind_of, records_of

COLUMNS = (
    "query",
    "reference",
    "identity",
    "coverage",
    "query_start",
    "query_end",
    "ref_start",
    "ref_end",
    "strand",
)
HUB = "hub"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _file_or_hub(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    """Check that each value is a file, or the word hub."""
    for value in given:
        if value != HUB:
            FILE.convert(value, parameter, context)
    return given


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--query", required=True, type=FILE, help="FASTA, FASTQ or AB1, gzipped too.")
@click.option(
    "--reference",
    "references",
    multiple=True,
    required=True,
    callback=_file_or_hub,
    metavar="FILE…|hub",
    help="FASTA, GenBank, EMBL, SnapGene (gzipped too), a pack (.labpack), or the hub's sequences.",
)
@click.argument("more", nargs=-1, callback=_file_or_hub, metavar="[FILE]…")
@click.option("--circular", multiple=True, type=FILE, help="Names of circular records, one a line.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--format", "form", type=click.Choice(["tsv", "json"]), default="tsv", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option(
    "--hits", type=click.IntRange(1, 100), default=10, show_default=True, help="References told of one query."
)
@click.option(
    "--least-identity",
    type=click.FloatRange(50, 100),
    default=70.0,
    show_default=True,
    help="Percent of the query.",
)
@click.option(
    "--within",
    type=click.FloatRange(0, 50),
    default=0.5,
    show_default=True,
    help="Percent points under the best that are told too.",
)
@click.option(
    "--unexplained",
    type=click.IntRange(10, 10_000),
    default=20,
    show_default=True,
    help="Least bases of a stretch that nothing explains.",
)
@click.option(
    "--junction-bases",
    type=click.IntRange(1, 1_000),
    default=JUNCTION_BASES,
    show_default=True,
    help="Bases covered on both sides of a junction.",
)
@click.option(
    "--trim-error",
    type=click.FloatRange(0, 1),
    default=TRIM_ERROR,
    show_default=True,
    help="Chance of error over which ends of reads are cut off; 0 keeps them.",
)
@click.option("--skip-bad", is_flag=True, help="Leave bad reads and references out, and say so.")
def identify(
    query: Path,
    references: tuple[str, ...],
    more: tuple[str, ...],
    circular: tuple[Path, ...],
    jobs: int,
    form: str,
    output: Path | None,
    hits: int,
    least_identity: float,
    within: float,
    unexplained: int,
    junction_bases: int,
    trim_error: float,
    skip_bad: bool,
) -> None:
    """Say which reference each read, amplicon or contig comes from.

    The result is TSV, best first, or JSON with alignments, elements, junctions and what nothing explains.
    """
    gc.disable()  # nothing here goes in circles, and looking for it costs a tenth of the time
    reads = read_reads(query, trim_error=trim_error, skip_bad=skip_bad)
    settings = Settings(
        least_identity=least_identity,
        within=within,
        most_hits=hits,
        unexplained_bases=unexplained,
        alignments=3 if form == "json" else 0,
    )
    with _references((*references, *more), circular, skip_bad) as library:
        found = _searched(reads.reads, library.packed, settings, jobs)
        with _writing(output) as file:
            if form == "tsv":
                _write_tsv(file, found, library.packed)
            else:
                _write_json(file, reads, found, library, junction_bases)
    _report(reads, found, library)


# --- references


@dataclass
class References:
    """A library, and what is told of where it comes from."""

    packed: PackedLibrary
    reading: Reading
    features_of: Callable[[int], Sequence[Annotated]]
    """Returns the feature table of a record."""


@contextmanager
def _references(names: Sequence[str], circular: Sequence[Path], skip_bad: bool) -> Iterator[References]:
    if HUB in names:
        if len(names) > 1 or circular:
            raise Invalid(_("Search the hub or files, not both at once."), field="reference")
        with import_module("labhub.cli").hub():
            found = import_module("labhub.sequences.identify_queries").references_of_hub()
            yield References(found.packed, Reading(records=len(found.packed)), found.features_of)
        return
    reading = Reading(circular_names=_names(circular))
    files: list[tuple[Path, int]] = []
    paths = [Path(name) for name in dict.fromkeys(names)]
    if len(paths) == 1 and kind_of(paths[0]) == PACK:
        packed = open_pack(paths[0])
        reading.records = len(packed)
        reading.circular_found |= reading.circular_names.intersection(packed.names)
    else:
        packed = pack(_records(paths, reading, files, skip_bad))
    if not skip_bad:
        reading.raise_if_wrong()
    if not len(packed):
        raise Invalid(_("No record of the references can be used."), field="reference")
    for name in sorted(reading.circular_names - reading.circular_found):
        reading.remark(
            "--circular", _("No record has the name %(record)s of a circular one.", record=shown(name))
        )
    yield References(packed, reading, _FileFeatures(files, reading))


def _names(files: Sequence[Path]) -> frozenset[str]:
    try:
        lines = [line for path in files for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise Invalid(_("The names of circular records must be UTF-8 text, one a line.")) from None
    return frozenset(line.split()[0].lstrip(">") for line in lines if line.strip())


def _records(
    paths: Sequence[Path], reading: Reading, files: list[tuple[Path, int]], skip_bad: bool
) -> Iterator[tuple[str, Bases, bool]]:
    for path in paths:
        before = reading.records
        yield from records_of(path, reading, skip_bad=skip_bad)
        files.append((path, reading.records - before))


class _FileFeatures:
    """Feature tables of files; a file with a hit is read a second time for them."""

    def __init__(self, files: list[tuple[Path, int]], reading: Reading) -> None:
        self.files = files
        self.reading = reading
        self.known: dict[Path, Sequence[Sequence[ParsedFeature]]] = {}

    def __call__(self, record: int) -> Sequence[Annotated]:
        for path, count in self.files:
            if record < count:
                tables = self._tables(path)
                return tables[record] if len(tables) == count else ()
            record -= count
        return ()

    def _tables(self, path: Path) -> Sequence[Sequence[ParsedFeature]]:
        if path not in self.known:
            self.known[path] = ()
            kind = kind_of(path)
            if kind in (FileKind.FASTA, PACK):
                return ()
            try:
                self.known[path] = [each.features for each in read_records(path, kind)]
            except Refusal as refusal:  # more is asked of feature tables than of bases
                said = _("The features were not read: %(reason)s", reason=refusal.message)
                self.reading.remark(path.name, said)
        return self.known[path]


# --- processes


_WORK: list[Callable[[int, int], list[Identification]]] = []
"""What the processes of ``--jobs`` inherit."""


def _searched(
    reads: Sequence[Read], packed: PackedLibrary, settings: Settings, jobs: int
) -> list[Identification]:
    if jobs == 1 or len(reads) < 2 * jobs:
        return identify_reads(reads, packed, settings)

    def work(low: int, high: int) -> list[Identification]:
        return identify_reads(reads[low:high], packed, settings)

    _WORK[:] = [work]
    size = -(-len(reads) // jobs)
    lows = range(0, len(reads), size)
    fork = import_module("multiprocessing").get_context("fork")  # loaded when it is needed only
    with import_module("concurrent.futures").ProcessPoolExecutor(jobs, mp_context=fork) as pool:
        parts = list(pool.map(_run, lows, [low + size for low in lows]))
    return [each for part in parts for each in part]


def _run(low: int, high: int) -> list[Identification]:
    return _WORK[0](low, high)


# --- results


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    """Open what is written to; a file appears when it is whole."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _ranked(found: Identification) -> list[Hit]:
    """Return hits and pieces, best first: by the bases of the query that are equal."""
    return sorted((*found.hits, *found.pieces), key=lambda hit: -round(hit.identity * hit.coverage, 9))


def _write_tsv(file: TextIO, found: Sequence[Identification], packed: PackedLibrary) -> None:
    lengths, names = packed.lengths.tolist(), packed.names
    file.write("\t".join(COLUMNS) + "\n")
    for each in found:
        for hit in _ranked(each):
            length = lengths[hit.record]
            file.write(
                f"{each.name}\t{names[hit.record]}\t{hit.identity:.4f}\t{hit.coverage:.4f}\t"
                f"{hit.query_start + 1}\t{hit.query_end}\t{hit.reference_start + 1}\t"
                f"{(hit.reference_start + hit.reference_size - 1) % length + 1}\t"
                f"{'+' if hit.strand == 1 else '-'}\n"
            )


def _write_json(
    file: TextIO, reads: Reads, found: Sequence[Identification], library: References, junction_bases: int
) -> None:
    bases = {read.name: read.bases for read in reads.reads}
    answer = {
        "searched": {
            "reads": len(reads.reads),
            "records": len(library.packed),
            "bases": library.packed.total_bases,
            "library": library.packed.digest,
        },
        "bad_reads": [
            {"read": bad.name, "line": bad.line or None, "reason": str(bad.reason)} for bad in reads.bad
        ],
        "reads": [_answer(each, bases[each.name], reads, library, junction_bases) for each in found],
    }
    json.dump(answer, file, ensure_ascii=False, indent=1)
    file.write("\n")


def _answer(
    found: Identification, bases: str, reads: Reads, library: References, junction_bases: int
) -> dict[str, Any]:
    cut = reads.cut.get(found.name)
    return {
        "query": found.name,
        "length": found.length,
        "cut": cut._asdict() if cut else None,
        "explained": found.explained,
        "unexplained": [{"start": start + 1, "end": end} for start, end in found.unexplained],
        "ties": found.ties,
        "hits": [_hit(hit, bases, library, junction_bases) for hit in found.hits],
        "pieces": [_hit(hit, bases, library, junction_bases) for hit in found.pieces],
    }


def _hit(hit: Hit, bases: str, library: References, junction_bases: int) -> dict[str, Any]:
    packed = library.packed
    length, circular = int(packed.lengths[hit.record]), bool(packed.circular[hit.record])
    answer = {
        "reference": packed.names[hit.record],
        "identity": round(hit.identity, 4),
        "coverage": round(hit.coverage, 4),
        "query_start": hit.query_start + 1,
        "query_end": hit.query_end,
        "ref_start": hit.reference_start + 1,
        "ref_end": (hit.reference_start + hit.reference_size - 1) % length + 1,
        "strand": "+" if hit.strand == 1 else "-",
        "distance": hit.distance,
        "best": hit.is_best,
    }
    features = library.features_of(hit.record)
    if features:
        parts = covered(hit, features, length, circular=circular, junction_bases=junction_bases)
        answer["elements"] = [
            {
                "kind": each.feature.kind,
                "label": each.feature.label,
                "start": each.feature.start,
                "end": each.feature.end,
                "strand": each.feature.strand,
                "covered_start": each.start,
                "covered_end": each.end,
                "share": round(each.share, 4),
            }
            for each in parts.elements
        ]
        answer["junctions"] = [each._asdict() for each in parts.junctions]
    answer["blocks"] = [
        {
            "query_start": block.query_start + 1,
            "query_end": block.query_end,
            "ref_start": block.reference_start % length + 1,
            "ref_end": (block.reference_start + block.reference_size - 1) % length + 1,
            "distance": block.distance,
            "alignment": text_of(
                rows_of(
                    bases,
                    hit,
                    block,
                    packed.bases(hit.record, block.reference_start, block.reference_size),
                    length,
                )
            ).split("\n")
            if block.path
            else [],
        }
        for block in hit.blocks
    ]
    return answer


def _report(reads: Reads, found: Sequence[Identification], library: References) -> None:
    """Say on standard error what was searched and what was not."""
    packed, reading = library.packed, library.reading
    lines = [
        _(
            "Searched %(reads)s reads in %(records)s records of %(bases)s bases: %(known)s have a reference, "
            "%(open)s are not wholly explained.",
            reads=len(found),
            records=len(packed),
            bases=packed.total_bases,
            known=sum(bool(each.hits or each.pieces) for each in found),
            open=sum(bool(each.unexplained) for each in found),
        )
    ]
    if reads.cut:
        lines.append(_("Ends of bad quality were cut off %(number)s reads.", number=len(reads.cut)))
    crowded = sum(each.crowded for each in found)
    if crowded:
        lines.append(_("%(number)s reads repeat too often: only rarer words were followed.", number=crowded))
    for bad in reads.bad[:MOST_TOLD]:
        lines.append(_("Left out the read %(read)s: %(reason)s", read=shown(bad.name), reason=bad.reason))
    if len(reads.bad) > MOST_TOLD:
        lines.append(_("Left out %(number)s reads in all.", number=len(reads.bad)))
    if reading.skipped:
        lines.append(_("Left out %(number)s records of the references.", number=reading.skipped))
    for file, message in (*reading.problems, *reading.remarks):
        lines.append(_("%(file)s: %(message)s", file=file, message=message))
    for line in lines:
        click.echo(" ".join(str(line).split()), err=True)
