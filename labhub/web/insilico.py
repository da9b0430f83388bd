"""From what somebody asks (page or program) to the question of an in-silico PCR: methods become assays."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

from labhub.accounts.actor import Actor
from labhub.accounts.policy import require
from labhub.cells import neutralise
from labhub.errors import Invalid, NotFound
from labhub.file_kinds import FileKind
from labhub.i18n import _
from labhub.methods.assay_queries import MethodAssays, assays_of_methods, published_assays
from labhub.names import clean_name
from labhub.sequences.formats import ParsedRecord, read_records
from labhub.sequences.insilico_queries import (
    MOST_ASSAYS,
    MOST_UPLOADED_BASES,
    Asked,
    Question,
    checked_accessions,
    settings_for,
)
from labhub.sequences.melting import Conditions

REFERENCE_KINDS = (FileKind.FASTA, FileKind.GENBANK, FileKind.EMBL)
SETTINGS = (
    "max_mismatches",
    "three_prime_exact",
    "min_size",
    "max_size",
    "probe_mismatches",
    "self_products",
)
Records = tuple[tuple[str, str, bool], ...]


def question_of(actor: Actor, given: Mapping[str, Any], records: Records | None = None) -> Question:
    """Return the question of a request; raises ``Invalid`` naming the field that is wrong."""
    require(actor, "insilico.run")
    asked = [
        Asked(
            name=_name(assay["name"], place),
            forward=assay["forward"],
            reverse=assay["reverse"],
            probe=assay["probe"],
        )
        for place, assay in enumerate(given["assays"], start=1)
    ]
    methods = _methods(actor, given)
    asked += [
        Asked(
            each.assay.name,
            each.assay.forward,
            each.assay.reverse,
            each.assay.probe,
            each.code,
            each.version,
            *each.nanomolar,
        )
        for each in methods.assays
    ]
    if not asked and not methods.not_searched:
        raise Invalid(_("Name a method, or type the primers of an assay."), field="assays")
    if len(asked) > MOST_ASSAYS:
        raise Invalid(_("Search at most %(most)s assays at a time.", most=MOST_ASSAYS), field="assays")
    if given["reference_text"].strip():
        if records is not None:
            raise Invalid(_("Send a file or a text, not both."), field="reference_text")
        records = records_of_text(given["reference_text"])
    if records is not None and given["references"]:
        raise Invalid(_("Choose records of the hub, or bring your own: not both."), field="references")
    return Question(
        assays=tuple(_distinct(asked)),
        settings=settings_for(len(asked), **{name: given[name] for name in SETTINGS}),
        accessions=checked_accessions(actor, given["references"]),
        records=records,
        conditions=_conditions(given),
        not_searched=tuple(methods.not_searched),
    )


CONDITIONS = ("sodium_millimolar", "magnesium_millimolar", "dntp_millimolar", "oligo_nanomolar")


def _conditions(given: Mapping[str, Any]) -> Conditions | None:
    """Return what melting temperatures are computed for, where they are asked for."""
    if not given["melting"]:
        return None
    conditions = Conditions(**{name: given[name] for name in CONDITIONS})
    conditions.check()
    return conditions


def _name(text: str, place: int) -> str:
    if not text.strip():
        return f"assay {place}"
    return clean_name(text, field=f"assays.{place - 1}.name", longest=200)


def _methods(actor: Actor, given: Mapping[str, Any]) -> MethodAssays:
    try:
        found = assays_of_methods(actor, given["methods"])
    except NotFound as refusal:
        raise Invalid(refusal.message, field="methods") from refusal
    if not given["all_methods"]:
        return found
    chosen = {each.code for each in found.assays} | {code for code, _reason in found.not_searched}
    every = published_assays()
    found.assays += [each for each in every.assays if each.code not in chosen]
    found.not_searched += [each for each in every.not_searched if each[0] not in chosen]
    return found


def _distinct(asked: Iterable[Asked]) -> Iterable[Asked]:
    """Give each assay a name of its own, since products are told by it."""
    taken: set[str] = set()
    for each in asked:
        name, number = each.name, 1
        while name in taken:
            number += 1
            name = f"{each.name} ({number})"
        taken.add(name)
        yield each if name == each.name else replace(each, name=name)


_BARE = re.compile(r"[A-Za-z\s*.-]+\Z")


def records_of_text(text: str) -> Records:
    """Return the records of a pasted text: FASTA, GenBank or EMBL by its first word, else bare bases."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("LOCUS"):
        kind = FileKind.GENBANK
    elif start.startswith("ID "):
        kind = FileKind.EMBL
    else:
        kind = FileKind.FASTA
        if not start.startswith((">", ";")) and _BARE.match(start[:2000]):
            start = ">sequence\n" + "".join(start.split())
    return checked_records(
        read_records(BytesIO(start.encode("utf-8", "replace")), kind, bases_only=True), "reference_text"
    )


def checked_records(records: Sequence[ParsedRecord], field: str) -> Records:
    """Return records as a search takes them; names are made to differ."""
    total = sum(len(record.bases) for record in records)
    if total > MOST_UPLOADED_BASES:
        raise Invalid(
            _(
                "The sequences have %(total)s bases; at most %(most)s are searched here.",
                total=total,
                most=MOST_UPLOADED_BASES,
            ),
            field=field,
        )
    taken: dict[str, int] = {}
    found = []
    for record in records:
        name = record.identifier[:200]
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            name = f"{name} ({taken[name]})"
        found.append((name, record.bases, record.topology == "circular"))
    return tuple(found)


COLUMNS = (
    "assay",
    "reference",
    "start",
    "end",
    "size",
    "strand",
    "mm_f",
    "mm_r",
    "probe_mm",
    "wraps",
    "tm_f",
    "tm_r",
)
"""The columns of ``labhub insilico`` (``contract.md``)."""
SELF_COLUMN = "pair"
"""The column that is added with self products."""


def tsv_of(result: Mapping[str, Any]) -> str:
    """Return products as the table that ``labhub insilico`` writes; no name can be run as a formula."""
    columns = [*COLUMNS, SELF_COLUMN] if result["settings"]["self_products"] else list(COLUMNS)
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell(name, row.get(name)) for name in columns) for row in result["products"]]
    return "\n".join(lines) + "\n"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return neutralise(value) if name in ("assay", "reference") else str(value)
