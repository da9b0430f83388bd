"""``labhub insilico`` and ``labhub sequences pack``: searches with or without a hub.

Nothing here loads the application: what reads methods or the hub is loaded when it is asked for.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TextIO, cast

import click

from labhub.config import dask_address, dask_scheduler
from labhub.errors import Invalid, Unavailable
from labhub.i18n import Text, _
from labhub.sequences import assay_tables, melting
from labhub.sequences.fasta import Reading
from labhub.sequences.insilico import Assay, Found, Settings, search
from labhub.sequences.insilico_tables import Result, json_lines, rows_of, tsv_lines
from labhub.sequences.packed import PackedLibrary, open_pack, write_pack
from labhub.sequences.position_index import PositionIndex, index_path, open_index, write_index
from labhub.sequences.references import PACK, every_record, libraries_of

HUB = "hub"
BACKGROUND = "background:"
"""Before the name of a background genome."""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MOST_TABLE = 64 << 20
"""Bytes of a table of assays."""


@dataclass
class Chosen:
    """The assays that were asked for, and what of the methods gives none."""

    assays: list[Assay] = field(default_factory=list)
    refused: list[tuple[str, Text]] = field(default_factory=list)
    nanomolar: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


def _file_or_hub(_context: click.Context, _parameter: click.Parameter, given: Any) -> Any:
    """Check that each value is a file, the word hub, or background: and a name."""
    for value in given:
        if value != HUB and not value.startswith(BACKGROUND):
            FILE.convert(value, _parameter, _context)
    return given


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--methods",
    multiple=True,
    required=True,
    callback=_file_or_hub,
    metavar="FILE|hub",
    help="Methods (JSON, CSV, XLSX), a table `id forward reverse probe` (TSV, CSV), or the hub's methods.",
)
@click.option("--code", "codes", multiple=True, help="Only this method or assay; may be given several times.")
@click.option(
    "--reference",
    "references",
    multiple=True,
    required=True,
    callback=_file_or_hub,
    metavar="FILE…|hub",
    help="FASTA, GenBank, EMBL, SnapGene (gzipped too), a pack (.labpack), the hub's sequences, "
    "or background:NAME.",
)
@click.argument("more_references", nargs=-1, callback=_file_or_hub, metavar="[FILE]…")
@click.option(
    "--circular", "circular_files", multiple=True, type=FILE, help="Names of circular records, one a line."
)
@click.option("--max-mismatches", default=2, show_default=True, help="Of each primer, 0 to 5.")
@click.option("--three-prime-exact", default=3, show_default=True, help="Bases at the 3' end that match.")
@click.option("--min-size", default=40, show_default=True, help="Of a product, with its primers, bp.")
@click.option("--max-size", default=1500, show_default=True)
@click.option("--probe-mismatches", type=int, help="Default: as many as a primer may have.")
@click.option("--self", "self_products", is_flag=True, help="Products of one primer on both sides too.")
@click.option("--tm", is_flag=True, help="Melting temperatures of the primers on their sites, degC.")
@click.option("--sodium", default=50.0, show_default=True, help="For --tm: monovalent cations, mM.")
@click.option("--magnesium", default=0.0, show_default=True, help="For --tm: mM.")
@click.option("--dntp", default=0.0, show_default=True, help="For --tm: mM.")
@click.option(
    "--oligo", default=50.0, show_default=True, help="For --tm: nM of each primer, unless its method says."
)
@click.option("--skip-bad", is_flag=True, help="Leave out records that cannot be used, and say which.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads.")
@click.option(
    "--dask", metavar="ADDRESS", help="Search on this Dask cluster (default: LABHUB_DASK_SCHEDULER)."
)
@click.option("--format", "format_", type=click.Choice(["tsv", "json"]), default="tsv", show_default=True)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output."
)
def insilico(
    methods: tuple[str, ...],
    codes: tuple[str, ...],
    references: tuple[str, ...],
    more_references: tuple[str, ...],
    circular_files: tuple[Path, ...],
    max_mismatches: int,
    three_prime_exact: int,
    min_size: int,
    max_size: int,
    probe_mismatches: int | None,
    self_products: bool,
    tm: bool,
    sodium: float,
    magnesium: float,
    dntp: float,
    oligo: float,
    skip_bad: bool,
    jobs: int,
    dask: str | None,
    format_: str,
    output: Path | None,
) -> None:
    """In-silico PCR: which products the assays of METHODS make of the records of REFERENCE."""
    settings = Settings(
        max_mismatches=max_mismatches,
        three_prime_exact=three_prime_exact,
        min_size=min_size,
        max_size=max_size,
        probe_mismatches=probe_mismatches,
        self_products=self_products,
    )
    settings.check()
    conditions = melting.Conditions(sodium, magnesium, dntp, oligo)
    conditions.check()
    cluster = dask_address(dask, "--dask") if dask is not None else dask_scheduler()
    chosen = _assays(methods, codes)
    reading = Reading(circular_names=_names(circular_files))
    found: list[Found] = []
    results: list[Result] = []
    for library in _libraries((*references, *more_references), reading, skip_bad):
        one = _found(chosen.assays, library, settings, jobs, cluster, by_name=dask is not None)
        found.append(one)
        temperatures = (
            melting.of_products(chosen.assays, library, one.products, conditions, chosen.nanomolar)
            if tm
            else ((), ())
        )
        results.append(Result(library, one.products, *temperatures))
    write = tsv_lines if format_ == "tsv" else json_lines
    rows = rows_of(chosen.assays, results, with_pair=self_products)
    with _opened(output) as file:
        file.writelines(write(rows, with_pair=self_products))
    _tell(chosen, reading, found)
    if tm:
        click.echo(f"labhub: melting temperatures at {conditions}", err=True)
    if not any(one.searched.assays for one in found):
        raise Invalid(_("No assay could be searched."))


def _found(
    assays: Sequence[Assay],
    library: PackedLibrary,
    settings: Settings,
    threads: int,
    cluster: str,
    *,
    by_name: bool,
) -> Found:
    """Search here or on a cluster; one that is only set may fail, and the search is then done here."""
    if cluster:
        on_cluster = import_module("labhub.sequences.cluster")
        try:
            found: Found = on_cluster.search_on_cluster(
                assays,
                library,
                settings,
                address=cluster,
                progress=_progress(),
                tell=lambda text: click.echo(f"labhub: {text}", err=True),
            )
            return found
        except Unavailable as refusal:
            if by_name:
                raise
            click.echo(f"labhub: {refusal.message} Searched on this machine instead.", err=True)
    return search(assays, library, settings, index=index_of(library), threads=threads, progress=_progress())


def _assays(methods: Sequence[str], codes: Sequence[str]) -> Chosen:
    """Return the assays of the files, and of the hub's methods where they are asked for."""
    chosen = Chosen()
    missing = set(codes)
    for given in dict.fromkeys(methods):
        if given == HUB:
            _add(chosen, import_module("labhub.cli").assays_of_hub(codes))
            missing = set()
            continue
        path = Path(given)
        text = _table(path)
        if text is None:
            _add(chosen, import_module("labhub.methods.assay_files").assays_of_file(path, codes))
            missing = set()
            continue
        assays = assay_tables.read_assays(text)
        if codes:
            assays = [assay for assay in assays if assay.name in codes]
            missing -= {assay.name for assay in assays}
        chosen.assays += assays
    if missing:
        raise Invalid(_("There is no assay %(codes)s.", codes=", ".join(sorted(missing))))
    return chosen


