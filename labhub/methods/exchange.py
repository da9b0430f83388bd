"""A method as data: the shape of labhub's JSON and CSV, checked with every problem named.

``check`` turns what somebody sent (JSON, a CSV row, a form) into *content*: a dictionary with every key of
``CONTENT``, in which null means not reported. ``rows_of_file`` reads whole files, also of the raw shape of
the project's data folder. Nothing here knows a database, a clock or a file system.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from labhub import strict_json
from labhub.cells import gathered, spread, write_csv
from labhub.errors import Invalid
from labhub.i18n import Text, _
from labhub.lmos import unique_identifier
from labhub.methods import study_working
from labhub.methods.models import (
    AssayFormat,
    DecisionAction,
    MethodOrigin,
    OligoRole,
    Right,
    Specificity,
    StudyKind,
    Technique,
)
from labhub.names import clean_name
from labhub.sequences.oligos import (
    OF_A_BASE,
    begins_with,
    normalised,
    read_oligo,
    remarks,
    reverse_complement,
)

Content = dict[str, Any]
Errors = dict[str, list[Text]]

LONGEST_NOTE = 10 << 10
LONGEST_TEXT = 64 << 10
MOST_OLIGOS = 120
MOST_SETS = 100
MOST_MATERIALS = 50
MOST_STUDIES = 30
MOST_LEVELS = 60
MOST_RESULTS = 5_000
"""Raw results of one study."""
MOST_DECISIONS = 200
MOST_LINES = 200
MOST_RECORDS = 10_000
HUB_CODE = re.compile(r"[Ll][Hh]-[0-9]+")
CODE_SHAPE = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
RESERVED_CODES = frozenset(
    {"new", "import", "review", "rows", "compare", "download", "pack", "who", "conflicts"}
    | {"facets", "searches", "list.csv", "template", "example"}
)
"""Words that stand at a code's place in an address or in the example of a template."""

HUB_FACTS = "record"
"""Key of an export under which stand facts that the hub gives (state, version, files, owner); not read."""


@dataclass
class Checked:
    """A record as far as it could be read, and what is wrong or doubtful with it."""

    content: Content
    errors: Errors = field(default_factory=dict)
    warnings: list[Text] = field(default_factory=list)

    def add(self, name: str, message: Text) -> None:
        """Note a problem of a field."""
        self.errors.setdefault(name, []).append(message)

    def raise_if_wrong(self) -> None:
        """Raise ``Invalid`` with every problem."""
        if self.errors:
            raise Invalid(_("Please correct the marked fields."), errors=self.errors)


# One value ------------------------------------------------------------------------------------

Reader = Callable[[Any], Any]


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(_("This must be a text."))
    return value


