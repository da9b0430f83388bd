"""The ``labhub`` commands. Exit status 0, 1 with one line on stderr when refused, 2 on wrong usage."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import Any, BinaryIO, cast

import click
from flask import Flask
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from labhub import alembic, audit, create_app, doctor
from labhub.accounts import commands as accounts
from labhub.accounts import queries as account_queries
from labhub.accounts.actor import OPERATOR, Actor, Role, Scope
from labhub.accounts.models import LinkPurpose, User
from labhub.config import PROJECT_FOLDER, load
from labhub.db import db, transaction
from labhub.endings import one_line, run
from labhub.engine_cli import insilico
from labhub.engine_cli import sequences as sequences_group
from labhub.errors import Conflict, NotFound, Refusal
from labhub.i18n import LANGUAGES, _, in_language
from labhub.identify_cli import identify
from labhub.indicators import commands as indicators
from labhub.indicators import queries as indicator_queries
from labhub.jobs import EmbeddedConsumer
from labhub.lmos import commands as lmos
from labhub.lmos import queries as lmo_queries
from labhub.lmos import taxa_commands as taxa
from labhub.methods import assay_queries, link_queries
from labhub.methods import background_commands as method_backgrounds
from labhub.methods import commands as methods
from labhub.methods import download_queries as method_downloads
from labhub.methods import find_commands as method_index
from labhub.methods import judgement_commands as judgement
from labhub.methods import names_commands as method_names
from labhub.methods import queries as method_queries
from labhub.methods import specificity_commands as specificity_work
from labhub.methods.assay_files import AssaysOfMethods
from labhub.methods.tables import template as template_of_methods
from labhub.reports import ImportReport
from labhub.sequences import background_commands as backgrounds
from labhub.sequences import background_queries
from labhub.sequences import commands as sequences
from labhub.sequences import library_queries as sequence_library
from labhub.sequences import queries as sequence_queries
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.packed import PackedLibrary
from labhub.serving import check_port
from labhub.serving import serve as run_server
from labhub.usage import commands as usage
from labhub.usage import queries as usage_queries
from labhub.work import queries as work_queries

SEEDS_FOLDER = PROJECT_FOLDER / "seeds"
FIRST_ADMINISTRATOR = "administrator@labhub.test"

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Machine output.")


def main() -> None:
    """Run a command and turn every refusal into one line and an exit status."""
    try:
        run(cli, None, "labhub")
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        click.echo(f"labhub: the database refused: {cause}", err=True)
        sys.exit(1)


@contextmanager
def hub(*, must_exist: bool = True) -> Iterator[Flask]:
    """Open the hub for one command; its changes come from the source ``cli``."""
    app = create_app(load())
    with app.app_context(), audit.from_source("", "cli"):
        if must_exist and alembic.needs_upgrade():
            raise NotFound(_("The database is not ready: run labhub init first."))
        yield app
        db.session.rollback()


def operator(email: str | None) -> Actor:
    """Return the operator, in the name of a person where one is given."""
    if not email:
        return OPERATOR
    user = _user(email)
    return replace(account_queries.actor_of(user), operator=True)


def _user(email: str) -> User:
    user = account_queries.user_by_email(email)
    if user is None:
        raise NotFound(_("There is no account %(email)s.", email=email))
    return user


def print_table(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as JSON, or as a table (plain when piped)."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
        return
    if not rows:
        click.echo("Nothing.")
        return
    if not sys.stdout.isatty():
        lines = (["" if value is None else str(value) for value in row.values()] for row in rows)
        click.echo("\n".join("\t".join(line) for line in (list(rows[0]), *lines)))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labhub")
def cli() -> None:
    """The data hub of the Network of Laboratories for the Detection and Identification of LMOs."""


cli.add_command(identify)
cli.add_command(insilico)
cli.add_command(sequences_group)

# Setting up and serving -----------------------------------------------------------------------


@cli.command()
def init() -> None:
    """Create or migrate the database and load the seeds (again and again without harm)."""
    with hub(must_exist=False):
        initialise()
    click.echo("The hub is ready.")


def initialise() -> None:
    """Bring the database to the newest form and load what is missing of the seeds."""
    if alembic.needs_upgrade():
        alembic.upgrade()
    db.session.rollback()
    loaders = (
        accounts.load_seeds,
        taxa.load_seeds,
        lmos.load_seeds,
        judgement.load_seeds,
        methods.load_seeds,
        indicators.load_seeds,
    )
    with transaction():
        if sum(load_seeds(SEEDS_FOLDER) for load_seeds in loaders):
            method_names.tidy_names()
        method_index.fill_index()
        sequences.fill_marks()


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), help="Default: LABHUB_PORT or 8000.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(1, 256), default=8, show_default=True)
def serve(host: str, port: int | None, workers: int, threads: int) -> None:
    """Serve the hub until interrupted."""
    config = load()
    run_server(host, port or config.port, workers, threads)


@cli.command(hidden=True)
def start() -> None:
    """Do what `make run` does after the installation: init, first link, serve."""
    config = load()
    check_port("127.0.0.1", config.port)
    with hub(must_exist=False):
        initialise()
        link = first_administrator_link()
    click.echo(f"labhub serves {config.base_url}  (stop with Ctrl-C)")
    if link:
        click.echo(f"First start: set the password of {FIRST_ADMINISTRATOR} within 7 days at\n  {link}")
    sys.stdout.flush()
    run_server("127.0.0.1", config.port, 1, 8)


def first_administrator_link() -> str:
    """Return a one-time link while nobody administers the hub; the account is made at the first start."""
    people = account_queries.people_with_role(Role.ADMINISTRATOR)
    if any(person.password for person in people):
        return ""
    with transaction():
        user = account_queries.user_by_email(FIRST_ADMINISTRATOR)
        if user is None:
            user = accounts.create_user(
                OPERATOR,
                email=FIRST_ADMINISTRATOR,
                name="Administrator",
                organisation="Secretariat of the hub",
            )
            for role in (Role.ADMINISTRATOR, Role.SECRETARIAT):
                accounts.grant_role(OPERATOR, user, role)
        return accounts.link_address(accounts.make_link(user, LinkPurpose.INVITATION))


@cli.command()
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True)
def worker(threads: int) -> None:
    """Run background jobs and schedules (with LABHUB_REDIS_URL; else `serve` runs them itself)."""
    app = create_app(load())
    EmbeddedConsumer(app.extensions["labhub.jobs"], threads).run()


# People ---------------------------------------------------------------------------------------


@cli.group()
def user() -> None:
    """Accounts."""


@user.command("create")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--party", help="Two-letter code of the Party that the person belongs to.")
@click.option("--organisation", default="")
@click.option("--laboratory", help="Code of the laboratory, for the roles analyst and manager.")
@click.option("--role", "roles", multiple=True, type=click.Choice([role.value for role in Role]))
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_user(
    email: str,
    name: str,
    party: str | None,
    organisation: str,
    laboratory: str | None,
    roles: tuple[str, ...],
    password_stdin: bool,
) -> None:
    """Open an account and print its number."""
    if bool(party) == bool(organisation):
        raise click.UsageError("Give either --party or --organisation.")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with hub(), transaction():
        of_party = account_queries.find_party(party) if party else None
        at = account_queries.find_laboratory(OPERATOR, laboratory) if laboratory else None
        row = accounts.create_user(
            OPERATOR, email=email, name=name, party=of_party, organisation=organisation, password=password
        )
        for role in roles:
            accounts.grant_role(OPERATOR, row, Role(role), laboratory=at, party=of_party)
        if password is None:
            accounts.send_link(row, LinkPurpose.INVITATION)
        number = row.id
    click.echo(number)


@cli.group()
def token() -> None:
    """Bearer tokens for scripts."""


@token.command("create")
@click.argument("email")
@click.option("--name", default="command line", show_default=True)
@click.option(
    "--scope", type=click.Choice([scope.value for scope in Scope]), default="read", show_default=True
)
def create_token(email: str, name: str, scope: str) -> None:
    """Print a new bearer token, this once."""
    with hub(), transaction():
        _row, secret = accounts.create_token(OPERATOR, name=name, scope=Scope(scope), user=_user(email))
    click.echo(secret)


def assays_of_hub(codes: Sequence[str]) -> AssaysOfMethods:
    """Return the assays of the hub's published methods, or of some by their codes, for a search."""
    with hub():
        return assay_queries.assays_for_files(OPERATOR, codes)