def _add(chosen: Chosen, more: Any) -> None:
    chosen.assays += more.assays
    chosen.refused += more.refused
    chosen.nanomolar.update(more.nanomolar)


def _table(path: Path) -> str | None:
    """Return the text of a table of assays, or None when the file is one of methods."""
    with path.open("rb") as file:
        head = file.read(65536)
        try:
            if not assay_tables.is_table(head.decode("utf-8", "ignore")):
                return None
            rest = file.read(MOST_TABLE)
            return (head + rest).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Invalid(_("%(file)s is not UTF-8 text.", file=path.name)) from None


def _names(files: Iterable[Path]) -> frozenset[str]:
    """Return the names of circular records."""
    try:
        return frozenset(
            line.split()[0].lstrip(">")
            for path in files
            for line in path.read_text(encoding="utf-8-sig").splitlines()
            if line.strip()
        )
    except UnicodeDecodeError:
        raise Invalid(_("The names of circular records must be UTF-8 text, one a line.")) from None


def _libraries(references: Sequence[str], reading: Reading, skip_bad: bool) -> list[PackedLibrary]:
    names = [given.removeprefix(BACKGROUND) for given in references if given.startswith(BACKGROUND)]
    paths = [
        Path(given)
        for given in dict.fromkeys(references)
        if given != HUB and not given.startswith(BACKGROUND)
    ]
    libraries = libraries_of(paths, reading, skip_bad=skip_bad)
    for library in import_module("labhub.cli").libraries_of_backgrounds(names) if names else []:
        reading.records += len(library)
        reading.bases += library.total_bases
        libraries.append(library)
    if HUB in references:
        library = import_module("labhub.cli").library_of_hub()
        reading.records += len(library)
        reading.bases += library.total_bases
        libraries.append(library)
    return libraries