def _line(longest: int, *, needed: bool = False) -> Reader:
    def read(value: Any) -> str | None:
        if _empty(value):
            if needed:
                raise Invalid(_("This field is needed."))
            return None
        return clean_name(" ".join(_as_text(value).split()), field="", longest=longest)

    return read


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Signs that turn the direction of what follows; the marks of one letter (LRM, RLM) may stay."""


def _paragraphs(longest: int) -> Reader:
    def read(value: Any) -> str | None:
        if _empty(value):
            return None
        text = unicodedata.normalize("NFC", _as_text(value)).replace("\r\n", "\n").replace("\r", "\n").strip()
        if len(text) > longest:
            raise Invalid(_("At most %(number)s characters.", number=longest))
        if _CONTROL.search(text):
            raise Invalid(_("Control characters are not allowed here."))
        if _DIRECTION.search(text):
            raise Invalid(_("Invisible or control characters are not allowed here."))
        return text or None

    return read


def _lines(longest: int) -> Reader:
    read_line = _line(longest)

    def read(value: Any) -> list[str]:
        if value is None:
            return []
        items = value.splitlines() if isinstance(value, str) else value
        if not isinstance(items, Sequence):
            raise Invalid(_("This must be a list of texts."))
        if len(items) > MOST_LINES:
            raise Invalid(_("At most %(number)s entries.", number=MOST_LINES))
        return [line for line in (read_line(item) for item in items) if line is not None]

    return read


_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0"})


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if _empty(value):
        return None
    word = str(value).strip().casefold()
    if word not in _YES | _NO:
        raise Invalid(_("Write true or false."))
    return word in _YES


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def _read_number(value: Any) -> float | int | None:
    if _empty(value):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid(_("This must be a number."))
    if isinstance(value, str):
        text = value.strip()
        if "," in text:
            raise Invalid(_("Write the number with a point, not a comma, and without thousands signs: 1.5."))
        if not _NUMBER.fullmatch(text):
            raise Invalid(_("This is not a number. Leave it empty when it is not reported."))
        value = float(text)
    if value != value or abs(value) > 1e12:
        raise Invalid(_("This is not a number that can be stored."))
    return plain_number(value)


def plain_number(value: float | None) -> float | int | None:
    """Return 300 for 300.0, so that a number has one spelling on both databases."""
    return int(value) if value is not None and float(value).is_integer() else value


def _number(*, above: float | None = None, least: float | None = None, most: float | None = None) -> Reader:
    def read(value: Any) -> float | int | None:
        number = _read_number(value)
        if number is None:
            return None
        if above is not None and number <= above:
            raise Invalid(_("This must be more than %(number)s.", number=above))
        if least is not None and number < least:
            raise Invalid(_("This must be at least %(number)s.", number=least))
        if most is not None and number > most:
            raise Invalid(_("This must be at most %(number)s.", number=most))
        return number

    return read


def _slope(value: Any) -> float | int | None:
    number = _read_number(value)
    if number is not None and number >= 0:
        raise Invalid(_("The slope of a standard curve is negative, about -3.3."))
    return number


def _whole(least: int, most: int) -> Reader:
    limits = _number(least=least, most=most)

    def read(value: Any) -> int | None:
        number = limits(value)
        if number is not None and not isinstance(number, int):
            raise Invalid(_("This must be a whole number."))
        return number

    return read


def _choice(kind: type[StrEnum], *, needed: bool = True) -> Reader:
    values = tuple(member.value for member in kind)

    def read(value: Any) -> str | None:
        if _empty(value):
            if needed:
                raise Invalid(_("This field is needed."))
            return None
        word = _as_text(value).strip().casefold()
        if word not in values:
            raise Invalid(_("Choose one of %(names)s.", names=", ".join(values)))
        return word

    return read


def _choices(kind: type[StrEnum]) -> Reader:
    """Read a list of values of ``kind``: each once, in the order of its members."""
    read_line = _lines(60)

    def read(value: Any) -> list[str]:
        words = {word.casefold() for word in read_line(value)}
        names = [member.value for member in kind]
        if words - set(names):
            raise Invalid(_("Choose among %(names)s.", names=", ".join(names)))
        return [name for name in names if name in words]

    return read


def _code(value: Any) -> str | None:
    if _empty(value):
        return None
    code = _as_text(value).strip()
    if len(code) > 60 or not CODE_SHAPE.fullmatch(code) or code.casefold() in RESERVED_CODES:
        raise Invalid(
            _("A code has at most 60 letters and digits, with single hyphens, points or underscores between.")
        )
    return code


def _address(value: Any) -> str | None:
    text: str | None = _line(1000)(value)
    if text is not None and not re.match(r"https?://[^\s]+$", text):
        raise Invalid(_("An address begins with https:// or http://."))
    return text


def _identifiers(value: Any) -> list[str]:
    """Return unique identifiers in canonical spelling (0 for Ø); other texts are only cleaned."""
    return [identifier for line in _lines(300)(value) if (identifier := unique_identifier.normalise(line))]


def _amplicon(value: Any) -> str | None:
    return None if _empty(value) else normalised(_as_text(value)) or None


# The shape ------------------------------------------------------------------------------------

PERCENT = _number(above=0, most=100)

SCALARS: Final[dict[str, Reader]] = {
    "code": _code,
    "wished_code": _code,
    "source_code": _line(120),
    "title": _line(300, needed=True),
    "specificity": _choice(Specificity),
    "target": _line(300),
    "targets": _lines(300),
    "technique": _choice(Technique),
    "chemistry": _line(100),
    "assay_format": _choice(AssayFormat, needed=False),
    "multiplex": _flag,
    "quantitative": _flag,
    "amplicon_bp": _whole(1, 100_000),
    "amplicon": _amplicon,
    "amplicon_accession": _line(100),
    "analyte": _line(300),
    "antibodies": _paragraphs(LONGEST_NOTE),
    "instrument": _line(300),
    "reference_method": _line(200),
    "calibrant": _paragraphs(LONGEST_NOTE),
    "reaction_microlitre": _number(above=0, most=10_000),
    "template_nanogram": _number(above=0, most=1_000_000),
    "thermal_profile": _paragraphs(LONGEST_TEXT),
    "reagents": _paragraphs(LONGEST_TEXT),
    "matrices": _lines(300),
    "licence": _line(200),
    "rights": _choices(Right),
    "rights_note": _paragraphs(LONGEST_NOTE),
    "standardisation": _line(200),
    "lmo_unique_identifiers": _identifiers,
    "target_copies_per_haploid_genome": _whole(1, 1_000_000),
    "same_oligos_as": _lines(120),
    "notes": _lines(LONGEST_NOTE),
    "verified": _flag,
    "origin": _choice(MethodOrigin, needed=False),
}
GROUPS: Final[dict[str, dict[str, Reader]]] = {
    "taxon": {"scientific": _line(200), "common": _line(200)},
    "reference_gene": {"gene": _line(200), "verified": _flag, "source": _line(500)},
    "validation": {
        "collaborative_trial": _flag,
        "laboratories": _whole(1, 100_000),
        "year": _whole(1980, 2200),
        "body": _line(300),
        "note": _paragraphs(LONGEST_NOTE),
        "source": _paragraphs(LONGEST_NOTE),
        "inferred": _flag,
        "lod_text": _line(500),
        "lod_copies": _number(above=0),
        "lod_percent": PERCENT,
        "loq_text": _line(500),
        "loq_copies": _number(above=0),
        "loq_percent": PERCENT,
        "rsdr_percent": _number(least=0, most=1000),
        "rsdR_percent": _number(least=0, most=1000),
        "slope": _slope,
        "pcr_efficiency_percent": _number(above=0, most=1000),
        "r2": _number(least=0, most=1),
        "bias_percent": _number(least=-1000, most=1000),
        "dynamic_range": _line(500),
        "figures_note": _paragraphs(LONGEST_NOTE),
        "figures_source": _paragraphs(LONGEST_NOTE),
    },
    "verification": {
        "amplicon_consistent": _flag,
        "seen_in": _lines(500),
        "n_places": _whole(0, 10_000),
    },
}
MAY_BE_NULL: Final = frozenset({"taxon", "reference_gene"})
"""Groups that are null as a whole when nothing of them is known."""
OLIGO: Final[dict[str, Reader]] = {
    "set": _line(60),
    "role": _choice(OligoRole),
    "name": _line(100),
    "sequence": _as_text,
    "label5": _line(60),
    "label3": _line(60),
    "final_concentration_nanomolar": _number(above=0, most=1_000_000_000),
}
OLIGO_SET: Final[dict[str, Reader]] = {
    "name": _line(60, needed=True),
    "target": _line(300),
    "amplicon_bp": _whole(1, 100_000),
    "amplicon": _amplicon,
    "amplicon_accession": _line(100),
}
MATERIAL: Final[dict[str, Reader]] = {
    "name": _line(300),
    "code": _line(100),
    "producer": _line(200),
    "matrix": _line(200),
    "certified_value": _number(least=0),
    "certified_unit": _line(60),
    "expanded_uncertainty": _number(least=0),
    "note": _paragraphs(LONGEST_NOTE),
}
STUDY: Final[dict[str, Reader]] = {
    "kind": _choice(StudyKind),
    "title": _line(300),
    "body": _line(300),
    "laboratory": _line(300),
    "year": _whole(1980, 2200),
    "standard": _line(300),
    "matrix": _line(300),
    "instrument": _line(300),
    "laboratories": _whole(1, 100_000),
    "replicates": _whole(1, 100_000),
    "unit": _line(60),
    "slope": _slope,
    "r2": _number(least=0, most=1),
    "pcr_efficiency_percent": _number(above=0, most=1000),
    "lod_copies": _number(above=0),
    "lod_copies_low": _number(least=0),
    "lod_copies_high": _number(above=0),
    "lod_percent": PERCENT,
    "loq_copies": _number(above=0),
    "loq_percent": PERCENT,
    "dynamic_low": _number(least=0),
    "dynamic_high": _number(above=0),
    "specificity_tested": _whole(0, 1_000_000),
    "specificity_amplified": _whole(0, 1_000_000),
    "note": _paragraphs(LONGEST_NOTE),
    "source": _paragraphs(LONGEST_NOTE),
}
LEVEL: Final[dict[str, Reader]] = {
    "label": _line(100),
    "assigned": _number(least=0),
    "laboratories": _whole(1, 100_000),
    "laboratories_excluded": _whole(0, 100_000),
    "replicates": _whole(1, 100_000),
    "results": _whole(0, 1_000_000),
    "mean": _number(),
    "bias_percent": _number(least=-1000, most=100_000),
    "s_r": _number(least=0),
    "s_R": _number(least=0),
    "rsdr_percent": _number(least=0, most=100_000),
    "rsdR_percent": _number(least=0, most=100_000),
    "tested": _whole(0, 1_000_000),
    "positive": _whole(0, 1_000_000),
}
DECISION: Final[dict[str, Reader]] = {
    "laboratory": _line(100, needed=True),
    "level": _line(100),
    "action": _choice(DecisionAction),
    "reason": _line(500, needed=True),
}
"""A laboratory of a trial that a person keeps or excludes."""
SOURCE: Final[dict[str, Reader]] = {
    "title": _line(500, needed=True),
    "url": _address,
    "year": _whole(1800, 2200),
}
CONTENT: Final = (
    "code", "wished_code", "source_code", "title", "specificity", "target", "targets", "taxon", "technique",
    "chemistry", "assay_format", "multiplex", "quantitative", "oligos", "amplicon_bp", "amplicon",
    "amplicon_accession", "oligo_sets", "analyte", "antibodies", "instrument", "reference_gene",
    "reference_method", "calibrant", "reference_materials", "reaction_microlitre", "template_nanogram",
    "thermal_profile", "reagents", "matrices", "licence", "rights", "rights_note", "validation", "studies",
    "standardisation", "lmo_unique_identifiers",
    "target_copies_per_haploid_genome", "same_oligos_as", "notes", "sources", "verified", "verification",
    "origin",
)  # fmt: skip
"""Keys of a record, in the order in which they are written."""
LISTS: Final[dict[str, tuple[dict[str, Reader], int]]] = {
    "oligo_sets": (OLIGO_SET, MOST_SETS),
    "reference_materials": (MATERIAL, MOST_MATERIALS),
    "sources": (SOURCE, 50),
}
"""Lists of plain records: the shape of one, and how many there may be."""
LATER: Final = frozenset(
    {
        "assay_format", "multiplex", "oligo_sets", "analyte", "antibodies", "instrument",
        "reference_materials", "rights", "rights_note", "studies",
    }
)  # fmt: skip
"""Keys that the first seals did not know: where they are empty, a seal leaves them out."""

ROLE_ORDER = {role.value: place for place, role in enumerate(OligoRole)}


def check(given: Any) -> Checked:
    """Return the content that a record means, every problem by field, and doubts that refuse nothing."""
    checked = Checked({})
    if not isinstance(given, Mapping):
        checked.add("_", _("A method must be an object with fields."))
        return checked
    for name in given:
        if name not in CONTENT and name != HUB_FACTS:
            checked.add(str(name)[:100], _("There is no such field, or it is not yours to set."))
    for name in CONTENT:
        if name in SCALARS:
            checked.content[name] = _read(checked, name, SCALARS[name], given.get(name))
        elif name in GROUPS:
            checked.content[name] = _read_group(checked, name, given.get(name))
        elif name == "oligos":
            checked.content[name] = _read_oligos(checked, given.get(name))
        elif name == "studies":
            checked.content[name] = _read_studies(checked, given.get(name))
        else:
            checked.content[name] = _read_records(checked, name, given.get(name))
    content = checked.content
    content["quantitative"] = bool(content["quantitative"])
    content["target"] = content["target"] or ""
    _check_materials(checked)
    _check_sets(checked)
    _check_amplicon(checked, content, "", "")
    for place, oligo_set in enumerate(content["oligo_sets"]):
        _check_amplicon(checked, oligo_set, oligo_set["name"], f"oligo_sets.{place}.")
    return checked


def _read(checked: Checked, name: str, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except Invalid as refusal:
        checked.add(name, refusal.message)
        return None


def _read_group(checked: Checked, name: str, given: Any) -> dict[str, Any] | None:
    shape = GROUPS[name]
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        checked.add(name, _("This must be an object with fields."))
        given = {}
    for key in given:
        if key not in shape:
            checked.add(f"{name}.{str(key)[:100]}", _("There is no such field, or it is not yours to set."))
    group = {key: _read(checked, f"{name}.{key}", reader, given.get(key)) for key, reader in shape.items()}
    if name in MAY_BE_NULL and all(value is None for value in group.values()):
        return None
    if name == "reference_gene" and group["gene"] is None:
        checked.add("reference_gene.gene", _("Name the gene."))
    return group


def _read_list(checked: Checked, name: str, given: Any, most: int) -> list[tuple[str, Mapping[str, Any]]]:
    if given is None:
        return []
    if not isinstance(given, list):
        checked.add(name, _("This must be a list."))
        return []
    if len(given) > most:
        checked.add(name, _("At most %(number)s entries.", number=most))
        return []
    found: list[tuple[str, Mapping[str, Any]]] = []
    for place, item in enumerate(given):
        if isinstance(item, Mapping):
            found.append((f"{name}.{place}", item))
        else:
            checked.add(f"{name}.{place}", _("This must be an object with fields."))
    return found


def _unknown(checked: Checked, path: str, item: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in item:
        if key not in known:
            checked.add(f"{path}.{str(key)[:100]}", _("There is no such field, or it is not yours to set."))


def _read_oligos(checked: Checked, given: Any) -> list[dict[str, Any]]:
    oligos = []
    for path, item in _read_list(checked, "oligos", given, MOST_OLIGOS):
        _unknown(checked, path, item, {*OLIGO, "modifications"})
        oligo = {
            key: _read(checked, f"{path}.{key}", reader, item.get(key))
            for key, reader in OLIGO.items()
            if key != "sequence"
        }
        oligo["name"] = oligo["name"] or ""
        oligo["set"] = oligo["set"] or ""
        bases, inside = _read_bases(checked, f"{path}.sequence", item.get("sequence"), oligo)
        oligo["sequence"] = bases
        stated = _read_modifications(checked, f"{path}.modifications", item.get("modifications"), len(bases))
        oligo["modifications"] = sorted(
            (*inside, *stated), key=lambda modification: int(modification["after_base"])
        )
        order = (
            "set",
            "role",
            "name",
            "sequence",
            "label5",
            "label3",
            "final_concentration_nanomolar",
            "modifications",
        )
        oligos.append({key: oligo[key] for key in order})
    return oligos


def _read_bases(
    checked: Checked, path: str, given: Any, oligo: dict[str, Any]
) -> tuple[str, list[dict[str, Any]]]:
    """Return the bases; a modification at an end is a label where none is stated."""
    if _empty(given):
        checked.add(path, _("This field is needed."))
        return "", []
    try:
        read = read_oligo(_as_text(given))
    except Invalid as refusal:
        checked.add(path, refusal.message)
        return "", []
    if read.bases != given or "NNNN" in given:
        checked.warnings += remarks(_as_text(given), read)
    inside = []
    for place, name in read.modifications:
        if name in OF_A_BASE:
            inside.append({"after_base": place, "name": name})
        elif place == 0 and oligo["label5"] is None:
            oligo["label5"] = name[:60]
        elif place == len(read.bases) and oligo["label3"] is None:
            oligo["label3"] = name[:60]
        else:
            inside.append({"after_base": place, "name": name[:60]})
    return read.bases, inside


def _read_modifications(checked: Checked, path: str, given: Any, bases: int) -> list[dict[str, Any]]:
    found = []
    for place, item in _read_list(checked, path, given, 50):
        _unknown(checked, place, item, ("after_base", "name"))
        name = _read(checked, f"{place}.name", _line(60, needed=True), item.get("name"))
        after = _read(checked, f"{place}.after_base", _whole(0, bases), item.get("after_base"))
        if after is None and f"{place}.after_base" not in checked.errors:
            checked.add(f"{place}.after_base", _("This field is needed."))
        found.append({"after_base": after or 0, "name": name or ""})
    return found


def _read_records(checked: Checked, name: str, given: Any) -> list[dict[str, Any]]:
    """Return a list of plain records, each with every key of its shape."""
    shape, most = LISTS[name]
    records = []
    for path, item in _read_list(checked, name, given, most):
        _unknown(checked, path, item, shape)
        records.append(
            {key: _read(checked, f"{path}.{key}", reader, item.get(key)) for key, reader in shape.items()}
        )
    return records


def _check_materials(checked: Checked) -> None:
    for place, material in enumerate(checked.content["reference_materials"]):
        path = f"reference_materials.{place}"
        if not material["name"] and not material["code"] and f"{path}.name" not in checked.errors:
            checked.add(f"{path}.name", _("Give the name or the code of the reference material."))
        if material["certified_value"] is not None and not material["certified_unit"]:
            checked.add(f"{path}.certified_unit", _("Give the unit of the certified value."))


def _check_sets(checked: Checked) -> None:
    """Names of oligo sets are unique, and each oligo is of one of them; oligos stand by set and role."""
    content = checked.content
    order = {"": 0}
    for place, oligo_set in enumerate(content["oligo_sets"]):
        name = oligo_set["name"]
        if name is None:
            continue
        if name in order:
            checked.add(f"oligo_sets.{place}.name", _("There is an oligo set of this name already."))
        order.setdefault(name, place + 1)
    for place, oligo in enumerate(content["oligos"]):
        if oligo["set"] not in order:
            checked.add(f"oligos.{place}.set", _("There is no oligo set %(name)s.", name=oligo["set"]))
    content["oligos"].sort(
        key=lambda oligo: (order.get(oligo["set"], 0), ROLE_ORDER.get(oligo["role"] or "", 9))
    )


def _read_studies(checked: Checked, given: Any) -> list[dict[str, Any]]:
    studies = []
    for path, item in _read_list(checked, "studies", given, MOST_STUDIES):
        _unknown(checked, path, item, {*STUDY, "levels", "data", "decisions"})
        study = {key: _read(checked, f"{path}.{key}", reader, item.get(key)) for key, reader in STUDY.items()}
        study["levels"] = _read_levels(checked, f"{path}.levels", item.get("levels"))
        study["data"] = _read_results(checked, f"{path}.data", item.get("data"))
        study["decisions"] = _read_decisions(checked, f"{path}.decisions", item.get("decisions"))
        tested, amplified = study["specificity_tested"], study["specificity_amplified"]
        if amplified is not None and (tested is None or amplified > tested):
            checked.add(
                f"{path}.specificity_amplified", _("No more non-targets can give a signal than were tested.")
            )
        for low, high in (("lod_copies_low", "lod_copies_high"), ("dynamic_low", "dynamic_high")):
            if study[low] is not None and study[high] is not None and study[low] > study[high]:
                checked.add(f"{path}.{low}", _("The lower end lies above the upper end."))
        if study["data"] and not study["levels"] and not checked.errors:
            study = study_working.computed(study)
            if len(study["levels"]) > MOST_LEVELS:
                checked.add(f"{path}.data", _("At most %(number)s levels.", number=MOST_LEVELS))
        studies.append(study)
    return studies


def check_study(given: Any) -> tuple[dict[str, Any], Errors]:
    """Return one study as ``check`` returns those of a record, and its problems by field."""
    checked = Checked({})
    studies = _read_studies(checked, [given])
    return (studies[0] if studies else {}), {
        path.removeprefix("studies.0."): texts for path, texts in checked.errors.items()
    }


def _read_levels(checked: Checked, path: str, given: Any) -> list[dict[str, Any]]:
    levels = []
    for place, item in _read_list(checked, path, given, MOST_LEVELS):
        _unknown(checked, place, item, LEVEL)
        level = {
            key: _read(checked, f"{place}.{key}", reader, item.get(key)) for key, reader in LEVEL.items()
        }
        level["label"] = level["label"] or ""
        if level["positive"] is not None and (level["tested"] is None or level["positive"] > level["tested"]):
            checked.add(f"{place}.positive", _("No more results can be positive than were tested."))
        levels.append(level)
    return levels


_RESULT_TEXT = _line(100, needed=True)
_RESULT_NUMBER = _number()


def _read_results(checked: Checked, path: str, given: Any) -> list[list[Any]]:
    """Return raw results ``[laboratory, level, replicate, value]``; a missing value is null."""
    if given is None:
        return []
    if not isinstance(given, list):
        checked.add(path, _("This must be a list."))
        return []
    if len(given) > MOST_RESULTS:
        checked.add(path, _("At most %(number)s entries.", number=MOST_RESULTS))
        return []
    rows, seen = [], set()
    for place, item in enumerate(given):
        if not isinstance(item, list) or len(item) != 4:
            checked.add(f"{path}.{place}", _("A result is laboratory, level, replicate and value."))
            continue
        laboratory, level = (
            _read(checked, f"{path}.{place}.{column}", _RESULT_TEXT, item[column]) for column in (0, 1)
        )
        replicate = _read(checked, f"{path}.{place}.2", _whole(1, 1000), item[2])
        value = _read(checked, f"{path}.{place}.3", _RESULT_NUMBER, item[3])
        if (laboratory, level, replicate) in seen:
            checked.add(f"{path}.{place}", _("This laboratory, level and replicate stands here twice."))
        seen.add((laboratory, level, replicate))
        rows.append([laboratory, level, replicate, value])
    return rows


def _read_decisions(checked: Checked, path: str, given: Any) -> list[dict[str, Any]]:
    """Return who was kept or excluded by hand: laboratory, level ("" for all), action and reason."""
    decisions, seen = [], set()
    for place, item in _read_list(checked, path, given, MOST_DECISIONS):
        _unknown(checked, place, item, DECISION)
        decision = {
            key: _read(checked, f"{place}.{key}", reader, item.get(key)) for key, reader in DECISION.items()
        }
        decision["level"] = decision["level"] or ""
        if (decision["laboratory"], decision["level"]) in seen:
            checked.add(place, _("There is one decision for a laboratory at a level."))
        seen.add((decision["laboratory"], decision["level"]))
        decisions.append(decision)
    return decisions


def _check_amplicon(checked: Checked, record: dict[str, Any], set_name: str | None, path: str) -> None:
    """Compare the amplicon of an oligo set with its stated length and its primers."""
    bases = record["amplicon"]
    if bases is None or f"{path}amplicon_bp" in checked.errors:
        return
    if record["amplicon_bp"] is None:
        record["amplicon_bp"] = len(bases)
    elif record["amplicon_bp"] != len(bases):
        checked.add(
            f"{path}amplicon_bp",
            _(
                "The amplicon has %(found)s bases, not %(stated)s. Write N for bases that are not known.",
                found=len(bases),
                stated=record["amplicon_bp"],
            ),
        )
    primers = {
        role: [
            oligo["sequence"]
            for oligo in checked.content["oligos"]
            if oligo["role"] == role and oligo["set"] == set_name
        ]
        for role in ("forward", "reverse")
    }
    if any(not sequence for sequences in primers.values() for sequence in sequences):
        return
    ends = {"forward": bases, "reverse": reverse_complement(bases)}
    if all(primers.values()) and not all(
        any(begins_with(ends[role], primer) for primer in sequences) for role, sequences in primers.items()
    ):
        checked.warnings.append(
            _(
                "The amplicon of the oligo set %(name)s does not begin and end with the primers. Check both.",
                name=set_name,
            )
            if set_name
            else _("The amplicon does not begin and end with the primers. Check both.")
        )


_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")


def language_tag(text: str | None) -> str | None:
    """Return a BCP 47 language tag, or nothing; ``Invalid`` for another shape.

    >>> language_tag("pt-BR")
    'pt-BR'
    """
    if _empty(text):
        return None
    tag = str(text).strip()
    if not _LANGUAGE_TAG.fullmatch(tag):
        raise Invalid(_("Write the language as a tag: en, fr, pt-BR."), field="language")
    return tag


def file_licence(text: str | None) -> str | None:
    """Return the licence of a file as one clean line, or nothing."""
    try:
        licence: str | None = _line(200)(text)
    except Invalid as refusal:
        raise Invalid(refusal.message, field="licence") from refusal
    return licence


def submission_gaps(content: Content, file_roles: Iterable[str]) -> Errors:
    """Return what a laboratory's method lacks for submission, by field (domain guide, section 4)."""
    gaps: Errors = {}

    def need(name: str, present: bool, message: Text) -> None:
        if not present:
            gaps[name] = [message]

    technique = content["technique"]
    is_protein = technique == Technique.PROTEIN
    need(
        "target", bool(content["target"] or content["targets"]), _("Name what is detected: event or element.")
    )
    need("targets", bool(content["targets"]), _("List the targets, one each."))
    if content["specificity"] != Specificity.SCREENING:
        need("taxon", content["taxon"] is not None, _("Name the taxon."))
    if is_protein:
        need("assay_format", content["assay_format"] is not None, _("Say in which format the test is done."))
        need("analyte", bool(content["analyte"]), _("Name the protein that is detected."))
    else:
        _need_oligos(content, need)
        need("thermal_profile", bool(content["thermal_profile"]), _("Describe the temperature programme."))
    if technique in (Technique.ISOTHERMAL, Technique.SEQUENCING):
        need("assay_format", content["assay_format"] is not None, _("Say in which format the test is done."))
    need("reagents", bool(content["reagents"]), _("List the reagents."))
    need("reaction_microlitre", content["reaction_microlitre"] is not None, _("Give the reaction volume."))
    if not is_protein:
        need(
            "template_nanogram", content["template_nanogram"] is not None, _("Give the DNA in one reaction.")
        )
    if content["quantitative"] and content["specificity"] != Specificity.TAXON:
        need(
            "reference_method",
            bool(content["reference_method"] or content["reference_gene"]),
            _("Name the taxon-specific reference method."),
        )
    need(
        "calibrant",
        bool(content["calibrant"] or content["reference_materials"]),
        _("Name the calibrant or reference material and its supplier."),
    )
    need("matrices", bool(content["matrices"]), _("Name the matrices that the method was tried on."))
    figures = content["validation"]
    need(
        "validation",
        bool(content["studies"])
        or any(value is not None for key, value in figures.items() if key != "inferred"),
        _("Give validation figures, as far as they were determined."),
    )
    need("licence", bool(content["licence"]), _("Say under which licence the method may be used."))
    need("rights", bool(content["rights"]), _("Say which rights have to be heeded."))
    need("files", "sop" in set(file_roles), _("Add the SOP as a file."))
    return gaps