def library_of_hub() -> PackedLibrary:
    """Return the hub's sequences, packed: all but sealed, withdrawn and superseded ones."""
    with hub():
        return sequence_library.library_for(OPERATOR)


# In and out -----------------------------------------------------------------------------------

IMPORTS: dict[str, Callable[..., ImportReport]] = {
    "methods": methods.import_methods,
    "lmos": lmos.import_lmos,
    "elements": lmos.import_elements,
    "sequences": sequences.import_sequences,
    "laboratories": accounts.import_laboratories,
    "parties": accounts.import_parties,
}
NAMED = frozenset({"methods", "lmos", "elements"})
"""Records whose names methods and register share: targets are linked anew after their import."""


@cli.command("import")
@click.argument("kind", type=click.Choice(list(IMPORTS)))
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--as", "email", help="The person whom the records belong to.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and store nothing.")
@click.option(
    "--corrected",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of one refused file of methods: write it here as XLSX, with the wrong cells marked.",
)
@click.option(
    "--skip-bad", is_flag=True, help="Sequences: leave out records that are wrong and keep the others."
)
@click.option("--lmo", "lmos", multiple=True, help="Sequences: an LMO that all records are of.")
@click.option("--element", "elements", multiple=True, help="Sequences: an element that they are of or hold.")
@click.option("--method", "codes", multiple=True, help="Sequences: a method that they go with.")
@click.option("--source", default="", help="Sequences: where they come from.")
@JSON_OPTION
def import_files(
    kind: str,
    files: tuple[Path, ...],
    email: str | None,
    dry_run: bool,
    corrected: Path | None,
    skip_bad: bool,
    lmos: tuple[str, ...],
    elements: tuple[str, ...],
    codes: tuple[str, ...],
    source: str,
    as_json: bool,
) -> None:
    """Read records from FILES; each file is stored whole or not at all, save what --skip-bad leaves out."""
    if kind != "sequences" and (skip_bad or lmos or elements or codes or source):
        raise click.UsageError("--skip-bad, --lmo, --element, --method and --source go with sequences.")
    if corrected is not None and (kind != "methods" or len(files) != 1):
        raise click.UsageError("--corrected goes with one file of methods.")
    refused = False
    with hub():
        for path in files:
            report: ImportReport | None = None
            try:
                with _progress(path.name) as progress, transaction():
                    more: dict[str, object] = {"progress": progress} if kind == "methods" else {}
                    if kind == "sequences":
                        more = {
                            "skip_bad": skip_bad,
                            "details": sequences.Details(
                                lmos=lmos,
                                elements=elements,
                                methods=link_queries.checked_codes(operator(email), codes),
                                source=source,
                            ),
                        }
                    report = IMPORTS[kind](operator(email), path, dry_run=dry_run, **more)
                    if not dry_run:
                        report.raise_if_refused()
                        if kind in NAMED:
                            method_names.tidy_names()
            except Refusal as refusal:
                refused = True
                click.echo(f"labhub: {path.name}: {one_line(refusal)}", err=True)
                _write_corrected(report, corrected)
                continue
            if report.is_refused:
                refused = True
                _write_corrected(report, corrected)
            _print_report(report, as_json=as_json)
    if refused:
        raise click.exceptions.Exit(1)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how much of a work is done, of how much; nothing when piped."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(title), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _write_corrected(report: ImportReport | None, path: Path | None) -> None:
    if path is None or report is None or report.corrected is None:
        return
    path.write_bytes(report.corrected())
    click.echo(f"labhub: {path} is the file with the wrong cells marked.", err=True)