def index_of(library: PackedLibrary) -> PositionIndex | None:
    """Return the index beside a pack, where there is one."""
    path = library.path and index_path(library.path)
    if not path or not path.exists():
        return None
    return open_index(path, library)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Open what is written to; a file appears when it is whole."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=output.parent, prefix=".labhub-", delete=False
    ) as part:
        try:
            yield cast(TextIO, part)
            part.flush()
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    mask = os.umask(0)
    os.umask(mask)
    Path(part.name).chmod(0o666 & ~mask)
    Path(part.name).replace(output)


def _progress(done_what: str = "searched") -> Callable[[int, int], object] | None:
    """Return what shows how far a search has come: on a terminal only."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        click.echo(f"\r{done_what} {100 * done // max(total, 1)} %{end}", err=True, nl=False)

    return show


def _tell(chosen: Chosen, reading: Reading, found: Sequence[Found]) -> None:
    """Say on standard error what was searched, what was not, and what is doubtful."""
    refused = [*chosen.refused, *(found[0].refused if found else [])]
    for name, reason in refused:
        click.echo(f"labhub: not searched: {name}: {reason}", err=True)
    _tell_reading(reading)
    for one in found:
        for name, reason in one.truncated:
            click.echo(f"labhub: truncated: {name}: {reason}", err=True)
    assays = found[0].searched.assays if found else 0
    products = sum(len(one.products) for one in found)
    click.echo(
        f"labhub: searched {assays} assays ({len(refused)} not searched) in {reading.records} records, "
        f"{reading.bases} bases ({reading.skipped} left out): {products} products",
        err=True,
    )


def _tell_reading(reading: Reading) -> None:
    for file, message in reading.problems:
        click.echo(f"labhub: left out: {file}: {message}", err=True)
    if reading.number > len(reading.problems):
        click.echo(f"labhub: left out: … and {reading.number - len(reading.problems)} more", err=True)
    for file, message in reading.remarks:
        click.echo(f"labhub: remark: {file}: {message}", err=True)
    if reading.remark_number > len(reading.remarks):
        click.echo(f"labhub: remark: … and {reading.remark_number - len(reading.remarks)} more", err=True)
    if unknown := sorted(reading.circular_names - reading.circular_found):
        told = ", ".join(unknown[:10]) + (" …" if len(unknown) > 10 else "")
        click.echo(f"labhub: remark: no record has these names of circular ones: {told}", err=True)


@click.group("sequences", context_settings={"help_option_names": ["-h", "--help"]})
def sequences() -> None:
    """Packed references and background genomes."""


@sequences.command("pack")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--circular", "circular_files", multiple=True, type=FILE, help="Names of circular records, one a line."
)
@click.option("--skip-bad", is_flag=True, help="Leave out records that cannot be used, and say which.")
@click.option("--index/--no-index", default=True, show_default=True, help="Write OUT.labpack.index too.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The pack, OUT.labpack.",
)
def pack(
    files: tuple[Path, ...], circular_files: tuple[Path, ...], skip_bad: bool, index: bool, output: Path
) -> None:
    """Pack FILES two bits a base into one file, which searches map instead of reading sequences anew.

    The index beside it (four bytes a base) makes searches of few assays fast.
    """
    if output.suffix != f".{PACK}":
        raise click.UsageError(f"The name of a pack ends in .{PACK}.")
    reading = Reading(circular_names=_names(circular_files))
    beside = index_path(output)
    beside.unlink(missing_ok=True)  # it would be that of other sequences
    write_pack(output, every_record(files, reading, skip_bad=skip_bad))
    if index:
        write_index(open_pack(output), beside, progress=_progress("indexed"))
    _tell_reading(reading)
    click.echo(
        f"labhub: packed {reading.records} records, {reading.bases} bases ({reading.skipped} left out)",
        err=True,
    )
