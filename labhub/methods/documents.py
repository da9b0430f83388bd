"""PDF pages of methods, and the whole compendium with contents and index.

This module says what stands on the pages; ``compendium.typ`` beside it lays it out. Records reach the
layout as JSON and are shown as text, never read as markup. The same versions give the same bytes: nothing
here asks for the time, and only the fonts of ``labhub/fonts`` are used.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from labhub.i18n import RIGHT_TO_LEFT, Text, _, current_language, in_language
from labhub.lmos.unique_identifier import display
from labhub.methods.criteria import VERDICT_NAMES, Finding, limit_text
from labhub.methods.metadata import NETWORK, PUBLISHER, Edition, citation_words, licence_of
from labhub.methods.models import (
    ASSAY_FORMAT_NAMES,
    FILE_ROLE_NAMES,
    OLIGO_ROLE_NAMES,
    ORIGIN_NAMES,
    RIGHT_NAMES,
    SPECIFICITY_NAMES,
    STATE_NAMES,
    STUDY_KIND_NAMES,
    TECHNIQUE_NAMES,
    Specificity,
)
from labhub.methods.typesetting import typeset

MOST_METHODS: Final = 250
"""Methods in one PDF: layout takes about 20 ms and 3.5 MB each."""
LONGEST_WORD = 36
"""A run of characters without a blank that is longer may be broken anywhere."""
OLIGO_LINE = 36
AMPLICON_LINE = 60
AMPLICON_GROUP = 10

Piece = dict[str, Any]
Block = dict[str, Any]
Names = Mapping[Any, str]

# Pieces of text ------------------------------------------------------------------------------


def _is_right_to_left(text: str) -> bool:
    """Say whether the first letter that has a direction runs from right to left; numbers have none.

    >>> _is_right_to_left("5' مجس"), _is_right_to_left("12 MON810 مجس"), _is_right_to_left("58 / 60")
    (True, False, False)
    """
    for sign in text:
        kind = unicodedata.bidirectional(sign)
        if kind in ("R", "AL"):
            return True
        if kind == "L":
            return False
    return False


_NUMBER_INSIDE = re.compile(r"(?<![\w.])-?[0-9][0-9.:/–-]*")
LEFT_TO_RIGHT_MARK: Final = "\u200e"


def _numbers_kept(text: str) -> str:
    """Return a text from right to left in which dates and negative numbers keep their order."""
    return _NUMBER_INSIDE.sub(lambda number: LEFT_TO_RIGHT_MARK + number[0], text)


def _breakable(text: str) -> str:
    """Return a text whose very long words may be broken.

    >>> _breakable("x" * 40).count("\u200b"), _breakable("short words").count("\u200b")
    (4, 0)
    """
    return re.sub(
        rf"\S{{{LONGEST_WORD},}}",
        lambda word: "\u200b".join(word[0][at : at + 9] for at in range(0, len(word[0]), 9)),
        text,
    )


def _piece(text: Text, style: str = "plain", **more: str) -> Piece:
    words = str(text)
    rtl = _is_right_to_left(words) if style not in ("bases", "code", "english") else False
    if style not in ("bases", "code", "link"):
        words = _breakable(words)
    if rtl:
        words = _numbers_kept(words)
    return {"text": words, "style": style, "rtl": rtl, "language": "ar" if rtl else "en", **more}


def _missing() -> Piece:
    return _piece(_("not reported"), "missing")


def _value(value: Any, style: str = "plain") -> list[Piece]:
    """Return a value as pieces, one a paragraph; what is not known says so."""
    if value is None or value == "" or value == []:
        return [_missing()]
    if isinstance(value, bool):
        return [_piece(_("yes") if value else _("no"))]
    if isinstance(value, (list, tuple)):
        return [_piece(str(each), style) for each in value]
    if isinstance(value, (int, float)):
        return [_piece(_number(value), style)]
    return [_piece(line, style) for line in str(value).split("\n") if line.strip()]


def _number(value: float) -> str:
    """Return a number as it is written by hand.

    >>> _number(300), _number(0.045), _number(12.340000000001), _number(1e-7)
    ('300', '0.045', '12.34', '0.0000001')
    """
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return text if text not in ("0", "-0") else f"{value:g}"


def _heading(text: Text) -> Block:
    return {"kind": "heading", "text": str(text)}


def _fields(*rows: tuple[Text, list[Piece]]) -> Block:
    return {"kind": "fields", "rows": [[str(label), value] for label, value in rows]}


def _told(*rows: tuple[Text, list[Piece]]) -> Block:
    """Return fields with what is known; what is not reported is named together in the last of them."""
    told = [row for row in rows if row[1] != [_missing()]]
    silent = [str(label) for label, pieces in rows if pieces == [_missing()]]
    if silent:
        told.append((_("Not reported"), [_piece("; ".join(silent), "missing")]))
    return _fields(*told)


def _table(columns: Sequence[tuple[Text, Any]], rows: list[list[list[Piece]]]) -> Block:
    heads = [{"head": str(head), "width": width} for head, width in columns]
    return {"kind": "table", "columns": heads, "rows": rows}


def _paragraphs(text: str, style: str = "plain") -> Block:
    return {"kind": "text", "value": _value(text, style)}


# One method ----------------------------------------------------------------------------------


def _names(names: Mapping[Any, str]) -> dict[str, str]:
    return {key.value: str(_(text)) for key, text in names.items()}


def page_of(edition: Edition, key: str) -> dict[str, Any]:
    """Return what stands on the pages of one version, in the present language."""
    record, facts = edition.record, edition.facts
    technique = _names(TECHNIQUE_NAMES)[record["technique"]]
    badges = [
        _names(SPECIFICITY_NAMES)[record["specificity"]],
        technique,
        str(_("quantitative") if record["quantitative"] else _("qualitative")),
    ]
    if record["origin"]:
        badges.append(_names(ORIGIN_NAMES)[record["origin"]])
    blocks: list[Block] = []
    for make in PARTS:
        blocks += make(edition)
    return {
        "key": key,
        "code": edition.code,
        "version": str(_("version %(number)s", number=edition.number)),
        "state": _names(STATE_NAMES)[facts["state"]],
        "seal": edition.seal,
        "address": edition.address,
        "title": _piece(record["title"]),
        "badges": badges,
        "blocks": blocks,
        "part": None,
    }


def _warning(edition: Edition) -> list[Block]:
    facts = edition.facts
    if facts["state"] == "withdrawn":
        day = str(facts.get("withdrawn_at") or "")[:10]
        lines = [
            _piece(
                _("This version was withdrawn on %(day)s. Do not use it for new work.", day=day), "strong"
            ),
            *_value(facts.get("withdrawal_reason")),
        ]
    elif facts["state"] == "superseded":
        lines = [_piece(_("A newer version replaces this one."), "strong")]
    elif not edition.is_published:
        lines = [_piece(_("This version is not published. It may change and cannot be cited."), "strong")]
    else:
        return []
    return [{"kind": "warning", "value": lines}]


def _glance(edition: Edition) -> list[Block]:
    record = edition.record
    taxon = record["taxon"] or {}
    common = taxon.get("common") or ""
    names = _value(common) if common else []
    if taxon.get("scientific"):
        names = [_piece(taxon["scientific"], "taxon", after=f" ({common})" if common else "")]
    rows: list[tuple[Text, list[Piece]]] = [
        (_("Target"), _value(record["target"])),
    ]
    if [text for text in record["targets"] if text != record["target"]]:
        rows.append((_("Targets"), _value(", ".join(record["targets"]))))
    identifiers = [display(text) for text in record["lmo_unique_identifiers"]]
    rows.append((_("Unique identifiers"), _value(", ".join(identifiers))))
    rows.append((_("Taxon"), names or [_missing()]))
    rows.append((_("Chemistry"), _value(record["chemistry"])))
    if record.get("assay_format"):
        rows.append((_("Format of the assay"), _value(_names(ASSAY_FORMAT_NAMES)[record["assay_format"]])))
    if record.get("multiplex") is not None:
        rows.append((_("Several targets in one reaction"), _value(record["multiplex"])))
    for key, label in (
        ("analyte", _("Protein detected")),
        ("antibodies", _("Antibodies")),
        ("instrument", _("Instrument")),
    ):
        if record.get(key) or (key != "instrument" and record["technique"] == "protein"):
            rows.append((label, _value(record.get(key))))
    rows.append((_("Standard"), _value(record["standardisation"])))
    laboratory: Text = edition.laboratory or _("none: compiled from public sources")
    rows.append((_("Laboratory"), _value(str(laboratory))))
    rows.append((_("Licence"), _licence(record)))
    rights = [_names(RIGHT_NAMES)[right] for right in record.get("rights") or ()]
    rows.append((_("Rights of use"), _value(rights)))
    if record.get("rights_note"):
        rows.append((_("Note on the rights"), _value(record["rights_note"])))
    if edition.published_on:
        rows.append((_("Published"), _value(edition.published_on)))
    if record["source_code"] and record["source_code"] != edition.code:
        rows.append((_("Name at the source"), _value(record["source_code"])))
    if record["same_oligos_as"]:
        rows.append((_("Same oligos as"), _value(", ".join(record["same_oligos_as"]))))
    if not edition.facts["files"]:
        compiled = _("No files: this record was compiled from public sources.")
        rows.append((_("Files"), _value(str(compiled if record["origin"] == "compiled" else _("No files.")))))
    if edition.facts.get("change_note"):
        rows.append((_("What changed in this version"), _value(edition.facts["change_note"])))
    return [_told(*rows)]


def _licence(record: Mapping[str, Any]) -> list[Piece]:
    text, _spdx, address = licence_of(record)
    if not text:
        return [_missing()]
    return [_piece(text, "link", href=address)] if address else _value(text)


def _labels(oligo: Mapping[str, Any]) -> list[Piece]:
    found = [f"5' {oligo['label5']}"] if oligo["label5"] else []
    found += [
        str(_("%(name)s after base %(place)s", name=each["name"], place=each["after_base"]))
        for each in oligo["modifications"]
    ]
    found += [f"3' {oligo['label3']}"] if oligo["label3"] else []
    return [_piece(text, "small") for text in found] or [_piece(_("not reported"), "missing")]


def _oligos(edition: Edition) -> list[Block]:
    record = edition.record
    if not record["oligos"] and record["technique"] in ("protein", "sequencing"):
        return []
    roles = _names(OLIGO_ROLE_NAMES)
    blocks: list[Block] = [_heading(_("Primers and probes"))]
    if not record["oligos"]:
        return [*blocks, {"kind": "text", "value": [_missing()]}]
    sets: list[Mapping[str, Any]] = [{"name": "", "target": None, **_amplicon_of(record)}]
    sets += record.get("oligo_sets") or []
    for each in sets:
        oligos = [oligo for oligo in record["oligos"] if (oligo.get("set") or "") == each["name"]]
        if not oligos and not each["name"]:
            continue
        if len(sets) > 1:
            blocks.append({"kind": "subheading", "text": _set_name(each)})
        blocks.append(
            _table(
                (
                    (_("Role"), "auto"),
                    (_("Name"), 2),
                    (_("Sequence, 5' to 3'"), 4),
                    (_("Labels and modifications"), 2),
                    (_("nmol/L"), "auto"),
                ),
                [
                    [
                        _value(roles[oligo["role"]]),
                        _value(oligo["name"] or None),
                        [_piece(oligo_lines(oligo["sequence"]), "bases")],
                        _labels(oligo),
                        _value(oligo["final_concentration_nanomolar"]),
                    ]
                    for oligo in oligos
                ],
            )
        )
        blocks += _amplicon(each, inside=len(sets) > 1)
    return blocks


def _amplicon_of(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("amplicon_bp", "amplicon", "amplicon_accession")}


def _set_name(each: Mapping[str, Any]) -> str:
    if not each["name"]:
        return str(_("First oligo set"))
    if each["target"]:
        return str(_("Oligo set %(name)s: %(target)s", name=each["name"], target=each["target"]))
    return str(_("Oligo set %(name)s", name=each["name"]))


def _amplicon(each: Mapping[str, Any], *, inside: bool) -> list[Block]:
    length: Text | None = None
    if each["amplicon_bp"]:
        length = _("%(number)s bp", number=each["amplicon_bp"])
    rows = [(_("Length of the amplicon"), _value(str(length) if length else None))]
    if each["amplicon_accession"]:
        rows.append((_("Accession number"), _value(each["amplicon_accession"])))
    if not each["amplicon"]:
        rows.append((_("Sequence of the amplicon"), [_missing()]))
    blocks: list[Block] = [] if inside else [_heading(_("Amplicon"))]
    blocks.append(_fields(*rows))
    if each["amplicon"]:
        blocks.append({"kind": "bases", "lines": sequence_lines(each["amplicon"])})
        if "N" in each["amplicon"]:
            note = _("N stands for bases that are not known or not printed at the source.")
            blocks.append(_paragraphs(str(note), "small"))
    return blocks


def oligo_lines(bases: str) -> str:
    """Return the bases of an oligo in lines that fit a column, without blanks between them.

    >>> oligo_lines("ACGT" * 11)
    'ACGTACGTACGTACGTACGTACGTACGTACGTACGT\\nACGTACGT'
    """
    return "\n".join(bases[at : at + OLIGO_LINE] for at in range(0, len(bases), OLIGO_LINE))


def sequence_lines(bases: str) -> list[list[str]]:
    """Return a sequence in lines of 60 bases in groups of ten, each with the number of its first base.

    >>> sequence_lines("ACGTACGTACGTA")
    [['1', 'ACGTACGTAC GTA']]
    """
    lines = []
    for at in range(0, len(bases), AMPLICON_LINE):
        line = bases[at : at + AMPLICON_LINE]
        groups = (line[place : place + AMPLICON_GROUP] for place in range(0, len(line), AMPLICON_GROUP))
        lines.append([str(at + 1), " ".join(groups)])
    return lines


def _reaction(edition: Edition) -> list[Block]:
    record = edition.record
    gene = record["reference_gene"] or {}
    rows: list[tuple[Text, list[Piece]]] = [
        (_("Volume, µL"), _value(record["reaction_microlitre"])),
        (_("DNA in one reaction, ng"), _value(record["template_nanogram"])),
        (_("Temperature programme"), _value(record["thermal_profile"])),
        (_("Reagents"), _value(record["reagents"])),
        (_("Reference gene"), _value([gene[key] for key in ("gene", "source") if gene.get(key)])),
        (_("Reference method"), _value(record["reference_method"])),
        (_("Calibrant or reference material"), _value(record["calibrant"])),
        (_("Matrices"), _value(", ".join(record["matrices"]))),
    ]
    if record["target_copies_per_haploid_genome"]:
        rows.append(
            (
                _("Copies of the target in a haploid genome"),
                _value(record["target_copies_per_haploid_genome"]),
            )
        )
    if record["technique"] == "protein":
        rows = [row for row in rows if row[1] != [_missing()]]
    return [_heading(_("Reaction")), _told(*rows)] if rows else []


def _materials(edition: Edition) -> list[Block]:
    materials = edition.record.get("reference_materials") or []
    if not materials:
        return []
    rows = []
    for each in materials:
        value = [_missing()]
        if each["certified_value"] is not None:
            text = _number(each["certified_value"])
            if each["expanded_uncertainty"] is not None:
                text += f" ± {_number(each['expanded_uncertainty'])}"
            value = [_piece(" ".join(part for part in (text, each["certified_unit"]) if part))]
        name = [_piece(text) for text in (each["name"], each["code"]) if text]
        if each["note"]:
            name += _value(each["note"], "small")
        rows.append([name, _value(each["producer"]), _value(each["matrix"]), value])
    columns = (
        (_("Material and code"), 3),
        (_("Producer"), 2),
        (_("Matrix"), 2),
        (_("Certified value ± U (k = 2)"), 2),
    )
    return [_heading(_("Reference materials")), _table(columns, rows)]


FIGURES: Final[tuple[tuple[str, Text], ...]] = (
    ("rsdr_percent", _("Repeatability RSDr, %")),
    ("rsdR_percent", _("Reproducibility RSDR, %")),
    ("slope", _("Slope of the standard curve")),
    ("pcr_efficiency_percent", _("PCR efficiency, %")),
    ("r2", _("R² of the standard curve")),
    ("bias_percent", _("Bias, %")),
    ("dynamic_range", _("Dynamic range")),
)


def _limit(figures: Mapping[str, Any], name: str) -> list[Piece]:
    found: list[Piece] = []
    if figures.get(f"{name}_copies") is not None:
        copies = _number(figures[f"{name}_copies"])
        low, high = figures.get(f"{name}_copies_low"), figures.get(f"{name}_copies_high")
        if low is not None and high is not None:
            found.append(
                _piece(
                    _(
                        "%(copies)s copies (95 %% confidence interval %(low)s to %(high)s)",
                        copies=copies,
                        low=_number(low),
                        high=_number(high),
                    )
                )
            )
        else:
            found.append(_piece(_("%(copies)s copies", copies=copies)))
    if figures.get(f"{name}_percent") is not None:
        found.append(_piece(f"{_number(figures[f'{name}_percent'])} %"))
    if figures.get(f"{name}_text"):
        found.append(_piece(figures[f"{name}_text"]))
    return found or [_missing()]


def _validation(edition: Edition) -> list[Block]:
    figures = edition.record["validation"] or {}
    studies = edition.record.get("studies") or []
    trial = figures.get("collaborative_trial")
    said = [_missing()]
    if trial is not None:
        said = _value(trial)
        if figures.get("inferred"):
            said = [_piece(_("yes (concluded, not read)") if trial else _("no (concluded, not read)"))]
    by = " ".join(str(part) for part in (figures.get("body"), figures.get("year")) if part)
    rows: list[tuple[Text, list[Piece]]] = [
        (_("Collaborative trial"), said),
        (_("Validated by"), _value(by)),
        (_("Laboratories"), _value(figures.get("laboratories"))),
        (_("Limit of detection"), _limit(figures, "lod")),
        (_("Limit of quantification"), _limit(figures, "loq")),
        *((label, _value(figures.get(key))) for key, label in FIGURES),
    ]
    blocks: list[Block] = [_heading(_("Validation"))]
    if not studies or any(pieces != [_missing()] for _label, pieces in rows):
        blocks.append(_told(*rows))
    for key in ("note", "source", "figures_note", "figures_source"):
        if figures.get(key):
            blocks.append(_paragraphs(figures[key], "small"))
    for study in studies:
        blocks += _study(study)
    return blocks


LEVEL_COLUMNS: Final[tuple[tuple[str, Text], ...]] = (
    ("label", _("Level")),
    ("assigned", _("Assigned")),
    ("laboratories", _("Labs. (left out)")),
    ("results", _("Results")),
    ("mean", _("Mean")),
    ("bias_percent", _("Bias, %")),
    ("s_r", "s_r"),
    ("s_R", "s_R"),
    ("rsdr_percent", "RSDr, %"),
    ("rsdR_percent", "RSDR, %"),
    ("positive", _("Positive / tested")),
)
NEEDED_LEVEL_COLUMNS = frozenset({"label", "assigned"})


def _study(study: Mapping[str, Any]) -> list[Block]:
    kind = _names(STUDY_KIND_NAMES)[study["kind"]]
    title = f"{kind}: {study['title']}" if study["title"] else kind
    by = " ".join(str(part) for part in (study["body"] or study["laboratory"], study["year"]) if part)
    specificity = None
    if study["specificity_tested"] is not None:
        specificity = _(
            "%(amplified)s of %(tested)s non-targets gave a signal",
            amplified=study["specificity_amplified"] if study["specificity_amplified"] is not None else "?",
            tested=study["specificity_tested"],
        )
    dynamic = None
    if study["dynamic_low"] is not None or study["dynamic_high"] is not None:
        ends = (study["dynamic_low"], study["dynamic_high"])
        low, high = (_number(end) if end is not None else "?" for end in ends)
        dynamic = f"{low} – {high} {study['unit'] or ''}".strip()
    rows: list[tuple[Text, list[Piece]]] = [
        (_("Organised by"), _value(by)),
        (_("Standard or protocol"), _value(study["standard"])),
        (_("Matrix"), _value(study["matrix"])),
        (_("Instrument"), _value(study["instrument"])),
        (_("Laboratories"), _value(study["laboratories"])),
        (_("Replicates"), _value(study["replicates"])),
        (_("Slope of the standard curve"), _value(study["slope"])),
        (_("PCR efficiency, %"), _value(study["pcr_efficiency_percent"])),
        (_("R² of the standard curve"), _value(study["r2"])),
        (_("Limit of detection"), _limit(study, "lod")),
        (_("Limit of quantification"), _limit(study, "loq")),
        (_("Dynamic range"), _value(dynamic)),
        (_("Specificity"), _value(str(specificity) if specificity else None)),
    ]
    blocks: list[Block] = [{"kind": "subheading", "text": _breakable(title)}, _told(*rows)]
    if study["levels"]:
        blocks.append(_levels(study))
    if study["data"]:
        note = _("The figures were computed from %(number)s raw results.", number=len(study["data"]))
        blocks.append(_paragraphs(str(note), "small"))
    for key in ("note", "source"):
        if study[key]:
            blocks.append(_paragraphs(study[key], "small"))
    return blocks


def _levels(study: Mapping[str, Any]) -> Block:
    """Return the table of figures by level; a column that no level reports is left out and named."""
    levels = study["levels"]
    used = [
        (key, head)
        for key, head in LEVEL_COLUMNS
        if key in NEEDED_LEVEL_COLUMNS or any(level.get(key) is not None for level in levels)
    ]
    rows = []
    for level in levels:
        row = []
        for key, _head in used:
            value = level.get(key)
            if key == "positive" and value is not None:
                row.append([_piece(f"{value} / {level['tested']}")])
            elif key == "laboratories" and value is not None and level.get("laboratories_excluded"):
                row.append([_piece(f"{value} ({level['laboratories_excluded']})")])
            elif value is None or value == "":
                row.append([_piece("–", "missing")])
            else:
                row.append(_value(value))
        rows.append(row)
    unit = study["unit"]
    heads = [
        (f"{head} ({unit})" if unit and key in ("assigned", "mean") else head, 2 if key == "label" else 1)
        for key, head in used
    ]
    return _table(heads, rows)


def _judgement(edition: Edition) -> list[Block]:
    """Return the verdicts with every number that was looked at; what nobody reported is named together."""
    report = edition.judgement
    if report is None:
        return []
    told = [each for each in report.judgements if each.verdict != "not-reported"]
    silent = [str(each.name) for each in report.judgements if each.verdict == "not-reported"]
    rows = []
    for each in told:
        numbers = [_finding(finding) for finding in each.findings if finding.value is not None]
        verdict = _piece(_(VERDICT_NAMES[each.verdict]), "strong" if each.verdict == "fail" else "plain")
        limit = limit_text(each.rule, report.criteria.target_percent)
        rows.append([_value(str(each.name)), _value(str(limit)), _value(numbers), [verdict]])
    columns = ((_("Criterion"), 3), (_("Limit"), 3), (_("Reported"), 3), (_("Verdict"), 1))
    version = report.criteria.version
    title = _("Judgement against the minimum performance criteria %(version)s", version=version)
    blocks: list[Block] = [_heading(title)]
    if rows:
        blocks.append(_table(columns, rows))
    if silent:
        blocks.append(_fields((_("Not reported"), [_piece("; ".join(silent), "missing")])))
    return blocks


def _finding(finding: Finding) -> str:
    number = f"{_number(finding.value or 0)} {finding.unit}".strip()
    place = finding.level or finding.study_title
    return f"{place}: {number}" if place else number


def _notes(edition: Edition) -> list[Block]:
    notes = edition.record["notes"]
    if not notes:
        return []
    return [_heading(_("Notes")), {"kind": "list", "items": [_value(note) for note in notes]}]


def _files(edition: Edition) -> list[Block]:
    files = edition.facts["files"]
    if not files:
        return []
    roles = _names(FILE_ROLE_NAMES)
    rows = []
    for each in files:
        about = [text for text in (each.get("licence"), each.get("language")) if text]
        rows.append(
            [
                [_piece(each["name"]), *(_piece(text, "small") for text in about)],
                _value(roles[each["role"]]),
                _value(each["size_bytes"]),
                [_piece(each["sha256"][:32] + "\n" + each["sha256"][32:], "bases")],
            ]
        )
    columns = ((_("Name"), 3), (_("Role"), 2), (_("Bytes"), "auto"), ("SHA-256", "auto"))
    return [_heading(_("Files")), _table(columns, rows)]


def _sources(edition: Edition) -> list[Block]:
    record = edition.record
    items = []
    for source in record["sources"]:
        title = f"{source['title']} ({source['year']})" if source["year"] else source["title"]
        pieces = [_piece(title)]
        if source["url"]:
            pieces.append(_piece(source["url"], "link", href=source["url"]))
        items.append(pieces)
    blocks: list[Block] = [_heading(_("Sources"))]
    blocks.append({"kind": "list", "items": items} if items else {"kind": "text", "value": [_missing()]})
    checked = record["verification"] or {}
    if record["origin"] == "compiled":
        rows: list[tuple[Text, list[Piece]]] = []
        if record["verified"] is not None:
            said = _("verified at the source") if record["verified"] else _("from memory, not verified")
            rows.append((_("Checked"), _value(str(said))))
        if checked.get("amplicon_consistent") is not None:
            fits = (
                _("The primers agree with the amplicon.")
                if checked["amplicon_consistent"]
                else _("The primers do not agree with the amplicon.")
            )
            rows.append((_("Amplicon"), _value(str(fits))))
        if checked.get("seen_in"):
            rows.append((_("Seen in"), _value(checked["seen_in"])))
        if rows:
            blocks.append(_fields(*rows))
    return blocks


def _citation(edition: Edition) -> list[Block]:
    if not edition.is_published:
        return []
    lines = [
        _piece(citation_words(edition), "english"),
        _piece(edition.address, "link", href=edition.address),
        _piece(f"SHA-256 {edition.seal}", "code"),
    ]
    return [_heading(_("How to cite this version")), {"kind": "text", "value": lines}]


PARTS: Final[tuple[Callable[[Edition], list[Block]], ...]] = (
    _warning,
    _glance,
    _oligos,
    _reaction,
    _materials,
    _validation,
    _judgement,
    _notes,
    _files,
    _sources,
    _citation,
)
"""What stands on a page, from top to bottom."""


# Documents -----------------------------------------------------------------------------------


def method_document(edition: Edition, language: str = "en") -> dict[str, Any]:
    """Return what stands in the PDF of one version."""
    with in_language(language):
        title = str(_("Detection method %(code)s", code=edition.code))
        group = {"title": "", "methods": [page_of(edition, "m0")]}
        return _document(title, [edition], [group])


def method_pdf(edition: Edition, language: str = "en") -> bytes:
    """Return one version as PDF."""
    return next(method_pdfs([edition], language))


def method_pdfs(editions: Iterable[Edition], language: str = "en") -> Iterator[bytes]:
    """Yield a PDF of each version, made by one process."""
    yield from typeset(method_document(edition, language) for edition in editions)


def compendium_document(
    editions: Sequence[Edition], language: str = "en", selection: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what stands in the compendium, in a language; see ``compendium``."""
    with in_language(language):
        return compendium(editions, selection)