def _print_report(report: ImportReport, *, as_json: bool) -> None:
    rows = [
        {
            "row": row.row,
            "key": row.key,
            "outcome": row.outcome.value,
            "messages": "; ".join(
                [f"{name}: {text}" for name, texts in row.errors.items() for text in texts]
                + [str(text) for text in row.warnings]
            ),
        }
        for row in report.rows
    ]
    notes = [str(note) for note in report.notes]
    if as_json:
        click.echo(json.dumps({"file": report.file, "notes": notes, "rows": rows}, ensure_ascii=False))
        return
    for place, texts in report.errors.items():
        click.echo(f"{report.file}: {place}: {' '.join(str(text) for text in texts)}", err=True)
    for note in notes:
        click.echo(f"{report.file}: {note}", err=True)
    print_table(rows, as_json=False)
    counts: dict[str, int] = {}
    for row in report.rows:
        counts[row.outcome.value] = counts.get(row.outcome.value, 0) + 1
    click.echo(
        f"{report.file}: " + ", ".join(f"{number} {name}" for name, number in counts.items()), err=True
    )


Export = Callable[..., bytes]
"""Writes all records: (actor, format, published=…)."""

EXPORTS: dict[str, tuple[Sequence[str], Export]] = {
    "methods": (("json", "csv", "xlsx"), method_queries.export_methods),
    "lmos": (("json", "csv"), lmo_queries.export_lmos),
    "elements": (("json", "csv"), lmo_queries.export_elements),
    "matrix": (("json", "csv", "xlsx"), lmo_queries.export_matrix),
    "sequences": (("genbank", "fasta", "embl"), sequence_queries.export_sequences),
    "laboratories": (("json", "csv"), account_queries.export_laboratories),
    "parties": (("json", "csv"), account_queries.export_parties),
}


