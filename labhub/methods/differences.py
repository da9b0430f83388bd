"""What changed from one version of a method to another, field by field.

Entries of lists are set beside each other by what they are (an oligo by set, role and name), not by their
place, so a probe put in before others is one addition. Nothing here knows a database.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

from labhub.i18n import N_, Text, _, ngettext
from labhub.methods import words
from labhub.methods.models import OLIGO_ROLE_NAMES, STUDY_KIND_NAMES

Record = Mapping[str, Any]


class Kind(StrEnum):
    """What happened to a field."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    """A list has the same entries in another order."""


KIND_NAMES: dict[Kind, str] = {
    Kind.CHANGED: N_("changed"),
    Kind.ADDED: N_("added"),
    Kind.REMOVED: N_("removed"),
    Kind.MOVED: N_("in another order"),
}


@dataclass(frozen=True)
class Difference:
    """One field that is not the same."""

    path: str
    """The field's path without places, as in ``words.NAMES``."""
    field: str
    """The same with places in lists from 0: in the later record, or in the earlier one where it is gone."""
    where: tuple[Text, ...]
    """The records around it in words, outermost first: the oligo, the study and its level."""
    kind: Kind
    before: Any
    after: Any


def differences(before: Record, after: Record) -> list[Difference]:
    """Return what differs between two contents, in the order of the page; nothing reported is one thing.

    >>> [(each.path, each.kind.value) for each in differences({"title": "A"}, {"title": "B"})]
    [('title', 'changed')]
    """
    ordered = [key for _title, keys in words.SECTIONS for key in keys]
    rest = sorted((before.keys() | after.keys()) - set(ordered))
    return [
        found
        for key in (*ordered, *rest)
        for found in _compared(key, key, (), before.get(key), after.get(key))
    ]


def _compared(
    path: str, field: str, where: tuple[Text, ...], before: Any, after: Any
) -> Iterator[Difference]:
    if before == after or (words.is_empty(before) and words.is_empty(after)):
        return
    values = (before, after)
    if all(value is None or isinstance(value, Mapping) for value in values):
        one, two = before or {}, after or {}
        for key in [*one, *(key for key in two if key not in one)]:
            yield from _compared(f"{path}.{key}", f"{field}.{key}", where, one.get(key), two.get(key))
    elif path != "studies.data" and all(value is None or isinstance(value, list) for value in values):
        yield from _compared_lists(path, field, where, before or [], after or [])
    else:
        kind = Kind.CHANGED
        if words.is_empty(before):
            kind = Kind.ADDED
        elif words.is_empty(after):
            kind = Kind.REMOVED
        yield Difference(path, field, where, kind, before, after)


def _compared_lists(
    path: str, field: str, where: tuple[Text, ...], before: list[Any], after: list[Any]
) -> Iterator[Difference]:
    if not all(isinstance(item, Mapping) for item in (*before, *after)):
        same = Counter(map(repr, before)) == Counter(map(repr, after))
        kind = Kind.MOVED if same else Kind.ADDED if not before else Kind.REMOVED if not after else None
        yield Difference(path, field, where, kind or Kind.CHANGED, before, after)
        return
    pairs = _pairs(path, before, after)
    of_after = {later: earlier for earlier, later in pairs}
    for later, record in enumerate(after):
        inside = (*where, label_of(path, record))
        if later in of_after:
            yield from _compared(path, f"{field}.{later}", inside, before[of_after[later]], record)
        else:
            yield Difference(path, f"{field}.{later}", inside, Kind.ADDED, None, record)
    kept = {earlier for earlier, _later in pairs}
    for earlier, record in enumerate(before):
        if earlier not in kept:
            inside = (*where, label_of(path, record))
            yield Difference(path, f"{field}.{earlier}", inside, Kind.REMOVED, record, None)
    places = [of_after[later] for later in sorted(of_after)]
    if places != sorted(places):
        yield Difference(path, field, where, Kind.MOVED, before, after)


Key = Callable[[Record], tuple[Any, ...]]


def _by(*names: str) -> Key:
    return lambda record: tuple(record.get(name) or "" for name in names)


SAME_RECORD: dict[str, tuple[Key, ...]] = {
    "oligos": (_by("set", "role", "name"), _by("set", "role", "sequence"), _by("set", "role")),
    "oligos.modifications": (_by("after_base", "name"), _by("name")),
    "oligo_sets": (_by("name"),),
    "reference_materials": (_by("code", "name"), _by("code"), _by("name")),
    "studies": (_by("kind", "title", "laboratory", "year"), _by("kind", "title"), _by("kind")),
    "studies.levels": (_by("label", "assigned"), _by("label"), _by("assigned")),
    "studies.decisions": (_by("laboratory", "level"),),
    "sources": (_by("url", "title"), _by("url"), _by("title")),
    "files": (_by("name"), _by("sha256")),
}
"""By what two entries of a list are taken for the same one, the surest first."""