def compendium_pdf(editions: Sequence[Edition], language: str = "en", selection: Sequence[str] = ()) -> bytes:
    """Return versions, at most ``MOST_METHODS``, as one PDF with cover, contents and indexes."""
    return next(typeset([compendium_document(editions, language, selection)]))


def compendium(editions: Sequence[Edition], selection: Sequence[str] = ()) -> dict[str, Any]:
    """Return what stands in the compendium, in the present language.

    Cover, contents, methods by what a positive result tells and then by code, and indexes of LMOs,
    elements, taxa and codes. ``selection`` are lines for the cover that say what was chosen.
    """
    title = str(_("Compendium of detection methods"))
    order = {kind.value: place for place, kind in enumerate(Specificity)}
    ranked = sorted(
        editions,
        key=lambda each: (order[each.record["specificity"]], each.code.casefold(), each.number),
    )
    keys = {id(edition): f"m{place}" for place, edition in enumerate(ranked)}
    groups: list[dict[str, Any]] = []
    for kind, name in SPECIFICITY_NAMES.items():
        chosen = [edition for edition in ranked if edition.record["specificity"] == kind.value]
        if chosen:
            pages = [page_of(edition, keys[id(edition)]) for edition in chosen]
            heading = str(_(name))
            pages[0]["part"] = heading
            groups.append({"title": heading, "methods": pages})
    digest = digest_of(ranked)
    days = [edition.published_on for edition in ranked if edition.published_on]
    document = _document(title, ranked, groups)
    rows: list[tuple[Text, list[Piece]]] = [
        (_("Number of methods"), _value(len(ranked))),
        *((_("Selection"), _value(list(selection))) for _once in range(bool(selection))),
        (_("Newest version published on"), _value(max(days, default=""))),
        (_("Address"), [_piece(_base(ranked), "link", href=_base(ranked))]),
        (_("Digest of the versions (SHA-256)"), [_piece(digest, "code")]),
    ]
    document["digest"] = digest
    document["cover"] = {
        "hub": PUBLISHER,
        "title": title,
        "network": NETWORK,
        "rows": [[str(label), value] for label, value in rows],
        "notes": [
            str(_("Each page carries the code and version of its method and the seal of that version.")),
            str(
                _(
                    "Where a source or laboratory gives no figure, the page says that it is not reported. "
                    "Each method has a licence of its own; where none is named, ask its owner before use."
                )
            ),
            str(_("Cite versions of methods, not pages of this document.")),
        ],
    }
    document["indexes"] = _indexes(ranked, keys)
    return document