METHOD_DOCUMENTS = (
    "pdf", "zip", "rdml", "fasta", "order-sheet", "order-sheet-xlsx", "datacite", "bibtex", "ris"
)  # fmt: skip
"""What methods are written as besides what `import` reads."""
BINARY_DOCUMENTS = ("pdf", "zip", "rdml", "order-sheet-xlsx")


def _template(_actor: Actor, format_: str, *, published: bool) -> bytes:
    return template_of_methods(format_)


@cli.command("export")
@click.argument("kind", type=click.Choice(list(EXPORTS)))
@click.option(
    "--format",
    "format_",
    default="",
    help="json or csv; for methods also "
    + ", ".join(METHOD_DOCUMENTS)
    + "; for sequences genbank, fasta or embl.",
)
@click.option("--published", is_flag=True, help="Only what is published.")
@click.option("--template", is_flag=True, help="Methods: an empty csv or xlsx file to fill in.")
@click.option("--code", "codes", multiple=True, help="Only this method; may be given several times.")
@click.option(
    "--language",
    type=click.Choice(list(LANGUAGES)),
    default="en",
    help="Of PDF documents.",
    show_default=True,
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output."
)
def export(
    kind: str,
    format_: str,
    published: bool,
    template: bool,
    codes: tuple[str, ...],
    language: str,
    output: Path | None,
) -> None:
    """Write records in the formats that `import` reads, or methods as documents."""
    formats, write = EXPORTS[kind]
    if template:
        if kind != "methods" or (format_ or "xlsx") not in ("csv", "xlsx"):
            raise click.UsageError("--template writes methods as csv or xlsx.")
        formats, write = ("xlsx", "csv"), _template
    format_ = format_ or formats[0]
    if kind == "methods" and (format_ in METHOD_DOCUMENTS or (codes and format_ in formats)):
        export_documents(format_, published, codes, language, output)
        return
    if format_ not in formats:
        known = [*formats, *(METHOD_DOCUMENTS if kind == "methods" else ())]
        raise click.UsageError(f"{kind} can be written as {' or '.join(known)}.")
    if codes:
        raise click.UsageError("--code chooses among methods.")
    with hub():
        content = write(OPERATOR, format_, published=published)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


def export_documents(
    format_: str, published: bool, codes: tuple[str, ...], language: str, output: Path | None
) -> None:
    """Write methods as documents, with a progress bar on a terminal; a file appears when it is whole."""
    if output is None and format_ in BINARY_DOCUMENTS and sys.stdout.isatty():
        raise click.UsageError(f"Say where to write the {format_}: -o FILE.")

    @contextmanager
    def opened(volume: int, volumes: int) -> Iterator[BinaryIO]:
        if output is None:
            if volumes > 1:
                raise click.UsageError("This is more than one volume: say where to write them, with -o FILE.")
            with TemporaryFile() as whole:
                yield whole
                whole.seek(0)
                shutil.copyfileobj(whole, sys.stdout.buffer)
            return
        name = f"{output.stem}-{volume:0{len(str(volumes))}}{output.suffix}" if volumes > 1 else output.name
        with NamedTemporaryFile(dir=output.parent, prefix=".labhub-", delete=False) as part:
            try:
                yield cast(BinaryIO, part)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
        Path(part.name).chmod(0o644)
        Path(part.name).replace(output.with_name(name))

    with hub() as app, in_language(language):
        extensions = app.extensions
        place = method_downloads.Place(
            extensions["labhub.config"].base_url,
            extensions["labhub.store"],
            extensions["labhub.made_files"],
        )
        numbers = method_downloads.exported_numbers(OPERATOR, published=published, codes=codes)
        if not numbers:
            raise NotFound(_("No method fits: there is nothing to write."))
        with progress("Methods", len(numbers)) as done:
            method_downloads.export_methods(OPERATOR, numbers, format_, opened, place, done)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far long work has come, on a terminal only; call what is given with each step."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.advance(task, steps)


