"""Methods on their way out, for pages and programs alike: one way, and one use for each method."""

from typing import Any

from flask import Response, current_app

from labhub.i18n import Text, _
from labhub.methods import download_queries, metadata
from labhub.methods.download_queries import Download, Place
from labhub.methods.models import MethodVersion
from labhub.web.auth import current_actor
from labhub.web.downloads import Item, deliver

TITLES: dict[str, tuple[Text, Text]] = {
    "pdf": (_("Page of the compendium (PDF)"), _("To read and print.")),
    "zip": (
        _("Pack (ZIP)"),
        _("Everything in one file, with the files shown here, checksums, licences and citation."),
    ),
    "xlsx": (_("Workbook (XLSX)"), _("To read, change and import again.")),
    "csv": (_("Table (CSV)"), _("To read, change and import again.")),
    "json": (_("Record (JSON)"), _("For programs; it can be imported again.")),
    "rdml": (
        _("Assay (RDML)"),
        _("For the software of instruments: targets, oligos and dyes, without runs."),
    ),
    "fasta": (_("Primers and probes (FASTA)"), _("Their sequences alone.")),
    "order-sheet": (
        _("Order sheet of the oligos (CSV)"),
        _("For the synthesis company: sequences, labels, weight and melting temperature."),
    ),
    "order-sheet-xlsx": (_("Order sheet of the oligos (XLSX)"), _("The same as a workbook.")),
}
"""Formats in the order of a page: title and what it is for."""
TOGETHER_TITLES: tuple[tuple[str, Text], ...] = (
    ("pdf", _("Compendium (PDF)")),
    ("zip", _("Pack (ZIP)")),
    ("xlsx", _("Workbook (XLSX)")),
    ("csv", _("Table (CSV)")),
    ("json", _("Records (JSON)")),
    ("rdml", _("Assays (RDML)")),
    ("fasta", _("Primers and probes (FASTA)")),
    ("order-sheet", _("Order sheet of the oligos (CSV)")),
    ("order-sheet-xlsx", _("Order sheet of the oligos (XLSX)")),
    ("datacite", _("Metadata (DataCite)")),
)
"""Formats of what a list shows."""


def together() -> list[tuple[str, Text]]:
    """Return the formats of several methods with their titles."""
    return [(name, title) for name, title in TOGETHER_TITLES if name in download_queries.TOGETHER]


def panel(version: MethodVersion) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the page of a version shows of downloads and citation, and the headers that go with it."""
    (edition,) = download_queries.editions_of(current_actor(), [version], place().base)
    known = [name for name in TITLES if name in download_queries.FORMATS]
    if not edition.is_published:
        known = [name for name in known if name not in download_queries.CITED]
    shown = {
        "downloads": [(name, *TITLES[name]) for name in metadata.offered(edition.record, known)],
        "citation": metadata.citation(edition),
        "json_ld": metadata.schema_org(edition),
    }
    links = metadata.link_header(edition)
    return shown, {"Link": links} if links else {}


def place() -> Place:
    """Return where documents are made and files are kept."""
    extensions = current_app.extensions
    return Place(
        extensions["labhub.config"].base_url, extensions["labhub.store"], extensions["labhub.made_files"]
    )


def one(version: MethodVersion, format_: str) -> Response:
    """Answer with a version in a format."""
    return _hand_out(download_queries.version_as_file(current_actor(), version, format_, place()))


def several(given: dict[str, Any], format_: str) -> Response:
    """Answer with the published methods that arguments name or filter, as one file."""
    filters = {name: value for name, value in given.items() if name not in ("lang", "format", "code")}
    return _hand_out(
        download_queries.versions_as_file(current_actor(), given["code"], filters, format_, place())
    )


def _hand_out(download: Download) -> Response:
    items = [Item(**item) for item in download.items]
    return deliver(items, download.source, **download.headers)
