"""From what somebody sends to the question of an identification, and the table of its result."""

from collections.abc import Mapping
from typing import Any

from flask import request

from labhub.cells import neutralise
from labhub.errors import Invalid, TooLarge
from labhub.file_kinds import display_name
from labhub.i18n import _
from labhub.sequences.identify import Settings
from labhub.sequences.identify_queries import Question
from labhub.sequences.reads import read_reads, read_text

MOST_SENT = 16 << 20
"""Bytes of a file that is sent."""
MOST_UNPACKED = 128 << 20
SETTINGS = ("least_identity", "within", "most_hits", "unexplained_bases")


def question_of_text(text: str, given: Mapping[str, Any], field: str) -> Question:
    """Return the question about a text; raises ``Invalid`` naming bad reads unless they may be skipped."""
    if not text.strip():
        raise Invalid(_("Send reads: paste them, or choose a file."), field=field)
    if len(text) > MOST_SENT:
        raise TooLarge(_("A file of reads may have %(most)s MiB.", most=MOST_SENT >> 20), field=field)
    found = read_text(text, trim_error=given["trim_error"], skip_bad=given["skip_bad"], field_name=field)
    return Question.of_reads(found, _settings(given), given["junction_bases"])


def question_of_file(given: Mapping[str, Any]) -> Question:
    """Return the question about the file of a multipart request, which is read here and not kept."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise Invalid(_("Choose a file to send."), field="file")
    size = sent.stream.seek(0, 2)
    if size > MOST_SENT:
        raise TooLarge(_("A file of reads may have %(most)s MiB.", most=MOST_SENT >> 20), field="file")
    sent.stream.seek(0)
    found = read_reads(
        sent.stream,  # type: ignore[arg-type]
        name=display_name(sent.filename),
        trim_error=given["trim_error"],
        skip_bad=given["skip_bad"],
        most_bytes=MOST_UNPACKED,
        field_name="file",
    )
    sent.stream.seek(0)  # ``once`` compares the whole request
    return Question.of_reads(found, _settings(given), given["junction_bases"])


def has_file() -> bool:
    """Whether the request brings a file."""
    sent = request.files.get("file")
    return sent is not None and bool(sent.filename)


def _settings(given: Mapping[str, Any]) -> Settings:
    return Settings(**{name: given[name] for name in SETTINGS})


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
"""The columns of ``labhub identify`` (``contract.md``)."""


def tsv_of(result: Mapping[str, Any]) -> str:
    """Return references of reads as the table that ``labhub identify`` writes; no name runs as a formula."""
    lines = ["\t".join(COLUMNS)]
    for read in result["reads"]:
        for hit in sorted(
            (*read["hits"], *read["pieces"]), key=lambda hit: -round(hit["identity"] * hit["coverage"], 6)
        ):
            cells = [
                neutralise(read["name"]),
                neutralise(hit["reference"]),
                f"{hit['identity']:.4f}",
                f"{hit['coverage']:.4f}",
                *(str(hit[name]) for name in COLUMNS[4:]),
            ]
            lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"