# Background genomes ---------------------------------------------------------------------------


@sequences_group.group("background")
def background_group() -> None:
    """Genomes that methods are searched in for products that nobody wants."""


@background_group.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Default: the name of the file.")
@click.option("--taxon", default="", help="Scientific or common name of the organism.")
@click.option("--source", default="", help="Where the file is from: accession, assembly, address.")
@click.option("--licence", default="", help="Under which it may be used.")
@click.option("--circular", is_flag=True, help="Every record is circular, as a chloroplast's.")
@JSON_OPTION
def add_background(
    file: Path, name: str | None, taxon: str, source: str, licence: str, circular: bool, as_json: bool
) -> None:
    """Pack FILE (FASTA of any size, gzipped too; small GenBank or EMBL) beside the database."""
    with hub() as app:
        folder = app.extensions["labhub.config"].backgrounds
        wished = backgrounds.check_name(name or backgrounds.name_of_file(file))
        db.session.rollback()  # nothing is held while the file is read
        with (
            _progress(file.name) as progress,
            backgrounds.packed_genome(folder, file, circular=circular, progress=progress) as packed,
            transaction(),
        ):
            added = backgrounds.add_genome(
                OPERATOR, packed, folder=folder, name=wished, taxon=taxon, source=source, licence=licence
            )
        for note in added.notes:
            click.echo(f"labhub: {note}", err=True)
        print_table([_background_row(added.genome)], as_json=as_json)


@background_group.command("list")
@JSON_OPTION
def list_backgrounds(as_json: bool) -> None:
    """List the background genomes."""
    with hub():
        print_table([_background_row(genome) for genome in background_queries.all_genomes()], as_json=as_json)


@background_group.command("remove")
@click.argument("name")
def remove_background(name: str) -> None:
    """Forget a genome with everything that was found in it, and delete its file."""
    with hub() as app, transaction():
        genome = background_queries.find_genome(name)
        removed = genome.name
        backgrounds.remove_genome(OPERATOR, genome, folder=app.extensions["labhub.config"].backgrounds)
    click.echo(f"Removed {removed}.")


@background_group.command("verify")
@click.argument("names", nargs=-1)
@JSON_OPTION
def verify_backgrounds(names: tuple[str, ...], as_json: bool) -> None:
    """Read the files of genomes (default: of all) whole; one that has changed is not used any more."""
    rows = []
    with hub() as app:
        folder = app.extensions["labhub.config"].backgrounds
        genomes = [background_queries.find_genome(name) for name in names]
        for genome in genomes or background_queries.all_genomes():
            problem = background_queries.file_problem(genome, folder)
            with transaction():
                backgrounds.note_check(OPERATOR, background_queries.find_genome(genome.slug), problem)
                method_backgrounds.forgive(genome.id)
            rows.append({"name": genome.name, "digest": genome.digest, "problem": problem})
    print_table(rows, as_json=as_json)
    if any(row["problem"] for row in rows):
        raise click.exceptions.Exit(1)


def libraries_of_backgrounds(names: Sequence[str]) -> list[PackedLibrary]:
    """Return the bases of background genomes by their names, for a search; each file is verified first."""
    with hub() as app:
        folder = app.extensions["labhub.config"].backgrounds
        genomes = [background_queries.find_genome(name) for name in dict.fromkeys(names)]
        return [background_queries.genome_library(genome, folder) for genome in genomes]


def _background_row(genome: BackgroundGenome) -> dict[str, Any]:
    return {
        "name": genome.name,
        "slug": genome.slug,
        "taxon": genome.taxon,
        "records": genome.record_count,
        "circular_records": genome.circular_count,
        "bases": genome.base_count,
        "source": genome.source,
        "licence": genome.licence,
        "file_bytes": genome.file_bytes,
        "digest": genome.digest,
        "added_at": genome.added_at.isoformat(),
        "problem": genome.problem,
    }