def _base(editions: Sequence[Edition]) -> str:
    return editions[0].base if editions else ""


def digest_of(editions: Iterable[Edition]) -> str:
    """Return the SHA-256 over code, version and seal of each version, in order."""
    lines = [f"{edition.code} {edition.number} {edition.seal}\n" for edition in editions]
    return sha256("".join(lines).encode()).hexdigest()


def _indexes(editions: Sequence[Edition], keys: Mapping[int, str]) -> list[dict[str, Any]]:
    def terms(names_of: Callable[[Edition], Iterable[str]], *, style: str = "plain") -> list[dict[str, Any]]:
        found: dict[str, list[Edition]] = {}
        for edition in editions:
            for name in dict.fromkeys(names_of(edition)):
                found.setdefault(name, []).append(edition)
        return [
            {"term": _piece(name, style), "refs": [_reference(each, keys) for each in found[name]]}
            for name in sorted(found, key=index_key)
        ]

    def taxon(edition: Edition) -> list[str]:
        names = edition.record["taxon"] or {}
        scientific, common = names.get("scientific"), names.get("common")
        if scientific and common:
            return [f"{scientific} ({common})"]
        return [name for name in (scientific, common) if name]

    by_code = [
        {"term": None, "refs": [_reference(each, keys)]}
        for each in sorted(editions, key=lambda each: (index_key(each.code), each.number))
    ]
    indexes: list[tuple[Text, list[dict[str, Any]]]] = [
        (_("Index of LMOs and events"), terms(lambda edition: edition.lmos)),
        (_("Index of genetic elements"), terms(lambda edition: edition.elements)),
        (_("Index of taxa"), terms(taxon)),
        (_("Index of codes"), by_code),
    ]
    return [{"title": str(title), "entries": entries} for title, entries in indexes if entries]


