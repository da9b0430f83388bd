"""How complete the record of a method is, beside the reporting lists MIQE 2.0 and dMIQE.

A list is data: each item has a section, a weight (essential or desirable), a text in our own words, and the
fields of the record that answer it. Items about one experiment (samples, extraction, raw curves) are not
kept by the hub; they are shown and not counted. Items that do not fit technique or chemistry are left out.

Sources: S. A. Bustin et al., Clin. Chem. 55 (2009) 611 (MIQE) and 71 (2025) 634 (MIQE 2.0); dMIQE Group,
Clin. Chem. 66 (2020) 1012. Weights follow the published checklists of 2009 and 2020 as they are
generally known; those of 2025 were not checked against the text (mark M), so the lists are data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labhub.i18n import N_, Text, _

Weight = Literal["essential", "desirable"]
Content = Mapping[str, Any]
WEIGHT_NAMES: dict[str, str] = {"essential": N_("essential"), "desirable": N_("desirable")}
SECTION_NAMES: dict[str, str] = {
    "target": N_("Target"),
    "oligos": N_("Primers and probes"),
    "protocol": N_("Reaction and instrument"),
    "validation": N_("Validation"),
    "analysis": N_("Analysis of data"),
    "sample": N_("Samples and extraction"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list.

    ``fields`` are paths in the record; one that is filled answers the item. ``name[]`` looks at any
    element of a list, ``name[*]`` wants it in all, ``name[role=probe]`` at those elements. ``form_field`` is
    where a person fills it in (``studies`` and ``files`` have forms of their own). No field: not kept here.
    """

    id: str
    section: str
    weight: Weight
    text: str
    fields: tuple[str, ...] = ()
    form_field: str = ""
    only: str = ""
    """A condition of ``_CONDITIONS`` under which the item applies."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An item with what the record says to it."""

    item: Item
    status: Literal["answered", "missing", "not-kept"]

    @property
    def text(self) -> Text:
        """The item in words."""
        return _(self.item.text)


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of a list the record answers; only items that the hub keeps and that apply count."""

    list: str
    title: str
    answers: tuple[Answer, ...]
    essential_answered: int
    essential: int
    desirable_answered: int
    desirable: int

    @property
    def percent(self) -> int:
        """Share of the essential items that are answered, rounded down."""
        return 100 * self.essential_answered // self.essential if self.essential else 100

    @property
    def missing(self) -> tuple[Answer, ...]:
        """What is missing, essential items first."""
        open_ = [answer for answer in self.answers if answer.status == "missing"]
        return tuple(sorted(open_, key=lambda answer: answer.item.weight != "essential"))

    @property
    def not_kept(self) -> tuple[Answer, ...]:
        """Items that the hub has no field for."""
        return tuple(answer for answer in self.answers if answer.status == "not-kept")


_TARGET = (
    Item("name", "target", "essential", N_("Name of the target"), ("target", "targets"), "target"),
    Item(
        "accession",
        "target",
        "essential",
        N_("Accession number or sequence of the amplicon"),
        ("amplicon_accession", "amplicon", "oligo_sets[].amplicon_accession", "oligo_sets[].amplicon"),
        "amplicon_accession",
    ),
    Item(
        "length",
        "target",
        "essential",
        N_("Length of the amplicon"),
        ("amplicon_bp", "oligo_sets[].amplicon_bp"),
        "amplicon_bp",
    ),
    Item(
        "taxon",
        "target",
        "essential",
        N_("Organism that carries the target"),
        ("taxon.scientific",),
        "taxon_scientific",
    ),
    Item(
        "in-silico",
        "target",
        "essential",
        N_("Specificity checked in silico: non-targets tried"),
        ("studies[].specificity_tested",),
        "studies",
    ),
    Item("secondary-structure", "target", "desirable", N_("Secondary structure of the amplicon looked at")),
    Item(
        "copies-per-genome",
        "target",
        "desirable",
        N_("Copies of the target in a haploid genome"),
        ("target_copies_per_haploid_genome",),
        "target_copies_per_haploid_genome",
    ),
)
_OLIGOS = (
    Item(
        "forward",
        "oligos",
        "essential",
        N_("Sequence of the forward primer"),
        ("oligos[role=forward].sequence",),
        "oligos",
    ),
    Item(
        "reverse",
        "oligos",
        "essential",
        N_("Sequence of the reverse primer"),
        ("oligos[role=reverse].sequence",),
        "oligos",
    ),
    Item(
        "probe",
        "oligos",
        "essential",
        N_("Sequence of the probe"),
        ("oligos[role=probe].sequence",),
        "oligos",
        "probe",
    ),
    Item(
        "labels",
        "oligos",
        "essential",
        N_("Fluorophore and quencher of the probe, and where they stand"),
        ("oligos[role=probe].label5",),
        "oligos",
        "probe",
    ),
    Item(
        "concentrations",
        "oligos",
        "essential",
        N_("Final concentration of each primer and probe"),
        ("oligos[*].final_concentration_nanomolar",),
        "oligos",
    ),
    Item("manufacturer", "oligos", "desirable", N_("Manufacturer and purification of the oligos")),
)
_PROTOCOL = (
    Item(
        "reagents",
        "protocol",
        "essential",
        N_("Reagents: polymerase, buffer, magnesium, kit"),
        ("reagents",),
        "reagents",
    ),
    Item("chemistry", "protocol", "essential", N_("Chemistry of detection"), ("chemistry",), "chemistry"),
    Item(
        "volume",
        "protocol",
        "essential",
        N_("Volume of the reaction"),
        ("reaction_microlitre",),
        "reaction_microlitre",
    ),
    Item(
        "amount",
        "protocol",
        "essential",
        N_("Amount of DNA in a reaction"),
        ("template_nanogram",),
        "template_nanogram",
    ),
    Item(
        "programme",
        "protocol",
        "essential",
        N_("Temperature programme"),
        ("thermal_profile",),
        "thermal_profile",
    ),
    Item(
        "instrument",
        "protocol",
        "essential",
        N_("Instrument"),
        ("instrument", "studies[].instrument"),
        "instrument",
    ),
    Item(
        "sop",
        "protocol",
        "desirable",
        N_("Complete protocol as a file"),
        ("files[role=sop].name",),
        "files",
    ),
    Item("consumables", "protocol", "desirable", N_("Plates or tubes and their manufacturer")),
)
_REFERENCE = (
    Item(
        "reference",
        "analysis",
        "essential",
        N_("Reference (taxon) gene or method that results are set in relation to"),
        ("reference_method", "reference_gene.gene"),
        "reference_method",
        "relative",
    ),
    Item(
        "calibrant",
        "analysis",
        "essential",
        N_("Calibrant or certified reference material"),
        ("calibrant", "reference_materials[].name", "reference_materials[].code"),
        "calibrant",
        "quantitative",
    ),
)
_TRIAL = (
    Item(
        "repeatability",
        "validation",
        "essential",
        N_("Repeatability"),
        ("studies[].levels[].rsdr_percent", "studies[].levels[].s_r", "validation.rsdr_percent"),
        "studies",
        "quantitative",
    ),
    Item(
        "reproducibility",
        "validation",
        "desirable",
        N_("Reproducibility between laboratories"),
        ("studies[].levels[].rsdR_percent", "studies[].levels[].s_R", "validation.rsdR_percent"),
        "studies",
        "quantitative",
    ),
    Item(
        "trueness",
        "validation",
        "desirable",
        N_("Trueness against a known value"),
        ("studies[].levels[].bias_percent", "validation.bias_percent"),
        "studies",
        "quantitative",
    ),
)
_SAMPLES = (
    Item("sample", "sample", "essential", N_("Sample: material, mass, storage")),
    Item(
        "matrices",
        "sample",
        "essential",
        N_("Matrices that the method was tried on"),
        ("matrices", "studies[].matrix"),
        "matrices",
    ),
    Item("extraction", "sample", "essential", N_("Extraction of DNA: procedure or kit")),
    Item("quantity", "sample", "essential", N_("Quantity and purity of the extract, and how measured")),
    Item("inhibition", "sample", "essential", N_("Test for inhibition")),
)
_LOD = (
    "studies[].lod_copies", "studies[].lod_percent", "validation.lod_copies", "validation.lod_percent",
    "validation.lod_text",
)  # fmt: skip
_RAW = ("studies[].data", "files[role=raw-data].name")

MIQE = (
    *_TARGET,
    *_OLIGOS,
    *_PROTOCOL,
    Item(
        "slope",
        "validation",
        "essential",
        N_("Standard curve: slope or efficiency"),
        (
            "studies[].slope",
            "studies[].pcr_efficiency_percent",
            "validation.slope",
            "validation.pcr_efficiency_percent",
        ),
        "studies",
    ),
    Item(
        "r2",
        "validation",
        "essential",
        N_("Standard curve: R²"),
        ("studies[].r2", "validation.r2"),
        "studies",
    ),
    Item("intercept", "validation", "essential", N_("Standard curve: intercept")),
    Item(
        "range",
        "validation",
        "essential",
        N_("Dynamic range"),
        ("studies[].dynamic_low", "studies[].dynamic_high", "validation.dynamic_range"),
        "studies",
    ),
    Item("lod", "validation", "essential", N_("Limit of detection and how it was found"), _LOD, "studies"),
    Item(
        "lod-interval",
        "validation",
        "desirable",
        N_("Confidence interval of the limit of detection, or the counts behind it"),
        ("studies[].lod_copies_high", "studies[].levels[].positive"),
        "studies",
    ),
    Item(
        "loq",
        "validation",
        "desirable",
        N_("Limit of quantification"),
        (
            "studies[].loq_copies",
            "studies[].loq_percent",
            "validation.loq_copies",
            "validation.loq_percent",
            "validation.loq_text",
        ),
        "studies",
        "quantitative",
    ),
    *_TRIAL,
    Item(
        "multiplex",
        "validation",
        "essential",
        N_("Multiplex: efficiency and limit of each assay"),
        _LOD,
        "studies",
        "multiplex",
    ),
    Item("melt", "validation", "essential", N_("Melting curve of the product"), only="dye"),
    *_REFERENCE,
    Item("raw", "analysis", "desirable", N_("Raw results for others to analyse"), _RAW, "studies"),
    Item("controls", "analysis", "essential", N_("Results of the controls without template")),
    Item("cq", "analysis", "essential", N_("How Cq is determined; software")),
    *_SAMPLES,
)
DMIQE = (
    *_TARGET,
    *_OLIGOS,
    *_PROTOCOL,
    Item("partitions", "protocol", "essential", N_("Number and mean volume of the partitions")),
    Item("lod", "validation", "essential", N_("Limit of detection and how it was found"), _LOD, "studies"),
    Item(
        "blank",
        "validation",
        "essential",
        N_("False positives: results with no target"),
        ("studies[].specificity_amplified", "studies[].levels[assigned=0].tested"),
        "studies",
    ),
    Item(
        "range",
        "validation",
        "essential",
        N_("Dynamic range"),
        ("studies[].dynamic_low", "studies[].dynamic_high", "validation.dynamic_range"),
        "studies",
    ),
    Item(
        "multiplex",
        "validation",
        "essential",
        N_("Multiplex: efficiency and limit of each assay"),
        _LOD,
        "studies",
        "multiplex",
    ),
    *_TRIAL,
    *_REFERENCE,
    Item("raw", "analysis", "desirable", N_("Raw results for others to analyse"), _RAW, "studies"),
    Item(
        "threshold", "analysis", "essential", N_("How the threshold between partitions is set; example plots")
    ),
    Item("copies", "analysis", "essential", N_("Copies per partition of each run, with interval")),
    Item("controls", "analysis", "essential", N_("Results of the controls without template")),
    *_SAMPLES,
)
LISTS: tuple[tuple[str, str, tuple[str, ...], tuple[Item, ...]], ...] = (
    ("miqe-2.0", "MIQE 2.0", ("qpcr",), MIQE),
    ("dmiqe", "dMIQE", ("dpcr",), DMIQE),
)
"""Name, title, techniques and items of each list."""

_DYES = ("sybr", "evagreen", "intercalat", "dye")


def _has_dye(content: Content) -> bool:
    chemistry = (content.get("chemistry") or "").casefold()
    return any(word in chemistry for word in _DYES)


_CONDITIONS: dict[str, Callable[[Content], bool]] = {
    "": lambda content: True,
    "probe": lambda content: not _has_dye(content),
    "dye": _has_dye,
    "quantitative": lambda content: bool(content.get("quantitative")),
    "relative": lambda content: bool(content.get("quantitative")) and content.get("specificity") != "taxon",
    "multiplex": lambda content: bool(content.get("multiplex")),
}


def meters(content: Content, files: Sequence[Mapping[str, Any]] = ()) -> tuple[Meter, ...]:
    """Return the meter of each list that fits the technique; ``files`` are those of the version.

    No list fits end-point PCR, isothermal, protein or sequencing methods.
    """
    record = {**content, "files": files}
    return tuple(
        _meter(record, name, title, items)
        for name, title, techniques, items in LISTS
        if content["technique"] in techniques
    )


def _meter(record: Content, name: str, title: str, items: Sequence[Item]) -> Meter:
    answers = tuple(_answer(record, item) for item in items if _CONDITIONS[item.only](record))
    kept = [answer for answer in answers if answer.status != "not-kept"]

    def number(weight: Weight, *, answered: bool) -> int:
        return sum(
            answer.item.weight == weight and (not answered or answer.status == "answered") for answer in kept
        )

    return Meter(
        name,
        title,
        answers,
        essential_answered=number("essential", answered=True),
        essential=number("essential", answered=False),
        desirable_answered=number("desirable", answered=True),
        desirable=number("desirable", answered=False),
    )


def _answer(record: Content, item: Item) -> Answer:
    if not item.fields:
        return Answer(item, "not-kept")
    return Answer(item, "answered" if any(is_filled(record, path) for path in item.fields) else "missing")


def is_filled(record: Any, path: str) -> bool:
    """Say whether a path of a record holds something; false, 0 and "0" are something.

    >>> record = {"oligos": [{"role": "forward", "name": "F"}, {"role": "probe", "name": ""}]}
    >>> [is_filled(record, path) for path in ("oligos[].name", "oligos[*].name", "oligos[role=probe].name")]
    [True, False, False]
    """
    if not path:
        return record not in (None, "", [], {}, ())
    if not isinstance(record, Mapping):
        return False
    head, _dot, rest = path.partition(".")
    name, bracket, choice = head.partition("[")
    value = record.get(name)
    if not bracket:
        return is_filled(value, rest)
    choice = choice.rstrip("]")
    elements = list(value or [])
    key, equals, wanted = choice.partition("=")
    if equals:
        elements = [element for element in elements if _same(element.get(key), wanted)]
    found = [is_filled(element, rest) for element in elements]
    return bool(found) and all(found) if choice == "*" else any(found)


def _same(value: Any, wanted: str) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) == float(wanted)
    return str(value) == wanted


def meter_data(meter: Meter) -> dict[str, Any]:
    """Return a meter as plain data for JSON."""
    return {
        "list": meter.list,
        "title": meter.title,
        "percent": meter.percent,
        "essential": {"answered": meter.essential_answered, "due": meter.essential},
        "desirable": {"answered": meter.desirable_answered, "due": meter.desirable},
        "items": [
            {
                "id": answer.item.id,
                "section": answer.item.section,
                "weight": answer.item.weight,
                "text": str(answer.text),
                "status": answer.status,
                "field": answer.item.form_field,
            }
            for answer in meter.answers
        ],
    }
