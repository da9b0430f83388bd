"""The shapes in which LMOs and elements leave the hub and come back, as JSON and as CSV.

``read_lmo`` and ``read_element`` check one record, whatever door it came through, and return
the fields that it gives in the hub's own names; every problem of the record is told at once.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from labhub import cells
from labhub.errors import Invalid
from labhub.i18n import Text, _
from labhub.lmos import unique_identifier
from labhub.lmos.bch import record_number
from labhub.lmos.terms import ElementKind, NameKind, Sign
from labhub.names import clean_name, name_key

LONGEST_NOTES = 10 * 1024
"""Characters in all notes of an LMO together."""
LONGEST_IDENTIFIER = 400
LARGEST_LIST = 2000
"""Names, sources or claims of one record."""

LMO_FIELDS = (
    "unique_identifier",
    "event",
    "other_names",
    "trade_name",
    "species",
    "developer",
    "traits",
    "stacked",
    "parents",
    "claims",
    "sources",
    "notes",
    "verified",
    "fields_from_memory",
)
LMO_COLUMNS = (
    "unique_identifier",
    "event",
    "other_names",
    "trade_name",
    "species_scientific",
    "species_common",
    "developer",
    "traits",
    "stacked",
    "parents",
    "claims",
    "sources",
    "notes",
    "verified",
    "fields_from_memory",
)
ELEMENT_FIELDS = (
    "name",
    "kind",
    "donor_organism",
    "synonyms",
    "is_construct",
    "codes",
    "accession",
    "source",
    "verified",
)
ELEMENT_COLUMNS = ELEMENT_FIELDS

_LISTS = frozenset({"traits", "parents", "notes", "fields_from_memory"})
_JSON = frozenset({"other_names", "claims", "sources", "synonyms", "codes"})
_FLAGS = frozenset({"stacked", "verified", "is_construct"})
_FLAG_TEXTS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

Kind = TypeVar("Kind", bound=StrEnum)


class _Record:
    """One record being read: collects a text for every field that is wrong."""

    def __init__(self, raw: Any, known: Iterable[str]) -> None:
        if not isinstance(raw, Mapping):
            raise Invalid(_("A record is an object with fields."), field="record")
        self.raw: Mapping[str, Any] = raw
        self.errors: dict[str, list[Text]] = {}
        for name in raw:
            if name not in set(known):
                self.wrong(str(name)[:100], _("This field is not known."))

    def wrong(self, field: str, text: Text) -> None:
        """Note a problem."""
        self.errors.setdefault(field, []).append(text)

    def finish(self) -> None:
        """Raise what was noted."""
        if self.errors:
            raise Invalid(_("Please correct the marked fields."), errors=self.errors)

    def text(
        self,
        value: Any,
        field: str,
        *,
        longest: int = 200,
        needed: bool = False,
        folded: bool = False,
    ) -> str | None:
        """Return a cleaned text, or nothing where it is not given; ``folded``: its key must fit too."""
        if value is None or (isinstance(value, str) and not value.strip()):
            if needed:
                self.wrong(field, _("This field is needed."))
            return None
        if not isinstance(value, str):
            self.wrong(field, _("This must be a text."))
            return None
        try:
            name = clean_name(value, field=field, longest=longest)
        except Invalid as refusal:
            self.wrong(field, refusal.message)
            return None
        if folded and len(name_key(name)) > longest:
            self.wrong(field, _("At most %(number)s characters.", number=longest))
            return None
        return name

    def flag(self, value: Any, field: str) -> bool:
        """Return a yes or no."""
        if not isinstance(value, bool):
            self.wrong(field, _("This must be true or false."))
            return False
        return value

    def one_of(self, kind: type[Kind], value: Any, field: str) -> Kind | None:
        """Return a member of ``kind`` by its value."""
        try:
            return kind(value)
        except ValueError:
            choices = ", ".join(member.value for member in kind)
            self.wrong(field, _("Choose one of: %(choices)s.", choices=choices))
            return None

    def day(self, value: Any, field: str) -> date | None:
        """Return a day written as 2026-11-23."""
        if value is None or value == "":
            return None
        if isinstance(value, date):
            return value
        try:
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value)):
                raise ValueError
            return date.fromisoformat(str(value))
        except ValueError:
            self.wrong(field, _("Write the day as 2026-11-23."))
            return None

    def items(self, value: Any, field: str) -> Sequence[Any]:
        """Return a list."""
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.wrong(field, _("This must be a list."))
            return []
        if len(value) > LARGEST_LIST:
            self.wrong(field, _("At most %(number)s entries.", number=LARGEST_LIST))
            return []
        return value

    def texts(self, value: Any, field: str, *, longest: int = 300) -> list[str]:
        """Return a list of cleaned texts, each once."""
        found: dict[str, None] = {}
        for place, item in enumerate(self.items(value, field)):
            text = self.text(item, f"{field}.{place}", longest=longest, needed=True)
            if text is not None:
                found[text] = None
        return list(found)

    def objects(
        self, value: Any, field: str, known: Sequence[str], *, short: str = ""
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """Return objects with the path of each; a bare text stands for its field ``short``."""
        found = []
        for place, item in enumerate(self.items(value, field)):
            path = f"{field}.{place}"
            if short and isinstance(item, str):
                item = {short: item}
            if not isinstance(item, Mapping):
                self.wrong(path, _("This must be an object."))
                continue
            for name in item:
                if name not in known:
                    self.wrong(f"{path}.{str(name)[:100]}", _("This field is not known."))
            found.append((path, item))
        return found


def read_lmo(raw: Any) -> dict[str, Any]:
    """Return the checked fields that a record of an LMO gives, by the names of the table.

    Fields that are not given are not returned, so that a change leaves them alone. Elements of claims
    stay texts: only the database knows them. Raises ``Invalid`` with a text for each wrong field.
    """
    record = _Record(raw, LMO_FIELDS)
    given = record.raw
    fields: dict[str, Any] = {}
    if "event" in given:
        fields["event"] = record.text(given["event"], "event", needed=True, folded=True)
    if "unique_identifier" in given:
        text = record.text(given["unique_identifier"], "unique_identifier", longest=LONGEST_IDENTIFIER)
        fields["unique_identifier"] = unique_identifier.normalise(text) if text else None
        fields["identifier_key"] = (unique_identifier.key(text) if text else "") or None
        if text and not fields["identifier_key"]:
            record.wrong("unique_identifier", _("This is not a unique identifier."))
    if "trade_name" in given:
        fields["trade_name"] = record.text(given["trade_name"], "trade_name")
    if "species" in given:
        fields["taxon_scientific"], fields["taxon_common"] = _species(record, given["species"])
    if "developer" in given:
        fields["developer"] = record.text(given["developer"], "developer", longest=300)
    for name in ("traits", "parents", "fields_from_memory"):
        if name in given:
            fields[name] = record.texts(given[name], name)
    if "notes" in given:
        fields["notes"] = record.texts(given["notes"], "notes", longest=LONGEST_NOTES)
        if sum(len(note) for note in fields["notes"]) > LONGEST_NOTES:
            record.wrong("notes", _("At most %(number)s characters.", number=LONGEST_NOTES))
    if "stacked" in given:
        fields["is_stack"] = record.flag(given["stacked"], "stacked")
    if "verified" in given:
        fields["verified"] = record.flag(given["verified"], "verified")
    if "other_names" in given:
        fields["names"] = _names(record, given["other_names"])
    if "sources" in given:
        fields["sources"] = _sources(record, given["sources"])
    if "claims" in given:
        fields["claims"] = _claims(record, given["claims"])
    record.finish()
    return fields


def _species(record: _Record, value: Any) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    if not isinstance(value, Mapping) or set(value) - {"scientific", "common"}:
        record.wrong("species", _("This must be an object with the fields scientific and common."))
        return None, None
    return (
        record.text(value.get("scientific"), "species.scientific"),
        record.text(value.get("common"), "species.common"),
    )


def _names(record: _Record, value: Any) -> list[dict[str, Any]]:
    known = ("name", "kind", "source", "recorded_on")
    names: dict[str, dict[str, Any]] = {}
    for path, item in record.objects(value, "other_names", known, short="name"):
        name = record.text(item.get("name"), f"{path}.name", needed=True, folded=True)
        if name is None:
            continue
        if name_key(name) in names:
            record.wrong(path, _("This name stands twice."))
        names[name_key(name)] = {
            "name": name,
            "kind": record.one_of(NameKind, item.get("kind") or _kind_of(name), f"{path}.kind"),
            "source": record.text(item.get("source"), f"{path}.source", longest=500) or "",
            "recorded_on": record.day(item.get("recorded_on"), f"{path}.recorded_on"),
        }
    return list(names.values())


def _sources(record: _Record, value: Any) -> list[dict[str, Any]]:
    sources = []
    for path, item in record.objects(value, "sources", ("title", "url", "year"), short="title"):
        title = record.text(item.get("title"), f"{path}.title", longest=500)
        url = record.text(item.get("url"), f"{path}.url", longest=1000)
        year = item.get("year")
        if title is None and url is None:
            record.wrong(path, _("Give a title or an address."))
        if year is not None and (
            isinstance(year, bool) or not isinstance(year, int) or not 1900 <= year <= 2100
        ):
            record.wrong(f"{path}.year", _("This must be a year, such as 2026."))
        source = {"title": title, "url": url, "year": year}
        if source not in sources:
            sources.append(source)
    return sources


def _claims(record: _Record, value: Any) -> list[dict[str, Any]]:
    known = ("element", "sign", "source", "verified", "recorded_on")
    claims: dict[tuple[str, str], dict[str, Any]] = {}
    for path, item in record.objects(value, "claims", known):
        claim = _claim(record, item, f"{path}.")
        if claim["element"] is None or claim["source"] is None:
            continue
        key = (name_key(claim["element"]), claim["source"])
        if key in claims:
            record.wrong(path, _("This source speaks twice of the same element."))
        claims[key] = claim
    return list(claims.values())


def _claim(record: _Record, item: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "element": record.text(item.get("element"), f"{path}element", needed=True),
        "sign": record.one_of(Sign, item.get("sign"), f"{path}sign"),
        "source": record.text(item.get("source"), f"{path}source", longest=500, needed=True),
        "verified": record.flag(item.get("verified", False), f"{path}verified"),
        "recorded_on": record.day(item.get("recorded_on"), f"{path}recorded_on"),
    }


def read_claim(raw: Any) -> dict[str, Any]:
    """Return one checked claim: ``element`` (a text), ``sign``, ``source``, ``verified``, ``recorded_on``."""
    record = _Record(raw, ("element", "sign", "source", "verified", "recorded_on"))
    claim = _claim(record, record.raw, "")
    record.finish()
    return claim


def _kind_of(name: Any) -> NameKind:
    """Return the kind of a name that is given without one: numbers of BCH records show themselves."""
    return NameKind.BCH if isinstance(name, str) and record_number(name) else NameKind.SYNONYM


def read_name(raw: Any) -> dict[str, Any]:
    """Return one checked synonym of an LMO: ``name``, ``kind``, ``source``, ``recorded_on``."""
    record = _Record(raw, ("name", "kind", "source", "recorded_on"))
    name = {
        "name": record.text(record.raw.get("name"), "name", needed=True, folded=True),
        "kind": record.one_of(NameKind, record.raw.get("kind") or _kind_of(record.raw.get("name")), "kind"),
        "source": record.text(record.raw.get("source"), "source", longest=500, needed=True),
        "recorded_on": record.day(record.raw.get("recorded_on"), "recorded_on"),
    }
    record.finish()
    return name


def read_element(raw: Any) -> dict[str, Any]:
    """Return the checked fields that a record of an element gives, by the names of the table."""
    record = _Record(raw, ELEMENT_FIELDS)
    given = record.raw
    fields: dict[str, Any] = {
        "name": record.text(given.get("name"), "name", needed=True, folded=True),
    }
    if "kind" in given:
        fields["kind"] = record.one_of(ElementKind, given["kind"], "kind")
    if "donor_organism" in given:
        fields["donor_organism"] = record.text(given["donor_organism"], "donor_organism", longest=300)
    if "accession" in given:
        fields["accession"] = record.text(given["accession"], "accession", longest=60)
    if "source" in given:
        fields["source"] = record.text(given["source"], "source", longest=500) or ""
    for name in ("is_construct", "verified"):
        if name in given:
            fields[name] = record.flag(given[name], name)
    if "codes" in given:
        fields["codes"] = _codes(record, given["codes"])
    if "synonyms" in given:
        synonyms: dict[str, dict[str, Any]] = {}
        for path, item in record.objects(given["synonyms"], "synonyms", ("name", "source"), short="name"):
            synonym = record.text(item.get("name"), f"{path}.name", needed=True, folded=True)
            if synonym is not None:
                source = record.text(item.get("source"), f"{path}.source", longest=500) or ""
                synonyms.setdefault(name_key(synonym), {"name": synonym, "source": source})
        fields["names"] = list(synonyms.values())
    record.finish()
    return fields


def _codes(record: _Record, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > 50:
        record.wrong("codes", _("This must be an object: the element's name by register."))
        return {}
    codes = {}
    for register, code in value.items():
        name = record.text(register, "codes", longest=60, needed=True)
        text = record.text(code, f"codes.{str(register)[:60]}", needed=True)
        if name and text:
            codes[name] = text
    return codes


# Files ----------------------------------------------------------------------------------------


def read_lmo_file(content: bytes, *, file: str) -> list[Any]:
    """Return the raw records of a JSON or CSV file of LMOs, by the file's ending."""
    return _read_file(content, file, ("event",), _lmo_from_row)