def _pairs(path: str, before: Sequence[Record], after: Sequence[Record]) -> list[tuple[int, int]]:
    """Return the places of entries that are the same one, earlier and later."""
    pairs: list[tuple[int, int]] = []
    left, right = list(range(len(before))), list(range(len(after)))
    rounds: tuple[Key, ...] = (lambda record: (repr(sorted(record.items())),), *SAME_RECORD.get(path, ()))
    for key in rounds:
        waiting: dict[tuple[Any, ...], list[int]] = {}
        for later in right:
            waiting.setdefault(key(after[later]), []).append(later)
        for earlier in list(left):
            names = key(before[earlier])
            if any(names) and waiting.get(names):
                later = waiting[names].pop(0)
                pairs.append((earlier, later))
                left.remove(earlier)
                right.remove(later)
    return pairs


def label_of(path: str, record: Record) -> Text:
    """Return what an entry of a list is called.

    >>> str(label_of("oligos", {"role": "forward", "name": "MON-F", "set": ""}))
    'forward primer MON-F'
    """
    if path == "oligos":
        role, name = _role(record.get("role")), record.get("name") or ""
        if record.get("set"):
            return _("%(role)s %(name)s of %(set)s", role=role, name=name, set=record["set"])
        return _("%(role)s %(name)s", role=role, name=name) if name else role
    if path == "studies":
        kind = STUDY_KIND_NAMES.get(record.get("kind", ""), "")
        known = {
            "kind": _(kind) if kind else "",
            "title": record.get("title") or "",
            "year": record.get("year"),
        }
        if known["title"]:
            return _("%(kind)s: %(title)s", **known)
        return _("%(kind)s, %(year)s", **known) if known["year"] else (_(kind) if kind else "")
    for name in ("name", "code", "label", "title", "assigned", "url"):
        if not words.is_empty(record.get(name)):
            return str(record[name])
    return words.summary(path, record)


def _role(role: Any) -> Text:
    return _(OLIGO_ROLE_NAMES[role]) if role in OLIGO_ROLE_NAMES else str(role or "")


# Letter by letter ------------------------------------------------------------------------------


