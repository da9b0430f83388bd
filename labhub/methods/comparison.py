"""Methods side by side: rows of fields, a column for each method, and whether they differ.

Nothing here knows a database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labhub.cells import neutralise, write_lines
from labhub.i18n import Text, _
from labhub.methods import words
from labhub.methods.differences import label_of
from labhub.methods.models import OLIGO_ROLE_NAMES

MOST = 4
"""Methods in one comparison."""
LEFT_OUT = frozenset(
    {"title", "code", "wished_code", "source_code", "files", "same_oligos_as", "verified", "verification"}
)
"""Keys that stand in the heading, or that say something of the record and not of the method."""


@dataclass(frozen=True)
class Line:
    """One line of a cell."""

    text: str
    is_bases: bool = False


@dataclass(frozen=True)
class Row:
    """One field of all methods; an empty cell means not reported."""

    path: str
    name: Text
    cells: tuple[tuple[Line, ...], ...]

    @property
    def differs(self) -> bool:
        """Whether the methods that report it do not all say the same, or some do not report it."""
        return len(set(self.cells)) > 1


@dataclass(frozen=True)
class Group:
    """A section of rows."""

    title: Text
    rows: list[Row] = field(default_factory=list)


def compare(contents: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Return the fields of several contents side by side; what none of them reports is left out.

    >>> one = {"technique": "qpcr", "oligos": []}
    >>> [str(row.cells[0][0].text) for row in compare([one, one])[0].rows]
    ['real-time PCR (qPCR)']
    """
    groups = []
    for title, keys in words.SECTIONS:
        rows: list[Row] = []
        for key in keys:
            if key not in LEFT_OUT:
                rows += _rows(key, contents)
        rows = [row for row in rows if any(row.cells)]
        if rows:
            groups.append(Group(_(title), rows))
    return groups


def _rows(key: str, contents: Sequence[Mapping[str, Any]]) -> list[Row]:
    if key == "oligos":
        return _oligo_rows(contents)
    values = [content.get(key) for content in contents]
    groups = [value for value in values if isinstance(value, Mapping)]
    if groups:
        return [
            _row(f"{key}.{part}", [(value or {}).get(part) for value in values])
            for part in dict.fromkeys(name for group in groups for name in group)
        ]
    return [_row(key, values)]


def _row(path: str, values: Sequence[Any]) -> Row:
    return Row(path, words.name_of(path), tuple(_cell(path, value) for value in values))


def _cell(path: str, value: Any) -> tuple[Line, ...]:
    if path == "studies":
        return tuple(Line(_study_line(study)) for study in value or ())
    is_bases = path in words.SEQUENCES
    return tuple(Line(str(line), is_bases) for line in words.lines_of(path, value))


def _study_line(study: Mapping[str, Any]) -> str:
    shown = (
        "laboratories",
        "matrix",
        "slope",
        "r2",
        "lod_copies",
        "lod_percent",
        "loq_copies",
        "loq_percent",
    )
    figures = words.summary("studies", {key: study.get(key) for key in ("levels", *shown)}, named=True)
    return f"{label_of('studies', study)}; {figures}" if figures else str(label_of("studies", study))


def _oligo_rows(contents: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row for each first, second … oligo of a role, the sets of a method one after the other."""
    of_role: list[dict[str, list[Mapping[str, Any]]]] = []
    for content in contents:
        found: dict[str, list[Mapping[str, Any]]] = {}
        for oligo in content["oligos"]:
            found.setdefault(oligo["role"], []).append(oligo)
        of_role.append(found)
    rows = []
    for role, name in OLIGO_ROLE_NAMES.items():
        most = max((len(found.get(role, ())) for found in of_role), default=0)
        for place in range(most):
            cells = tuple(
                _oligo_cell(found[role][place]) if len(found.get(role, ())) > place else ()
                for found in of_role
            )
            label = _(name) if most == 1 else _("%(role)s %(number)s", role=_(name), number=place + 1)
            rows.append(Row(f"oligos.{role}.{place}", label, cells))
    return rows


def _oligo_cell(oligo: Mapping[str, Any]) -> tuple[Line, ...]:
    lines = [Line(oligo["sequence"], is_bases=True)]
    if oligo.get("name"):
        lines.insert(0, Line(oligo["name"]))
    if oligo.get("set"):
        lines.insert(0, Line(str(_("Oligo set %(name)s", name=oligo["set"]))))
    ends = [f"{end} {oligo[key]}" for end, key in (("5'", "label5"), ("3'", "label3")) if oligo.get(key)]
    if ends:
        lines.append(Line(", ".join(ends)))
    for each in oligo.get("modifications") or ():
        lines.append(
            Line(str(_("%(name)s after base %(place)s", name=each["name"], place=each["after_base"])))
        )
    amount = oligo.get("final_concentration_nanomolar")
    if amount is not None:
        lines.append(Line(str(_("%(number)s nmol/L", number=amount))))
    return tuple(lines)


def to_csv(heads: Sequence[tuple[str, int, str]], groups: Sequence[Group]) -> bytes:
    """Return a comparison as CSV: section, field, and a column for each (code, version, title)."""
    lines = [
        [str(_("Section")), str(_("Field")), *(code for code, _number, _title in heads)],
        ["", str(_("Version")), *(str(number) for _code, number, _title in heads)],
        ["", str(_("Title")), *(title for _code, _number, title in heads)],
    ]
    for group in groups:
        for row in group.rows:
            cells = ["\n".join(line.text for line in cell) for cell in row.cells]
            lines.append([str(group.title), str(row.name), *cells])
    return write_lines([[neutralise(cell) for cell in line] for line in lines])
