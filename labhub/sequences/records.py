"""A record as the hub hands it out: under the hub's accession, with where it comes from beside it."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from labhub.i18n import N_, Message, Text, _
from labhub.sequences.formats import ParsedRecord, refget_digest, to_embl, to_fasta, to_genbank

MOLECULE_TYPES = (
    *("DNA", "ds-DNA", "ss-DNA", "RNA", "ds-RNA", "ss-RNA"),
    *("mRNA", "tRNA", "rRNA", "cRNA", "ncRNA", "snRNA", "snoRNA"),
)
"""The molecules that the first line of a GenBank file can name."""

COMMENT_CHARACTERS = 66
"""Letters of a comment on one line of a flat file, which has 80 columns."""


class DownloadFormat(StrEnum):
    """The formats that a record is handed out in."""

    GENBANK = "genbank"
    FASTA = "fasta"
    EMBL = "embl"

    @property
    def extension(self) -> str:
        """How the name of such a file ends."""
        return {"genbank": "gb", "fasta": "fasta", "embl": "embl"}[self.value]


FORMAT_NAMES: dict[DownloadFormat, str] = {
    DownloadFormat.GENBANK: N_("GenBank"),
    DownloadFormat.FASTA: N_("FASTA"),
    DownloadFormat.EMBL: N_("EMBL"),
}


def written(record: ParsedRecord, form: DownloadFormat, remarks: Sequence[str] = ()) -> str:
    """Return one record as a file; ``remarks`` and the refget digest stand in its comment.

    FASTA has no comment: there the digest ends the header.

    >>> plain = ParsedRecord("LHS-1", "", "LHS-1", "A part", "linear", "DNA", "", (), "ACGT")
    >>> print(written(plain, DownloadFormat.FASTA), end="")
    >LHS-1 A part SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2
    ACGT
    """
    digest = refget_digest(record.bases)
    if form is DownloadFormat.FASTA:
        words = " ".join(f"{record.description} {' '.join(remarks)} {digest}".split())
        return to_fasta([replace(record, description=words)])
    comments = [*remarks, f"refget {digest}"]
    if form is DownloadFormat.GENBANK:
        return _with_comment(to_genbank([record]), "\nFEATURES ", "COMMENT     ", " " * 12, comments)
    return _with_comment(to_embl([record]), "\nFH   Key", "CC   ", "CC   ", comments)


def _with_comment(text: str, before: str, first: str, further: str, comments: Sequence[str]) -> str:
    """Put comment lines before the feature table; Biopython's writers end them in none of our readers."""
    lines = [line for comment in comments for line in _wrapped(comment)]
    block = "\n".join((further if number else first) + line for number, line in enumerate(lines))
    head, found, rest = text.partition(before)
    if not found:
        raise ValueError("the writer gave no feature table")
    return f"{head}\n{block}{found}{rest}"


def _wrapped(comment: str) -> list[str]:
    """Return the words of a comment on lines of at most 66 letters; a longer word is broken."""
    lines, line = [], ""
    for word in comment.split():
        while len(word) > COMMENT_CHARACTERS:
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:COMMENT_CHARACTERS])
            word = word[COMMENT_CHARACTERS:]
        if line and len(line) + 1 + len(word) > COMMENT_CHARACTERS:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def stored_message(message: Message) -> dict[str, Any]:
    """Return a remark of the reader as JSON, so that each person later reads it in their own language."""
    values = {key: value if isinstance(value, int) else str(value) for key, value in message.params.items()}
    return {"text": message.msgid, "values": values}


def shown_message(stored: dict[str, Any]) -> Text:
    """Return a stored remark as a message again."""
    return _(str(stored["text"]), **stored["values"])