def _need_oligos(content: Content, need: Callable[[str, bool, Text], None]) -> None:
    """Ask each oligo set for its primers, probe and amplicon.

    Isothermal reactions have primers of other kinds, and a whole genome is sequenced without any.
    """
    technique = content["technique"]
    if content["assay_format"] == AssayFormat.WHOLE_GENOME:
        return
    places = {"": ""} | {each["name"]: f"oligo_sets.{n}." for n, each in enumerate(content["oligo_sets"])}
    records = {"": content} | {each["name"]: each for each in content["oligo_sets"]}
    used = {oligo["set"] for oligo in content["oligos"]}
    for name, path in places.items():
        if not name and content["oligo_sets"] and name not in used:
            continue  # all oligos stand in named sets
        roles = [oligo["role"] for oligo in content["oligos"] if oligo["set"] == name]
        if technique == Technique.ISOTHERMAL:
            need(f"{path}oligos", len(roles) >= 2, _("Give the primers."))
        else:
            need(
                f"{path}oligos",
                {"forward", "reverse"} <= set(roles),
                _("Give a forward and a reverse primer."),
            )
        if technique in (Technique.QPCR, Technique.DPCR) and _uses_probe(content):
            need(
                f"{path}oligos.probe", "probe" in roles, _("Give the probe, or name a chemistry without one.")
            )
        record = records[name]
        need(f"{path}amplicon_bp", record["amplicon_bp"] is not None, _("Give the length of the amplicon."))
        need(
            f"{path}amplicon",
            bool(record["amplicon"] or record["amplicon_accession"]),
            _("Give the sequence of the amplicon or an accession number."),
        )
    for place, oligo in enumerate(content["oligos"]):
        path = f"oligos.{place}"
        need(f"{path}.name", bool(oligo["name"]), _("Name each primer and probe."))
        need(
            f"{path}.final_concentration_nanomolar",
            oligo["final_concentration_nanomolar"] is not None,
            _("Give the final concentration in nmol/L."),
        )
        if oligo["role"] == "probe":
            need(f"{path}.label5", bool(oligo["label5"]), _("Name the fluorophore."))
            need(f"{path}.label3", bool(oligo["label3"]), _("Name the quencher."))