def read_element_file(content: bytes, *, file: str) -> list[Any]:
    """Return the raw records of a JSON or CSV file of elements, by the file's ending."""
    return _read_file(content, file, ("name",), _from_row)


def _read_file(
    content: bytes, file: str, needed: Sequence[str], from_row: Callable[[Mapping[str, str]], Any]
) -> list[Any]:
    ending = file.rpartition(".")[2].casefold()
    if ending == "csv":
        return [from_row(row) for row in cells.read_csv(content, file=file, needed=needed)]
    if ending != "json":
        raise Invalid(_("%(file)s: use a file that ends in .json or .csv.", file=file), field="file")
    records = cells.read_json(content, file=file)
    if not isinstance(records, list):
        raise Invalid(_("%(file)s must be a list of records.", file=file), field="file")
    return records


def write_lmos(records: Sequence[Mapping[str, Any]], format_: str) -> bytes:
    """Return records of LMOs as ``json`` or ``csv``."""
    if format_ == "csv":
        return cells.write_csv(LMO_COLUMNS, (_lmo_row(record) for record in records))
    return json_file(records)


def write_elements(records: Sequence[Mapping[str, Any]], format_: str) -> bytes:
    """Return records of elements as ``json`` or ``csv``."""
    if format_ == "csv":
        return cells.write_csv(ELEMENT_COLUMNS, (_row(record, ELEMENT_COLUMNS) for record in records))
    return json_file(records)


