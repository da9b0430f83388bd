"""The columns of methods as tables: what each means, what is due in it, and which values it takes."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from labhub.errors import Invalid
from labhub.i18n import Message, Text, _
from labhub.methods import exchange
from labhub.methods.exchange import GROUP_COLUMNS, SCALARS
from labhub.workbooks import Due

SHEETS: Final[dict[str, tuple[str, ...]]] = {
    "oligos": (
        "method", "set", "role", "name", "sequence", "label5", "label3", "final_concentration_nanomolar",
        "modifications",
    ),
    "oligo_sets": ("method", *exchange.OLIGO_SET),
    "reference_materials": ("method", *exchange.MATERIAL),
    "studies": ("method", "study", *exchange.STUDY),
    "levels": ("method", "study", *exchange.LEVEL),
    "data": ("method", "study", "laboratory", "level", "replicate", "value"),
    "decisions": ("method", "study", *exchange.DECISION),
    "sources": ("method", *exchange.SOURCE),
}  # fmt: skip
"""The sheets beside ``methods``, each with its columns; ``method`` ties a row to one of ``methods``."""
METHODS: Final = "methods"
METHOD_COLUMNS: Final = (
    "method",
    *(
        column
        for name in exchange.CONTENT
        for column in (
            [name]
            if name in SCALARS
            else [each for each, (group, _key) in GROUP_COLUMNS.items() if group == name]
        )
    ),
    *exchange.HUB_COLUMNS,
)
RESULT: Final = ("laboratory", "level", "replicate", "value")

CODES: Final = frozenset(
    {
        "code", "wished_code", "source_code", "sequence", "amplicon", "amplicon_accession",
        "lmo_unique_identifiers", "same_oligos_as", "label5", "label3", "modifications",
    }
)  # fmt: skip
"""Columns in which a spreadsheet destroys what it takes for a number."""
_WIDE: Final = frozenset({"title", "thermal_profile", "reagents", "amplicon", "sequence", "note", "notes"})

_READERS: Final[dict[str, Mapping[str, exchange.Reader]]] = {
    METHODS: {
        **SCALARS,
        **{column: exchange.GROUPS[group][key] for column, (group, key) in GROUP_COLUMNS.items()},
    },
    "oligos": exchange.OLIGO,
    "oligo_sets": exchange.OLIGO_SET,
    "reference_materials": exchange.MATERIAL,
    "studies": exchange.STUDY,
    "levels": exchange.LEVEL,
    "decisions": exchange.DECISION,
    "sources": exchange.SOURCE,
}


@cache
def due(sheet: str, column: str) -> Due:
    """Return what is due in a column.

    >>> [due("methods", name).value for name in ("code", "title", "amplicon_bp", "quantitative")]
    ['code', 'text', 'number', 'flag']
    """
    if column in exchange.HUB_COLUMNS and sheet == METHODS:
        return Due.NOTHING
    if column in CODES:
        return Due.CODE
    if sheet == "data":
        return Due.NUMBER if column in ("replicate", "value") else Due.TEXT
    refusal = _refusal(_READERS[sheet].get(column))
    if "number" in refusal.msgid or "slope" in refusal.msgid:
        return Due.NUMBER
    return Due.FLAG if refusal.msgid == "Write true or false." else Due.TEXT


@cache
def choices(sheet: str, column: str) -> tuple[str, ...]:
    """Return the values that a column takes, where they are few.

    >>> choices("oligos", "role"), choices("methods", "title")
    (('forward', 'reverse', 'probe', 'other'), ())
    """
    refusal = _refusal(_READERS.get(sheet, {}).get(column))
    if refusal.msgid == "Write true or false.":
        return ("true", "false")
    names = refusal.params.get("names", "")
    return tuple(names.split(", ")) if names else ()


def takes_several(sheet: str, column: str) -> bool:
    """Say whether a cell takes several of its values, one a line (nothing to choose from a list then)."""
    return (sheet, column) == (METHODS, "rights")


def _refusal(reader: Callable[[Any], Any] | None) -> Message:
    """Return what a reader of a field says to a word that is neither a number, a flag nor a choice."""
    try:
        if reader is not None:
            reader("one two")
    except Invalid as refusal:
        if isinstance(refusal.message, Message):
            return refusal.message
    return Message("", {})


def width(sheet: str, column: str) -> int:
    """Return how wide a column is shown, in characters."""
    if column in _WIDE:
        return 40
    return 14 if due(sheet, column) in (Due.NUMBER, Due.FLAG) else 20


NEEDED: Final[dict[str, tuple[str, ...]]] = {
    METHODS: ("title", "specificity", "technique"),
    "oligos": ("method", "role", "sequence"),
    "oligo_sets": ("method", "name"),
    "reference_materials": ("method",),
    "studies": ("method", "study", "kind"),
    "levels": ("method", "study", "label"),
    "data": ("method", "study", *RESULT[:3]),
    "decisions": ("method", "study", "laboratory", "action", "reason"),
    "sources": ("method", "title"),
}
"""Columns that each row fills."""

_BY_HUB: Final = _("Given by the hub; not read.")
_COMPILED: Final = _("A mark of the hub's own checks; read from the operator's files only.")

SHEET_MEANINGS: Final[dict[str, Text]] = {
    METHODS: _("One method a row."),
    "oligos": _("One primer or probe a row."),
    "oligo_sets": _("One further set of oligos a row: a reaction of its own, or one of a multiplex."),
    "reference_materials": _("One reference material a row."),
    "studies": _("One validation study a row."),
    "levels": _("One level of a study a row."),
    "data": _("One raw result of a study a row."),
    "decisions": _("One laboratory of a study a row that a person keeps or leaves out."),
    "sources": _("One source a row."),
}
_AMPLICON_BP: Final = _("Length of the amplicon in base pairs.")
_AMPLICON: Final = _("Sequence of the amplicon, with N for bases that are not published.")
_ACCESSION: Final = _("Accession number of the amplicon.")
_MEANINGS: Final[dict[str, Text]] = {
    "method": _("A short name of your choice that ties the rows of all sheets to their method."),
    "study": _("A number or short name that ties levels and results to their study."),
    "code": _("Code of the method in the hub; leave it empty for a new one."),
    "wished_code": _("Code that you would like the method to have when it is published."),
    "source_code": _("Name of the method at its source."),
    "title": _("Title."),
    "specificity": _("What the method is specific for."),
    "target": _("What is detected, in words."),
    "targets": _("Events, elements or genes that are detected. One entry a line of the cell."),
    "taxon_scientific": _("Scientific name of the taxon."),
    "taxon_common": _("Common name of the taxon."),
    "technique": _("Technique."),
    "chemistry": _("Chemistry of detection, such as TaqMan or SYBR."),
    "assay_format": _("How the technique is carried out, where the technique alone does not say it."),
    "multiplex": _("Whether several targets are detected in one reaction."),
    "quantitative": _("Whether the method quantifies."),
    "amplicon_bp": _AMPLICON_BP,
    "amplicon": _AMPLICON,
    "amplicon_accession": _ACCESSION,
    "analyte": _("Protein tests: the protein that is detected."),
    "antibodies": _("Protein tests: the antibodies."),
    "instrument": _("Instrument."),
    "reference_gene": _("Reference gene of the taxon."),
    "reference_gene_verified": _COMPILED,
    "reference_gene_source": _("Where the reference gene is described."),
    "reference_method": _("Code or title of the taxon-specific reference method."),
    "calibrant": _("Calibrant or reference material with its supplier, in words."),
    "reaction_microlitre": _("Volume of one reaction in microlitres."),
    "template_nanogram": _("DNA in one reaction in nanograms."),
    "thermal_profile": _("Temperature programme."),
    "reagents": _("Reagents."),
    "matrices": _("Materials that the method was tried on. One entry a line of the cell."),
    "licence": _("Licence under which the method may be used."),
    "rights": _("Rights to be heeded. One entry a line of the cell."),
    "rights_note": _("What the rights mean for the user."),
    "standardisation": _("Standard in which the method is published."),
    "lmo_unique_identifiers": _("Unique identifiers of the LMOs detected. One entry a line of the cell."),
    "target_copies_per_haploid_genome": _("Copies of the target in one haploid genome."),
    "same_oligos_as": _("Codes of methods with the same oligos. One entry a line of the cell."),
    "notes": _("Notes. One entry a line of the cell."),
    "verified": _COMPILED,
    "verification_amplicon_consistent": _COMPILED,
    "verification_seen_in": _COMPILED,
    "verification_n_places": _COMPILED,
    "origin": _COMPILED,
    "collaborative_trial": _("Whether there was a collaborative trial."),
    "laboratories": _("Number of laboratories."),
    "laboratories_excluded": _("Laboratories left out as outliers."),
    "year": _("Year."),
    "body": _("Who organised the validation."),
    "note": _("Note."),
    "source": _("Where the figures were read."),
    "inferred": _COMPILED,
    "lod_text": _("Limit of detection, in words"),
    "lod_copies": _("Limit of detection, copies"),
    "lod_copies_low": _("Limit of detection, copies: lower end of its confidence interval."),
    "lod_copies_high": _("Limit of detection, copies: upper end of its confidence interval."),
    "lod_percent": _("Limit of detection, %"),
    "loq_text": _("Limit of quantification, in words"),
    "loq_copies": _("Limit of quantification, copies"),
    "loq_percent": _("Limit of quantification, %"),
    "rsdr_percent": _("Repeatability RSDr, %"),
    "rsdR_percent": _("Reproducibility RSDR, %"),
    "slope": _("Slope of the standard curve"),
    "pcr_efficiency_percent": _("PCR efficiency, %"),
    "r2": _("R² of the standard curve"),
    "bias_percent": _("Bias, %"),
    "dynamic_range": _("Dynamic range"),
    "dynamic_low": _("Lower end of the dynamic range, in the unit of the study."),
    "dynamic_high": _("Upper end of the dynamic range, in the unit of the study."),
    "figures_note": _("Note on the figures."),
    "figures_source": _("Where the figures were read."),
    "set": _("Name of the oligo set; leave it empty for the first or only one."),
    "role": _("What the oligo does in the reaction."),
    "name": _("Name."),
    "sequence": _(
        "Bases from 5' to 3' in IUPAC letters; modifications stand in brackets or in their column."
    ),
    "label5": _("Fluorophore or other label at the 5' end."),
    "label3": _("Quencher or other label at the 3' end."),
    "final_concentration_nanomolar": _("Final concentration in nmol/L."),
    "modifications": _("Modifications inside: the number of bases before each, and its name, one a line."),
    "producer": _("Producer."),
    "matrix": _("Material."),
    "certified_value": _("Certified value."),
    "certified_unit": _("Unit of the certified value."),
    "expanded_uncertainty": _("Expanded uncertainty (k = 2) in the unit of the certified value."),
    "kind": _("How the study was organised."),
    "laboratory": _("Laboratory."),
    "standard": _("Standard or guideline that the study follows."),
    "replicates": _("Replicates in each laboratory."),
    "unit": _("Unit of the levels and means."),
    "specificity_tested": _("Non-targets tested."),
    "specificity_amplified": _("Non-targets that gave a signal."),
    "label": _("Name of the level."),
    "assigned": _("Assigned value, in the unit of the study."),
    "results": _("Number of results used."),
    "mean": _("Mean, in the unit of the study."),
    "s_r": _("Repeatability standard deviation."),
    "s_R": _("Reproducibility standard deviation."),
    "tested": _("Tests done."),
    "positive": _("Tests that were positive."),
    "level": _("Name of the level, as in the sheet levels."),
    "action": _("Whether the laboratory is kept or left out."),
    "reason": _("The reason for it."),
    "replicate": _("Number of the replicate."),
    "value": _("Result; leave it empty when it is missing."),
    "url": _("Address of the source."),
}
_OF_SHEET: Final[dict[tuple[str, str], Text]] = {
    ("reference_materials", "code"): _("Catalogue number or code of the material."),
    ("studies", "title"): _("Title of the study."),
    ("decisions", "level"): _("Name of the level; leave it empty for all levels."),
}


def meaning(sheet: str, column: str) -> Text:
    """Return what a column means."""
    if column in exchange.HUB_COLUMNS:
        return _BY_HUB
    bare = GROUP_COLUMNS[column][1] if sheet == METHODS and column.startswith("validation_") else column
    return _OF_SHEET.get((sheet, column)) or _MEANINGS[bare]