def _uses_probe(content: Content) -> bool:
    chemistry = (content["chemistry"] or "").casefold()
    return not any(word in chemistry for word in ("sybr", "evagreen", "intercalat", "dye"))


# JSON -----------------------------------------------------------------------------------------

RAW_TECHNIQUES: dict[str, tuple[str, str | None]] = {
    "conventional": ("end-point", None),
    "real-time PCR TaqMan": ("qpcr", "TaqMan"),
    "SYBR": ("qpcr", "SYBR"),
}
RAW_SCOPES = {"screening-element": "screening", "event": "event", "construct": "construct", "taxon": "taxon"}
RAW_KEYS = frozenset(
    {"id", "scope", "species", "amplicon_length_bp", "amplicon_sequence", "performance", "source"}
    | {"reaction_volume_ul", "lmo_unique_ids"}
)
RAW_SAME = (
    "code", "source_code", "title", "target", "targets", "quantitative", "reference_gene", "thermal_profile",
    "standardisation", "target_copies_per_haploid_genome", "notes", "verified", "verification",
)  # fmt: skip
RAW_FIGURES = {
    "lod": "lod_text",
    "loq": "loq_text",
    "rsdr_repeatability_pct": "rsdr_percent",
    "rsdR_reproducibility_pct": "rsdR_percent",
    "slope": "slope",
    "efficiency_pct": "pcr_efficiency_percent",
    "r2": "r2",
    "trueness_bias_pct": "bias_percent",
    "dynamic_range": "dynamic_range",
    "note": "figures_note",
    "source": "figures_source",
}