class Mark(StrEnum):
    """Whether a part of a text stands in both versions or in one."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


Segment = tuple[Mark, str]
_WORDS = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[^\W\d_]+|\s+|.", re.DOTALL)
LARGEST_TABLE = 4_000_000
"""Letters times letters (or words times words) that are compared one by one."""


def marked(path: str, before: Any, after: Any) -> tuple[list[Segment], list[Segment]]:
    """Return both values as parts, with what is gone and what is new: bases one by one, texts by word.

    >>> marked("oligos.sequence", "ACGT", "AGGT")[1]
    [(<Mark.SAME: 'same'>, 'A'), (<Mark.NEW: 'new'>, 'G'), (<Mark.SAME: 'same'>, 'GT')]
    """
    if not isinstance(before, str) or not isinstance(after, str) or path in words.CODED:
        earlier, later = words.lines_of(path, before), words.lines_of(path, after)
        return _marked_lines(earlier, later)
    is_bases = path in words.SEQUENCES
    one = list(before) if is_bases else _WORDS.findall(before)
    two = list(after) if is_bases else _WORDS.findall(after)
    old: list[Segment] = []
    new: list[Segment] = []
    for tag, first, last, start, stop in _steps(one, two, is_bases=is_bases):
        gone, come = "".join(one[first:last]), "".join(two[start:stop])
        if tag == "equal":
            old.append((Mark.SAME, gone))
            new.append((Mark.SAME, come))
            continue
        if gone:
            old.append((Mark.GONE, gone))
        if come:
            new.append((Mark.NEW, come))
    return _joined(old), _joined(new)


def _steps(one: list[str], two: list[str], *, is_bases: bool) -> Iterator[tuple[str, int, int, int, int]]:
    """Give the steps from one list to the other, as ``SequenceMatcher.get_opcodes`` does."""
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    if start:
        yield "equal", 0, start, 0, start
    middle_one, middle_two = one[start : len(one) - end], two[start : len(two) - end]
    steps: Sequence[tuple[str, int, int, int, int]]
    if is_bases and len(middle_one) == len(middle_two) and _differing(middle_one, middle_two) * 3 <= len(one):
        steps = _letter_by_letter(middle_one, middle_two)
    elif len(middle_one) * len(middle_two) > LARGEST_TABLE:
        steps = [("replace", 0, len(middle_one), 0, len(middle_two))]
    else:
        steps = SequenceMatcher(None, middle_one, middle_two, autojunk=False).get_opcodes()
    for tag, first, last, begin, stop in steps:
        yield tag, first + start, last + start, begin + start, stop + start
    if end:
        yield "equal", len(one) - end, len(one), len(two) - end, len(two)


def _differing(one: Sequence[str], two: Sequence[str]) -> int:
    return sum(left != right for left, right in zip(one, two, strict=True))


def _letter_by_letter(one: Sequence[str], two: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    return [
        ("equal" if left == right else "replace", place, place + 1, place, place + 1)
        for place, (left, right) in enumerate(zip(one, two, strict=True))
    ]


def _joined(parts: list[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for mark, text in parts:
        if joined and joined[-1][0] is mark:
            joined[-1] = (mark, joined[-1][1] + text)
        else:
            joined.append((mark, text))
    return joined


def _marked_lines(before: Sequence[Text], after: Sequence[Text]) -> tuple[list[Segment], list[Segment]]:
    """Return each line as a part: gone where the other list has it not (or not so often)."""
    old, new = [str(line) for line in before], [str(line) for line in after]
    only_old, only_new = Counter(old) - Counter(new), Counter(new) - Counter(old)
    left: list[Segment] = []
    for line in old:
        left.append((Mark.GONE if only_old[line] > 0 else Mark.SAME, line))
        only_old[line] -= 1
    right: list[Segment] = []
    for line in new:
        right.append((Mark.NEW if only_new[line] > 0 else Mark.SAME, line))
        only_new[line] -= 1
    return left, right


# For pages -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A difference in the reader's words."""

    names: tuple[Text, ...]
    """From the list through its entry to the field."""
    kind: Kind
    before: list[Segment]
    after: list[Segment]
    is_bases: bool
    is_list: bool
    """Parts are lines, not runs of one text."""
    is_entry: bool
    """A whole entry of a list was added or removed."""
    field: str

    @property
    def kind_name(self) -> Text:
        """What happened, in words."""
        return _(KIND_NAMES[self.kind])


def shown(found: Difference) -> Shown:
    """Return a difference in the reader's words."""
    top = found.path.partition(".")[0]
    names: list[Text] = [words.name_of(top), *found.where]
    if found.path != top and not _is_entry(found):
        names.append(words.name_of(found.path))
    if found.kind is Kind.MOVED:
        before, after = _order(found.path, found.before), _order(found.path, found.after)
    elif _is_entry(found):
        before = [(Mark.GONE, words.summary(found.path, found.before))] if found.before else []
        after = [(Mark.NEW, words.summary(found.path, found.after))] if found.after else []
    else:
        before, after = marked(found.path, found.before, found.after)
    if found.path == "studies.data" and found.before and found.after:
        fresh = sum((Counter(map(repr, found.after)) - Counter(map(repr, found.before))).values())
        text = ngettext("%(num)s new or changed", "%(num)s new or changed", fresh, num=fresh)
        after = [*after, (Mark.NEW, str(text))]
    is_text = isinstance(found.before, str) and isinstance(found.after, str)
    return Shown(
        tuple(names),
        found.kind,
        before,
        after,
        found.path in words.SEQUENCES,
        not is_text or found.path in words.CODED,
        _is_entry(found),
        found.field,
    )


def _is_entry(found: Difference) -> bool:
    return isinstance(found.before, Mapping) or isinstance(found.after, Mapping)


def _order(path: str, items: Sequence[Any]) -> list[Segment]:
    return [
        (
            Mark.SAME,
            str(label_of(path, item)) if isinstance(item, Mapping) else str(words.worded(path, item) or ""),
        )
        for item in items
    ]


def by_section(found: Sequence[Difference]) -> list[tuple[Text, list[Shown]]]:
    """Return differences under the sections of the page, those without differences left out."""
    sections: list[tuple[Text, list[Shown]]] = []
    known = {key for _title, keys in words.SECTIONS for key in keys}
    for title, keys in (*words.SECTIONS, (N_("Other fields"), ())):
        own = [
            shown(each)
            for each in found
            if (top := each.path.partition(".")[0]) in keys or (not keys and top not in known)
        ]
        if own:
            sections.append((_(title), own))
    return sections
