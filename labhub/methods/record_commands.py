"""Writing the content of a version into its tables: shared by the commands and the import of files."""

from typing import Any

from labhub.db import db
from labhub.errors import Conflict
from labhub.i18n import Text, _
from labhub.lmos.names_queries import Register, read_register
from labhub.methods import exchange, find_commands, names_queries, queries
from labhub.methods.exchange import HUB_CODE, Content
from labhub.methods.models import (
    AssayFormat,
    MethodCounter,
    MethodSource,
    MethodTarget,
    MethodValidation,
    MethodVersion,
    Oligo,
    OligoDigest,
    OligoRole,
    OligoSet,
    ReferenceMaterial,
    Specificity,
    StudyKind,
    StudyLevel,
    TargetKind,
    Technique,
    ValidationStudy,
)
from labhub.methods.twins import oligo_digest


class Matcher:
    """Finds the LMO or element that a target names; the register is read once, at the first use."""

    def __init__(self) -> None:
        self.names: Register | None = None
        self.genes: dict[str, set[str]] = {}

    @property
    def register(self) -> Register:
        """The names of LMOs, elements and taxa."""
        if self.names is None:
            self.names, self.genes = read_register(), names_queries.reference_genes()
        return self.names

    def __call__(self, kind: TargetKind, text: str) -> tuple[int | None, int | None]:
        meaning = self.register.meaning(text)
        return meaning.lmo_id, meaning.element_id if kind is TargetKind.TARGET else None

    def doubts(self, content: Content) -> list[Text]:
        """Return what is doubtful about the names of a record."""
        return names_queries.doubts(content, self.register, self.genes)


def columns_of(content: Content, *, trusted: bool) -> dict[str, Any]:
    """Return the columns of a version that content fills; marks of the hub's checks only when ``trusted``."""
    columns = {name: content[name] for name in queries.SAME_NAME if name != "verified"}
    columns["specificity"] = Specificity(content["specificity"])
    columns["technique"] = Technique(content["technique"])
    columns["assay_format"] = AssayFormat(content["assay_format"]) if content["assay_format"] else None
    for name in (
        "reaction_microlitre", "template_nanogram", "matrices", "rights", "same_oligos_as", "notes"
    ):  # fmt: skip
        columns[name] = content[name]
    taxon = content["taxon"] or {}
    columns["taxon_scientific"], columns["taxon_common"] = taxon.get("scientific"), taxon.get("common")
    gene = content["reference_gene"] or {}
    columns["reference_gene"] = gene.get("gene")
    columns["reference_gene_verified"] = gene.get("verified") if trusted else None
    columns["reference_gene_source"] = gene.get("source")
    if trusted:
        marks = content["verification"]
        columns["verified"] = content["verified"]
        columns["amplicon_consistent"] = marks["amplicon_consistent"]
        columns["seen_in"], columns["n_places"] = marks["seen_in"], marks["n_places"]
    return columns


Row = dict[str, Any]


def parts_of(content: Content, match: Matcher, *, trusted: bool) -> dict[type[Any], list[Row]]:
    """Return the rows of the tables under a version that content fills, but for studies."""
    targets: list[Row] = []
    for name, kind in (("targets", TargetKind.TARGET), ("lmo_unique_identifiers", TargetKind.LMO)):
        for place, words in enumerate(content[name]):
            lmo_id, element_id = match(kind, words)
            targets.append(
                {"kind": kind, "position": place, "text": words, "lmo_id": lmo_id, "element_id": element_id}
            )
    figures = {column: content["validation"][key] for key, column in queries.VALIDATION_COLUMNS.items()}
    if not trusted:
        figures["inferred"] = None
    digest = oligo_digest(oligo["sequence"] for oligo in content["oligos"])
    return {
        Oligo: [
            {
                "position": place,
                "role": OligoRole(oligo["role"]),
                "set_name": oligo["set"],
                **{key: value for key, value in oligo.items() if key not in ("role", "set")},
            }
            for place, oligo in enumerate(content["oligos"])
        ],
        OligoSet: [{"position": n, **each} for n, each in enumerate(content["oligo_sets"])],
        ReferenceMaterial: [{"position": n, **each} for n, each in enumerate(content["reference_materials"])],
        MethodTarget: targets,
        MethodSource: [{"position": n, **each} for n, each in enumerate(content["sources"])],
        MethodValidation: [figures] if any(value is not None for value in figures.values()) else [],
        OligoDigest: [{"digest": digest}] if digest else [],
    }


def studies_of(content: Content) -> list[tuple[Row, list[Row]]]:
    """Return the rows of the studies that content tells of, each with those of its levels."""
    return [
        (
            {
                "position": position,
                "kind": StudyKind(study["kind"]),
                "data": study["data"],
                "decisions": study["decisions"] or None,
                **{key: study[key] for key in exchange.STUDY if key != "kind"},
            },
            [
                {
                    "position": place,
                    **{queries.LEVEL_COLUMNS.get(key, key): level[key] for key in exchange.LEVEL},
                }
                for place, level in enumerate(study["levels"])
            ],
        )
        for position, study in enumerate(content["studies"])
    ]


def fill(version: MethodVersion, content: Content, match: Matcher, *, trusted: bool) -> None:
    """Write content into a version; marks of the hub's own checks only from a ``trusted`` source."""
    for name, value in columns_of(content, trusted=trusted).items():
        setattr(version, name, value)
    parts: list[list[Any]] = [
        version.oligos,
        version.targets,
        version.sources,
        version.oligo_sets,
        version.reference_materials,
        version.studies,
    ]
    if any(parts) or version.validation or version.oligo_digest:
        for part in parts:
            part.clear()
        version.validation = version.oligo_digest = None
        db.session.flush()  # positions are unique: the old rows go first
    rows = parts_of(content, match, trusted=trusted)
    version.oligos = [Oligo(**row) for row in rows[Oligo]]
    version.oligo_sets = [OligoSet(**row) for row in rows[OligoSet]]
    version.reference_materials = [ReferenceMaterial(**row) for row in rows[ReferenceMaterial]]
    version.targets = [MethodTarget(**row) for row in rows[MethodTarget]]
    version.sources = [MethodSource(**row) for row in rows[MethodSource]]
    version.validation = next((MethodValidation(**row) for row in rows[MethodValidation]), None)
    version.oligo_digest = next((OligoDigest(**row) for row in rows[OligoDigest]), None)
    version.studies = [
        ValidationStudy(**study, levels=[StudyLevel(version=version, **level) for level in levels])
        for study, levels in studies_of(content)
    ]
    find_commands.changed(version)


def new_hub_codes(count: int) -> list[str]:
    """Return the next codes that the hub makes."""
    counter = db.session.get_one(MethodCounter, 1, with_for_update=True, populate_existing=True)
    counter.last += count
    return [f"LH-{number}" for number in range(counter.last - count + 1, counter.last + 1)]


def wished_code(content: Content) -> str:
    """Return the code that the sender asks for; hub-made codes are nobody's to ask for."""
    for name in ("wished_code", "code"):
        code = content[name]
        if code and not HUB_CODE.fullmatch(code):
            return str(code)
    return ""


def check_wish(code: str, *, but: int | None = None) -> None:
    """Refuse a code under which a method is published; wishes of drafts are not told to others."""
    if code and queries.published_code_exists(code, but=but):
        raise Conflict(_("The code %(code)s is taken by a published method.", code=code), field="code")