def is_raw(record: Any) -> bool:
    """Say whether a record has the shape of the project's data folder, not labhub's."""
    return isinstance(record, Mapping) and "scope" in record and "specificity" not in record


def from_raw(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a raw record in labhub's shape; what is unknown is passed on, so that ``check`` names it."""
    record: dict[str, Any] = {key: raw[key] for key in RAW_SAME if key in raw}
    if record.get("code") is None or not CODE_SHAPE.fullmatch(str(record["code"])):
        record["code"] = None
    record["specificity"] = RAW_SCOPES.get(str(raw.get("scope")), raw.get("scope"))
    technique = raw.get("technique")
    record["technique"], record["chemistry"] = RAW_TECHNIQUES.get(str(technique), (technique, None))
    record["taxon"] = raw.get("species")
    record["amplicon_bp"] = raw.get("amplicon_length_bp")
    record["amplicon"] = raw.get("amplicon_sequence")
    record["reaction_microlitre"] = raw.get("reaction_volume_ul")
    record["lmo_unique_identifiers"] = raw.get("lmo_unique_ids")
    record["same_oligos_as"] = raw.get("same_oligos_as")
    record["oligos"] = _renamed_each(
        raw.get("oligos"), {"final_concentration_nM": "final_concentration_nanomolar"}
    )
    record["sources"] = [raw["source"]] if raw.get("source") else []
    figures = raw.get("performance")
    trial = raw.get("validation")
    if isinstance(trial, Mapping) and (figures is None or isinstance(figures, Mapping)):
        record["validation"] = {
            **_renamed(trial, {"n_labs": "laboratories"}),
            **_renamed(figures or {}, RAW_FIGURES),
        }
    else:
        record["validation"] = trial
    record["origin"] = MethodOrigin.COMPILED.value
    known = {*RAW_SAME, *RAW_KEYS, "technique", "same_oligos_as", "oligos", "validation"}
    record.update({key: value for key, value in raw.items() if key not in known})
    return record


def _renamed(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in record.items()}


def _renamed_each(records: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(records, list):
        return records
    return [_renamed(item, names) if isinstance(item, Mapping) else item for item in records]


# CSV ------------------------------------------------------------------------------------------

LINE_FIELDS = frozenset(
    {"targets", "matrices", "rights", "lmo_unique_identifiers", "same_oligos_as", "notes"}
    | {"verification.seen_in"}
)
"""Fields with several entries: one a line of the cell."""
JSON_COLUMNS = ("oligo_sets", "reference_materials", "studies")
"""Lists of records: one JSON text a cell."""
OLIGO_COLUMNS = (
    "set",
    "name",
    "sequence",
    "label5",
    "label3",
    "final_concentration_nanomolar",
    "modifications",
)
OLIGO_COLUMN = re.compile(rf"(forward|reverse|probe|other)([0-9]{{0,3}})_({'|'.join(OLIGO_COLUMNS)})")
SOURCE_COLUMNS = {"source_titles": "title", "source_urls": "url", "source_years": "year"}
NEEDED_COLUMNS = ("title", "specificity", "technique")


EXAMPLE = "EXAMPLE"
"""The code of the rows of a template that show how it is filled in; they are not read."""


def _group_column(group: str, key: str) -> str:
    return group if (group, key) == ("reference_gene", "gene") else f"{group}_{key}"


GROUP_COLUMNS: Final = {
    _group_column(group, key): (group, key) for group, shape in GROUPS.items() for key in shape
}
HUB_COLUMNS = (
    "version", "state", "laboratory", "published_at", "content_hash", "criteria_version", "files"
)  # fmt: skip
"""Facts that the hub gives: written for the reader, not read."""


def to_csv(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return records (content, with the hub's facts) as CSV, one method version a row."""
    rows = [_csv_row(record) for record in records]
    extra = {name for row in rows for name in row if OLIGO_COLUMN.fullmatch(name)}
    extra |= {f"{role}_{column}" for role in ("forward", "reverse", "probe") for column in OLIGO_COLUMNS}
    columns: list[str] = []
    for name in CONTENT:
        if name in SCALARS:
            columns.append(name)
        elif name in GROUPS:
            columns += [_group_column(name, key) for key in GROUPS[name]]
        elif name == "oligos":
            columns += sorted(extra, key=_oligo_order)
        elif name in JSON_COLUMNS:
            columns.append(name)
        else:
            columns += SOURCE_COLUMNS
    columns, rows = spread([*columns, *HUB_COLUMNS], rows)
    return write_csv(columns, rows)


def _oligo_order(column: str) -> tuple[int, int, int]:
    role, number, part = _oligo_column(column)
    return ROLE_ORDER[role], number, OLIGO_COLUMNS.index(part)


def _oligo_column(column: str) -> tuple[str, int, str]:
    match = OLIGO_COLUMN.fullmatch(column)
    if match is None:
        raise ValueError(column)
    return match[1], int(match[2] or 1), match[3]


@lru_cache(maxsize=5_000)
def _oligo_cell(column: str) -> tuple[str, int, str, str] | None:
    match = OLIGO_COLUMN.fullmatch(column)
    return (match[1], int(match[2] or 1), match[1] + match[2], match[3]) if match else None


def flat_cell(value: Any) -> str:
    """Return a value as text; null and an empty list are empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def flat(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a record as text by column, as in CSV and forms; not oligos and sources."""
    row = {name: flat_cell(record.get(name)) for name in SCALARS}
    for column, (group, key) in GROUP_COLUMNS.items():
        row[column] = flat_cell((record.get(group) or {}).get(key))
    return row


def from_flat(row: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a record from text by column, and the column of each that has another name."""
    record: dict[str, Any] = {}
    columns: dict[str, str] = {}
    for column, cell in row.items():
        if column in SCALARS:
            record[column] = cell.split("\n") if column in LINE_FIELDS and cell else cell or None
        elif column in GROUP_COLUMNS:
            group, key = GROUP_COLUMNS[column]
            lines = f"{group}.{key}" in LINE_FIELDS
            record.setdefault(group, {})[key] = cell.split("\n") if lines and cell else cell or None
            columns[f"{group}.{key}"] = column
    return record, columns


def _csv_row(record: Mapping[str, Any]) -> dict[str, str]:
    row = flat(record)
    seen: dict[str, int] = {}
    for oligo in record["oligos"]:
        seen[oligo["role"]] = number = seen.get(oligo["role"], 0) + 1
        prefix = oligo["role"] + ("" if number == 1 else str(number))
        for column in OLIGO_COLUMNS[:-1]:
            row[f"{prefix}_{column}"] = flat_cell(oligo[column])
        row[f"{prefix}_modifications"] = "\n".join(
            f"{each['after_base']} {each['name']}" for each in oligo["modifications"]
        )
    for column, key in SOURCE_COLUMNS.items():
        row[column] = "\n".join(flat_cell(source[key]) for source in record["sources"])
    for name in JSON_COLUMNS:
        row[name] = json.dumps(record[name], ensure_ascii=False) if record[name] else ""
    row.update(fact_cells(record))
    return row


def fact_cells(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts that the hub gives of an exported record as text, by column."""
    facts = record.get(HUB_FACTS) or {}
    cells = {name: flat_cell(facts.get(name)) for name in HUB_COLUMNS if name != "files"}
    cells["files"] = "\n".join(f"{file['sha256']} {file['name']}" for file in facts.get("files", ()))
    return cells


def record_of_row(row: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], Errors]:
    """Return a CSV row as a record, the column of each of its fields, and what cannot be put in order."""
    row = gathered(row)
    record, columns = from_flat(row)
    errors: Errors = {}
    oligos: dict[tuple[int, int], dict[str, Any]] = {}
    for column, cell in row.items():
        if column in SCALARS or column in GROUP_COLUMNS or not cell.strip():
            continue
        found = _oligo_cell(column)
        if found:
            role, number, prefix, part = found
            oligo = oligos.setdefault((ROLE_ORDER[role], number), {"role": role, "column": prefix})
            oligo[part] = cell
    record["oligos"] = []
    for place, (_key, oligo) in enumerate(sorted(oligos.items())):
        prefix = oligo.pop("column")
        columns.update({f"oligos.{place}.{part}": f"{prefix}_{part}" for part in OLIGO_COLUMNS})
        if "modifications" in oligo:
            oligo["modifications"] = modifications_of_cell(
                oligo["modifications"], f"{prefix}_modifications", errors
            )
        record["oligos"].append(oligo)
    for name in JSON_COLUMNS:
        if row.get(name, "").strip():
            try:
                record[name] = strict_json.loads(row[name])
            except ValueError as error:
                errors[name] = [_("This cell is not valid JSON: %(reason)s.", reason=str(error))]
    record["sources"] = _sources_of_cells(row, errors)
    for name, key in SOURCE_COLUMNS.items():
        columns.update({f"sources.{place}.{key}": name for place in range(len(record["sources"]))})
    return record, columns, errors


def modifications_of_cell(cell: str, column: str, errors: Errors) -> list[dict[str, Any]]:
    """Return the modifications of an oligo that a cell lists, one a line: bases before it, and its name."""
    found = []
    for line in cell.split("\n"):
        place, _blank, name = line.strip().partition(" ")
        if not place.isascii() or not place.isdigit() or not name:
            errors[column] = [
                _("Write one modification a line: the number of bases before it, and its name.")
            ]
        else:
            found.append({"after_base": place, "name": name})
    return found


def _sources_of_cells(row: Mapping[str, str], errors: Errors) -> list[dict[str, Any]]:
    cells = {
        key: row.get(column, "").split("\n") if row.get(column) else []
        for column, key in SOURCE_COLUMNS.items()
    }
    count = len(cells["title"])
    for column, key in SOURCE_COLUMNS.items():
        if len(cells[key]) > max(count, 1 if count else 0):
            errors[column] = [_("This cell has more lines than source_titles: one line for each source.")]
    return [
        {key: (lines[place] if place < len(lines) else None) for key, lines in cells.items()}
        for place in range(count)
    ]


def to_fasta(code: str, oligos: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the oligos of a method as FASTA."""
    lines = []
    for oligo in oligos:
        name = re.sub(r"[^!-~]+", "_", oligo["name"]) or oligo["role"]
        lines.append(f">{code}|{oligo['role']}|{name}\n{oligo['sequence']}\n")
    return "".join(lines).encode()