def _reference(edition: Edition, keys: Mapping[int, str]) -> dict[str, str]:
    return {"key": keys[id(edition)], "code": edition.code}


def index_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return by what a name stands in an index: letters without case or accents, numbers by their value.

    Blanks and signs only part words.

    >>> sorted(["MON810", "mon-71", "Bt11", "Bt9"], key=index_key)
    ['Bt9', 'Bt11', 'mon-71', 'MON810']
    """
    plain = unicodedata.normalize("NFKD", name.replace("Ø", "0")).casefold()
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    parts = re.findall(r"[0-9]+|[^\W0-9_]+", plain)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)


def _document(title: str, editions: Sequence[Edition], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what every document says of itself; its date is that of the newest version in it."""
    day = max((edition.published_on for edition in editions if edition.published_on), default="1970-01-01")
    year, month, number = (int(part) for part in day.split("-"))
    language = current_language()
    codes = [edition.code for edition in editions]
    return {
        "language": language,
        "rtl": language in RIGHT_TO_LEFT,
        "title": title,
        "author": PUBLISHER,
        "running": PUBLISHER,
        "keywords": codes if len(codes) <= 20 else [],
        "year": year,
        "month": month,
        "day": number,
        "digest": "",
        "cover": None,
        "groups": groups,
        "indexes": [],
        "words": {"contents": str(_("Contents"))},
    }