# Counts ---------------------------------------------------------------------------------------


@cli.command("indicators")
@click.option("--year", type=click.IntRange(2000, 2100))
@click.option("--from", "from_", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--to", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--by", type=click.Choice(["party", "region", "group", "year", "quarter"]))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv", "xlsx"]),
    default="table",
    show_default=True,
)
@JSON_OPTION
def show_indicators(
    year: int | None, from_: Any, to: Any, by: str | None, format_: str, as_json: bool
) -> None:
    """Print the indicator figures."""
    if year and (from_ or to):
        raise click.UsageError("Give either --year or --from and --to.")
    with hub() as app:
        rows = indicator_queries.indicator_table(
            year=year,
            from_on=from_.date() if from_ else None,
            to_on=to.date() if to else None,
            by=by,
            gap=app.extensions["labhub.usage_spool"].gap(),
        )
    if as_json or format_ == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, default=str))
    elif format_ == "csv":
        click.echo(indicator_queries.table_csv(rows), nl=False)
    elif format_ == "xlsx":
        sys.stdout.buffer.write(indicator_queries.table_book(rows))
    else:
        flat = [
            {
                key: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
                for key, value in row.items()
            }
            for row in rows
        ]
        print_table(flat, as_json=False)


@cli.group("usage")
def usage_group() -> None:
    """The ledger of downloads."""


@usage_group.command("rebuild")
@JSON_OPTION
def usage_rebuild(as_json: bool) -> None:
    """Replay rows that waited in the spool file and count the ledger again."""
    with hub() as app:
        replayed = usage.replay_spool(app.extensions["labhub.usage_spool"])
        figures = usage_queries.ledger_counts()
    print_table([{"replayed": replayed, **figures}], as_json=as_json)


# Safety ---------------------------------------------------------------------------------------


@cli.group("specificity")
def specificity_group() -> None:
    """Which method finds which sequence in silico."""


@specificity_group.command("refresh")
@click.option(
    "--all", "whole", is_flag=True, help="Compute every pair anew, not only what is new or changed."
)
@click.option("--json", "as_json", is_flag=True)
def refresh_specificity(whole: bool, as_json: bool) -> None:
    """Compute what is new or changed now, and tell the owners; the hub does so by itself each minute."""
    with hub():
        done = specificity_work.work(whole=whole)
    if done.busy:
        raise Conflict(_("Another process is computing it at this moment. Repeat the command later."))
    print_table([done.counts()], as_json=as_json)


@cli.command("doctor")
@click.option("--fix", is_flag=True, help="Mend what cannot lose anything.")
@JSON_OPTION
def run_doctor(fix: bool, as_json: bool) -> None:
    """Look whether database, files and audit trail are whole."""
    with hub() as app:
        diagnosis = doctor.examine(
            app.extensions["labhub.config"],
            app.extensions["labhub.store"],
            app.extensions["labhub.incoming"],
            fix=fix,
        )
        method_index.examine(diagnosis, fix=fix)
        diagnosis.problems.extend(work_queries.fault_lines())
        sequence_library.examine_library(diagnosis, fix=fix)
        backgrounds.examine(diagnosis, app.extensions["labhub.config"].backgrounds, fix=fix)
        method_backgrounds.examine(diagnosis)
    if as_json:
        click.echo(json.dumps(asdict(diagnosis)))
    else:
        for name, number in diagnosis.checked.items():
            click.echo(f"{name}: {number}")
        for line in diagnosis.mended:
            click.echo(line)
    for line in diagnosis.problems:
        click.echo(line, err=True)
    if diagnosis.problems:
        raise click.exceptions.Exit(1)


@cli.group("audit")
def audit_group() -> None:
    """The tamper-evident trail."""


@audit_group.command("verify")
@JSON_OPTION
def audit_verify(as_json: bool) -> None:
    """Read the whole chain and compare it with the heads exported outside the database."""
    with hub() as app:
        result = audit.verify(app.extensions["labhub.config"].instance)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    if result.problem:
        click.echo(f"labhub: {result.problem}", err=True)
        raise click.exceptions.Exit(1)
    if not as_json:
        click.echo(f"{result.entries} entries, {result.heads} exported heads: the trail is whole.")
