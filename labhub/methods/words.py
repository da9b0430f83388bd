"""A method's fields and values in the reader's words, for pages that set records side by side.

A field is named by its path without places in lists: ``title``, ``taxon.scientific``,
``studies.levels.mean``. Nothing here knows a database.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from labhub.i18n import N_, Text, _, ngettext
from labhub.lmos import unique_identifier
from labhub.methods.models import (
    ASSAY_FORMAT_NAMES,
    FILE_ROLE_NAMES,
    FILE_VISIBILITY_NAMES,
    OLIGO_ROLE_NAMES,
    ORIGIN_NAMES,
    RIGHT_NAMES,
    SPECIFICITY_NAMES,
    STUDY_KIND_NAMES,
    TECHNIQUE_NAMES,
)

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        N_("What it detects"),
        (
            "title",
            "specificity",
            "target",
            "targets",
            "taxon",
            "lmo_unique_identifiers",
            "target_copies_per_haploid_genome",
            "same_oligos_as",
        ),
    ),
    (
        N_("Technique"),
        (
            "technique",
            "assay_format",
            "chemistry",
            "multiplex",
            "quantitative",
            "analyte",
            "antibodies",
            "instrument",
        ),
    ),
    (
        N_("Primers and probes"),
        ("oligos", "amplicon_bp", "amplicon", "amplicon_accession", "oligo_sets"),
    ),
    (
        N_("Reaction"),
        (
            "reaction_microlitre",
            "template_nanogram",
            "thermal_profile",
            "reagents",
            "reference_gene",
            "reference_method",
            "calibrant",
            "reference_materials",
            "matrices",
        ),
    ),
    (N_("Validation"), ("validation", "studies", "standardisation")),
    (
        N_("Use and sources"),
        (
            "licence",
            "rights",
            "rights_note",
            "notes",
            "sources",
            "code",
            "wished_code",
            "source_code",
            "origin",
            "verified",
            "verification",
        ),
    ),
    (N_("Files"), ("files",)),
)
"""Sections of a record in the order of the page, each with the keys that stand in it."""

NAMES: dict[str, str] = {
    "title": N_("Title"),
    "specificity": N_("Specificity"),
    "target": N_("Target"),
    "targets": N_("Events or elements"),
    "taxon": N_("Taxon"),
    "taxon.scientific": N_("Taxon, scientific name"),
    "taxon.common": N_("Taxon, common name"),
    "lmo_unique_identifiers": N_("LMOs"),
    "target_copies_per_haploid_genome": N_("Copies of the target in a haploid genome"),
    "same_oligos_as": N_("Same oligos as"),
    "technique": N_("Technique"),
    "assay_format": N_("Format of the test"),
    "chemistry": N_("Chemistry"),
    "multiplex": N_("Several targets in one reaction"),
    "quantitative": N_("Result"),
    "analyte": N_("Protein detected"),
    "antibodies": N_("Antibodies"),
    "instrument": N_("Instrument"),
    "oligos": N_("Primers and probes"),
    "oligos.role": N_("Role"),
    "oligos.name": N_("Name"),
    "oligos.set": N_("Oligo set"),
    "oligos.sequence": N_("Sequence"),
    "oligos.label5": N_("5' label"),
    "oligos.label3": N_("3' label"),
    "oligos.final_concentration_nanomolar": N_("Final concentration, nmol/L"),
    "oligos.modifications": N_("Modifications"),
    "oligos.modifications.after_base": N_("After base"),
    "oligos.modifications.name": N_("Name"),
    "amplicon_bp": N_("Amplicon, bp"),
    "amplicon": N_("Amplicon sequence"),
    "amplicon_accession": N_("Accession number"),
    "oligo_sets": N_("Further oligo sets"),
    "oligo_sets.name": N_("Name"),
    "oligo_sets.target": N_("Target"),
    "oligo_sets.amplicon_bp": N_("Amplicon, bp"),
    "oligo_sets.amplicon": N_("Amplicon sequence"),
    "oligo_sets.amplicon_accession": N_("Accession number"),
    "reaction_microlitre": N_("Reaction volume, µL"),
    "template_nanogram": N_("DNA in one reaction, ng"),
    "thermal_profile": N_("Temperature programme"),
    "reagents": N_("Reagents"),
    "reference_gene": N_("Reference gene"),
    "reference_gene.gene": N_("Reference gene"),
    "reference_gene.verified": N_("Reference gene verified"),
    "reference_gene.source": N_("Source of the reference gene"),
    "reference_method": N_("Reference method (taxon)"),
    "calibrant": N_("Calibrant or reference material"),
    "reference_materials": N_("Reference materials"),
    "reference_materials.name": N_("Name"),
    "reference_materials.code": N_("Code"),
    "reference_materials.producer": N_("Producer"),
    "reference_materials.matrix": N_("Matrix (material tested)"),
    "reference_materials.certified_value": N_("Certified value"),
    "reference_materials.certified_unit": N_("Unit"),
    "reference_materials.expanded_uncertainty": N_("Expanded uncertainty U (k = 2)"),
    "reference_materials.note": N_("Note"),
    "matrices": N_("Matrices"),
    "validation": N_("Validation"),
    "validation.collaborative_trial": N_("Collaborative trial"),
    "validation.laboratories": N_("Laboratories"),
    "validation.year": N_("Year"),
    "validation.body": N_("Validated by"),
    "validation.note": N_("Note on the trial"),
    "validation.source": N_("Source of the trial"),
    "validation.inferred": N_("Concluded, not read"),
    "validation.lod_text": N_("Limit of detection, in words"),
    "validation.lod_copies": N_("Limit of detection, copies"),
    "validation.lod_percent": N_("Limit of detection, %"),
    "validation.loq_text": N_("Limit of quantification, in words"),
    "validation.loq_copies": N_("Limit of quantification, copies"),
    "validation.loq_percent": N_("Limit of quantification, %"),
    "validation.rsdr_percent": N_("Repeatability RSDr, %"),
    "validation.rsdR_percent": N_("Reproducibility RSDR, %"),
    "validation.slope": N_("Slope of the standard curve"),
    "validation.pcr_efficiency_percent": N_("PCR efficiency, %"),
    "validation.r2": N_("R² of the standard curve"),
    "validation.bias_percent": N_("Bias, %"),
    "validation.dynamic_range": N_("Dynamic range"),
    "validation.figures_note": N_("Note on the figures"),
    "validation.figures_source": N_("Source of the figures"),
    "studies": N_("Validation studies"),
    "studies.kind": N_("Kind of study"),
    "studies.title": N_("Title"),
    "studies.body": N_("Organised by"),
    "studies.laboratory": N_("Laboratory"),
    "studies.year": N_("Year"),
    "studies.standard": N_("Standard"),
    "studies.matrix": N_("Matrix (material tested)"),
    "studies.instrument": N_("Instrument"),
    "studies.laboratories": N_("Laboratories"),
    "studies.replicates": N_("Replicates"),
    "studies.unit": N_("Unit of the levels"),
    "studies.slope": N_("Slope of the standard curve"),
    "studies.r2": N_("R² of the standard curve"),
    "studies.pcr_efficiency_percent": N_("PCR efficiency, %"),
    "studies.lod_copies": N_("Limit of detection, copies"),
    "studies.lod_copies_low": N_("Limit of detection, lower end of the 95 % interval"),
    "studies.lod_copies_high": N_("Limit of detection, upper end of the 95 % interval"),
    "studies.lod_percent": N_("Limit of detection, %"),
    "studies.loq_copies": N_("Limit of quantification, copies"),
    "studies.loq_percent": N_("Limit of quantification, %"),
    "studies.dynamic_low": N_("Dynamic range, lower end"),
    "studies.dynamic_high": N_("Dynamic range, upper end"),
    "studies.specificity_tested": N_("Non-targets tested"),
    "studies.specificity_amplified": N_("Non-targets that gave a signal"),
    "studies.note": N_("Note"),
    "studies.source": N_("Source"),
    "studies.data": N_("Raw results"),
    "studies.decisions": N_("Decisions by hand"),
    "studies.decisions.laboratory": N_("Laboratory"),
    "studies.decisions.level": N_("Level"),
    "studies.decisions.action": N_("Decision"),
    "studies.decisions.reason": N_("Reason"),
    "studies.levels": N_("Levels"),
    "studies.levels.label": N_("Level"),
    "studies.levels.assigned": N_("Assigned value"),
    "studies.levels.laboratories": N_("Laboratories"),
    "studies.levels.laboratories_excluded": N_("Laboratories excluded"),
    "studies.levels.replicates": N_("Replicates"),
    "studies.levels.results": N_("Results"),
    "studies.levels.mean": N_("Mean"),
    "studies.levels.bias_percent": N_("Bias, %"),
    "studies.levels.s_r": N_("Repeatability standard deviation s_r"),
    "studies.levels.s_R": N_("Reproducibility standard deviation s_R"),
    "studies.levels.rsdr_percent": N_("Repeatability RSDr, %"),
    "studies.levels.rsdR_percent": N_("Reproducibility RSDR, %"),
    "studies.levels.tested": N_("Tested"),
    "studies.levels.positive": N_("Positive"),
    "standardisation": N_("Standard"),
    "licence": N_("Licence"),
    "rights": N_("Rights of use"),
    "rights_note": N_("Note on the rights"),
    "notes": N_("Notes"),
    "sources": N_("Sources"),
    "sources.title": N_("Title"),
    "sources.url": N_("Address"),
    "sources.year": N_("Year"),
    "code": N_("Code"),
    "wished_code": N_("Wished code"),
    "source_code": N_("Name at the source"),
    "origin": N_("Origin"),
    "verified": N_("Verified at the source"),
    "verification": N_("Checks of the hub"),
    "verification.amplicon_consistent": N_("Primers agree with the amplicon"),
    "verification.seen_in": N_("Seen in"),
    "verification.n_places": N_("Number of places"),
    "files": N_("Files"),
    "files.name": N_("Name"),
    "files.role": N_("It is the"),
    "files.kind": N_("File type"),
    "files.media_type": N_("Media type"),
    "files.size_bytes": N_("Size, bytes"),
    "files.sha256": N_("Checksum (SHA-256)"),
    "files.visibility": N_("May be read by"),
    "files.licence": N_("Licence"),
    "files.language": N_("Language"),
}
"""The name of every field."""

_VALUES: dict[str, Mapping[Any, str]] = {
    "specificity": SPECIFICITY_NAMES,
    "technique": TECHNIQUE_NAMES,
    "assay_format": ASSAY_FORMAT_NAMES,
    "origin": ORIGIN_NAMES,
    "rights": RIGHT_NAMES,
    "oligos.role": OLIGO_ROLE_NAMES,
    "studies.kind": STUDY_KIND_NAMES,
    "studies.decisions.action": {"keep": N_("keep"), "exclude": N_("exclude")},
    "files.role": FILE_ROLE_NAMES,
    "files.visibility": FILE_VISIBILITY_NAMES,
    "quantitative": {True: N_("quantitative"), False: N_("qualitative")},
}
_YES_NO = {True: N_("yes"), False: N_("no")}

CODED = frozenset(_VALUES)
"""Fields whose values are words of the hub, not of a person."""
SEQUENCES = frozenset({"oligos.sequence", "amplicon", "oligo_sets.amplicon"})
"""Fields whose values are bases."""


def name_of(path: str) -> Text:
    """Return a field's name; an unknown one keeps its key.

    >>> str(name_of("oligos.label5"))
    "5' label"
    """
    return _(NAMES[path]) if path in NAMES else path.rpartition(".")[2].replace("_", " ")


def is_empty(value: Any) -> bool:
    """Say whether a value says nothing: not reported."""
    return value is None or value == "" or value == [] or value == {}


def worded(path: str, value: Any) -> Text | None:
    """Return one value in words; none where nothing is reported.

    >>> str(worded("quantitative", True)), str(worded("amplicon_bp", 92)), worded("licence", "")
    ('quantitative', '92', None)
    """
    if is_empty(value):
        return None
    names = _VALUES.get(path)
    if names is not None and value in names:
        return _(names[value])
    if isinstance(value, bool):
        return _(_YES_NO[value])
    if path == "lmo_unique_identifiers":
        return unique_identifier.display(str(value))
    if path == "studies.data" and isinstance(value, list):
        return ngettext("%(num)s result", "%(num)s results", len(value), num=len(value))
    return str(value)


def lines_of(path: str, value: Any) -> list[Text]:
    """Return a value as lines: one for each entry of a list, none where nothing is reported.

    >>> [str(line) for line in lines_of("matrices", ["flour", "seed"])]
    ['flour', 'seed']
    """
    if isinstance(value, list) and path != "studies.data":
        return [line for item in value for line in lines_of(path, item)]
    if isinstance(value, Mapping):
        return [summary(path, value)]
    text = worded(path, value)
    return [] if text is None else [text]


def summary(path: str, record: Mapping[str, Any], *, named: bool = False) -> str:
    """Return a record inside a list on one line: its values that say something, each but the first named.

    ``named`` names the first too.

    >>> summary("reference_materials", {"name": "Maize", "code": "ERM-BF413", "producer": None})
    'Maize; Code: ERM-BF413'
    """
    parts: list[str] = []
    for key, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            text: Text = str(len(value))
        else:
            text = ", ".join(str(line) for line in lines_of(f"{path}.{key}", value))
        if text:
            parts.append(f"{name_of(f'{path}.{key}')}: {text}" if parts or named else str(text))
    return "; ".join(parts)


def leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Give the path of every field of a content, once each."""
    seen = set()
    for key, value in content.items():
        items = value if isinstance(value, list) else [value]
        inside = [p for item in items if isinstance(item, Mapping) for p in leaves(item, f"{prefix}{key}.")]
        for path in (f"{prefix}{key}", *inside):
            if path not in seen:
                seen.add(path)
                yield path