def json_file(value: Any) -> bytes:
    """Return a value as a JSON file that a person can read too."""
    return (json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n").encode()


def write_matrix_csv(elements: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the matrix as CSV: a line for each LMO, a column for each element, a sign in each cell.

    The signs + and - stand bare: one sign alone is no formula, and programs look for it.
    """
    names = [element["name"] for element in elements]
    columns = ["unique_identifier", "event", "taxon", *names]
    lines = (
        [
            *(cells.neutralise(row[key] or "") for key in ("unique_identifier", "event", "taxon_scientific")),
            *(str(row["signs"][name]) for name in names),
        ]
        for row in rows
    )
    return cells.write_lines([[cells.neutralise(name) for name in columns], *lines])


def _lmo_row(record: Mapping[str, Any]) -> dict[str, str]:
    species = record["species"]
    flat = {**record, "species_scientific": species["scientific"], "species_common": species["common"]}
    return _row(flat, LMO_COLUMNS)


def _row(record: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    return {name: _cell(name, record[name]) for name in columns}


def _cell(name: str, value: Any) -> str:
    if name in _FLAGS:
        return "1" if value else "0"
    if name in _JSON:
        return json.dumps(value, ensure_ascii=False, default=str) if value else ""
    if name in _LISTS:
        return join_items(value)
    return "" if value is None else str(value)


def _lmo_from_row(row: Mapping[str, str]) -> dict[str, Any]:
    record = _from_row(row)
    if "species_scientific" in record or "species_common" in record:
        record["species"] = {
            "scientific": record.pop("species_scientific", None),
            "common": record.pop("species_common", None),
        }
    return record


def _from_row(row: Mapping[str, str]) -> dict[str, Any]:
    return {name: _value(name, cell) for name, cell in row.items()}


def _value(name: str, cell: str) -> Any:
    """Return the value of a cell; what cannot be read stays a text, and is refused as a field later."""
    text = cell.strip()
    if name in _FLAGS:
        return _FLAG_TEXTS.get(text.casefold(), text or False)
    if name in _LISTS:
        return split_items(text)
    if name in _JSON:
        if not text:
            return {} if name == "codes" else []
        if not text.startswith(("[", "{")):
            return split_items(text)
        try:
            return cells.read_json(text.encode(), file=name)
        except Invalid:
            return text
    return cell or None


def join_items(items: Iterable[str]) -> str:
    """Return a list of texts as one cell, with bars between them.

    >>> join_items(["tolerance to glyphosate", "a | b"])
    'tolerance to glyphosate | a \\\\| b'
    """
    return " | ".join(item.replace("\\", "\\\\").replace("|", "\\|") for item in items)


def split_items(cell: str) -> list[str]:
    """Return the list that ``join_items`` made a cell of.

    >>> split_items(join_items(["a | b", "c\\\\"]))
    ['a | b', 'c\\\\']
    """
    parts = re.findall(r"(?:[^\\|]|\\.|\\$)+", cell)
    return [text for part in parts if (text := re.sub(r"\\(.)", r"\1", part.strip()))]
