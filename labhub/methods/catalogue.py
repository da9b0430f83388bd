"""The list of methods in memory: which versions fit, how many of each kind, and in which order.

One ``Catalogue`` holds every version of the hub, whoever may see it; a ``Mask`` says which of them are
meant, one truth value for each version. Masks of readers come from ``find_queries``. With 50 000 versions
a mask takes 50 kB and a count of one facet a fraction of a millisecond.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
"""Places of versions in the catalogue, 0 for the first."""
Words = NDArray[np.uint64]
"""A mask in bits, 64 versions in a word."""
Values = Sequence[str] | str | None
"""What one version has of a facet: several values, one, or none."""

_DIGITS = re.compile(r"(\d+)")


MOST_IN_BITS = 256
"""Facets with more values are counted by their pairs: their bits would take more room than they save."""
MASKS_KEPT = 300


def packed_bits(mask: Mask) -> Words:
    """Return a mask in bits, filled up to whole words."""
    room = np.zeros(-(-len(mask) // 64) * 8, dtype=np.uint8)
    bits = np.packbits(mask)
    room[: len(bits)] = bits
    return room.view(np.uint64)


@dataclass(frozen=True)
class Entry:
    """One version: its number, its row of the list, and further values."""

    version_id: int
    json: bytes
    """The row as the list shows it."""
    row: Mapping[str, Any]
    facets: Mapping[str, Any]


class Facet:
    """The values of one facet: none, one or several for each version.

    ``codes`` and ``owners`` are of equal length: the version at place ``owners[i]`` has the value
    ``values[codes[i]]``. Values are in the order of the alphabet.
    """

    def __init__(self, values: list[str], codes: Places, owners: Places) -> None:
        order = sorted(range(len(values)), key=values.__getitem__)
        turned = np.zeros(len(values), dtype=np.int64)
        turned[order] = np.arange(len(values))
        self.values = [values[number] for number in order]
        self.codes = turned[codes] if len(codes) else codes
        self.owners = owners
        self._kept_bits: Words | None = None
        self._by_key: dict[str, list[int]] = {}
        for number, value in enumerate(self.values):
            self._by_key.setdefault(value.casefold(), []).append(number)

    @classmethod
    def of(cls, given: Iterable[Values]) -> "Facet":
        """Return the facet of versions in order."""
        return cls([], _empty(), _empty()).patched(_empty(), enumerate(given))

    def patched(self, places: Places, given: Iterable[tuple[int, Values]]) -> "Facet":
        """Return the facet with other values at some places (``places`` that had values before)."""
        numbers = {value: number for number, value in enumerate(self.values)}
        codes: list[int] = []
        owners: list[int] = []
        for place, values in given:
            if values is None:
                continue
            for value in (values,) if isinstance(values, str) else dict.fromkeys(values):
                owners.append(place)
                codes.append(numbers.setdefault(value, len(numbers)))
        kept = ~np.isin(self.owners, places) if len(places) else slice(None)
        return Facet(
            list(numbers),
            np.concatenate([self.codes[kept], np.array(codes, dtype=np.int64)]),
            np.concatenate([self.owners[kept], np.array(owners, dtype=np.int64)]),
        )

    def mask(self, size: int, wanted: Iterable[str]) -> Mask:
        """Return the versions that have one of the wanted values, whatever their case."""
        chosen = np.zeros(len(self.values), dtype=np.bool_)
        for value in wanted:
            chosen[self._by_key.get(value.casefold(), [])] = True
        mask = np.zeros(size, dtype=np.bool_)
        if chosen.any():
            mask[self.owners[chosen[self.codes]]] = True
        return mask

    def counts(self, mask: Mask, most: int, packed: Words | None = None) -> tuple[list[tuple[str, int]], int]:
        """Return how many versions of a mask have each value, and how many values there are.

        The commonest come first, equal ones in the order of the alphabet; at most ``most`` are given.
        ``packed`` is the mask in bits (``packed_bits``), where the caller has it.
        """
        if not self.values:
            return [], 0
        if len(self.values) > MOST_IN_BITS:
            numbers = np.bincount(self.codes[mask[self.owners]], minlength=len(self.values))
        else:
            bits = packed_bits(mask) if packed is None else packed
            numbers = np.bitwise_count(self._bits(len(mask)) & bits).sum(axis=1, dtype=np.int64)
        present = np.flatnonzero(numbers)
        best = present[np.argsort(-numbers[present], kind="stable")][:most]
        found = list(zip(best.tolist(), numbers[best].tolist(), strict=True))
        return [(self.values[place], number) for place, number in found], len(present)

    def _bits(self, size: int) -> Words:
        """Return one row of bits for each value: the versions that have it."""
        if self._kept_bits is None:
            table = np.zeros((len(self.values), size), dtype=np.bool_)
            table[self.codes, self.owners] = True
            self._kept_bits = np.stack([packed_bits(row) for row in table])
        return self._kept_bits

    def of_versions(self, size: int) -> list[str | None]:
        """Return the value of each version, for facets with at most one."""
        found: list[str | None] = [None] * size
        for place, code in zip(self.owners.tolist(), self.codes.tolist(), strict=True):
            found[place] = self.values[code]
        return found


def _empty() -> Places:
    return np.zeros(0, dtype=np.int64)


def natural_key(text: str) -> tuple[Any, ...]:
    """Return a key that puts ``LH-2`` before ``LH-10``, whatever the case.

    >>> sorted(["LH-10", "lh-2", "A-1"], key=natural_key)
    ['A-1', 'lh-2', 'LH-10']
    """
    parts = _DIGITS.split(text.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


def _text_key(text: str | None) -> str | None:
    return text.casefold() or None if text else None


COLUMNS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "code": lambda row: (natural_key(row["code"]), row["version"]),
    "title": lambda row: _text_key(row["title"]),
    "target": lambda row: _text_key(row["target"]),
    "amplicon_bp": lambda row: row["amplicon_bp"],
    "published_at": lambda row: row["published_at"],
    "year": lambda row: row["year"],
}
"""Keys of sorting that are kept for each version, made from its row."""
FACET_SORTS = {
    "specificity": "specificity",
    "technique": "technique",
    "taxon": "taxon",
    "state": "state",
}
"""Keys of sorting that are the values of a facet."""
SORTS = (*COLUMNS, *FACET_SORTS)


class Catalogue:
    """All versions of the hub, ordered by number, ready to be filtered, counted and sorted."""

    def __init__(
        self,
        ids: Places,
        rows: list[bytes],
        columns: dict[str, list[Any]],
        facets: dict[str, Facet],
        near: Mapping[str, Places] | None = None,
    ) -> None:
        self.ids = ids
        self.rows = rows
        self.columns = columns
        self.facets = facets
        self._orders: dict[str, Places] = {}
        self._masks: dict[tuple[str, ...], Mask] = {}
        self._near = near or {}
        """Orders of the catalogue before: almost right, so that sorting anew is quick."""

    @classmethod
    def of(cls, entries: Iterable[Entry], facets: Mapping[str, Callable[[Entry], Values]]) -> "Catalogue":
        """Return the catalogue of versions that come in the order of their numbers."""
        ids: list[int] = []
        rows: list[bytes] = []
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        values: dict[str, list[Values]] = {name: [] for name in facets}
        for entry in entries:
            ids.append(entry.version_id)
            rows.append(entry.json)
            for name, key in COLUMNS.items():
                columns[name].append(key(entry.row))
            for name, value in facets.items():
                values[name].append(value(entry))
        found = {name: Facet.of(given) for name, given in values.items()}
        return cls(np.array(ids, dtype=np.int64), rows, columns, found)

    def updated(
        self, entries: Sequence[Entry], facets: Mapping[str, Callable[[Entry], Values]]
    ) -> "Catalogue | None":
        """Return the catalogue with these versions changed or added at its end.

        Nothing when one of the added has a lower number than one that is there: then it is read anew.
        """
        entries = sorted(entries, key=lambda entry: entry.version_id)
        present = set(self.places([entry.version_id for entry in entries]).tolist())
        old = {int(self.ids[place]): place for place in present}
        added = [entry for entry in entries if entry.version_id not in old]
        if added and len(self) and added[0].version_id < int(self.ids[-1]):
            return None
        place_of = old | {entry.version_id: len(self) + number for number, entry in enumerate(added)}
        rows = self.rows + [b""] * len(added)
        columns = {name: column + [None] * len(added) for name, column in self.columns.items()}
        for entry in entries:
            place = place_of[entry.version_id]
            rows[place] = entry.json
            for name, key in COLUMNS.items():
                columns[name][place] = key(entry.row)
        changed = np.array(sorted(present), dtype=np.int64)
        patched = {
            name: self.facets[name].patched(
                changed, [(place_of[entry.version_id], value(entry)) for entry in entries]
            )
            for name, value in facets.items()
        }
        ids = np.concatenate([self.ids, np.array([entry.version_id for entry in added], dtype=np.int64)])
        fresh = np.arange(len(self), len(rows), dtype=np.int64)
        near = {name: np.concatenate([order, fresh]) for name, order in self._orders.items()}
        return Catalogue(ids, rows, columns, patched, near)

    def __len__(self) -> int:
        return len(self.rows)

    def none(self) -> Mask:
        """Return the mask of no version."""
        return np.zeros(len(self), dtype=np.bool_)

    def everything(self) -> Mask:
        """Return the mask of all versions."""
        return np.ones(len(self), dtype=np.bool_)

    def mask(self, facet: str, wanted: Iterable[str]) -> Mask:
        """Return the versions that have one of the wanted values of a facet; not to be written on."""
        key = (facet, *wanted)
        found = self._masks.get(key)
        if found is None:
            found = self.facets[facet].mask(len(self), key[1:])
            found.flags.writeable = False
            self._masks[key] = found
            if len(self._masks) > MASKS_KEPT:
                self._masks.pop(next(iter(self._masks)), None)
        return found

    def mask_of(self, version_ids: Sequence[int] | Places) -> Mask:
        """Return the mask of versions; those that the catalogue does not have are left out."""
        mask = self.none()
        mask[self.places(version_ids)] = True
        return mask

    def places(self, version_ids: Sequence[int] | Places) -> Places:
        """Return the places of versions; those that the catalogue does not have are left out."""
        wanted = np.asarray(version_ids, dtype=np.int64)
        if not len(self) or not len(wanted):
            return _empty()
        found = np.searchsorted(self.ids, wanted)
        found[found == len(self)] = 0
        kept: Places = found[self.ids[found] == wanted]
        return kept

    @cached_property
    def codes(self) -> dict[tuple[Any, ...], list[int]]:
        """The places of the versions of each code, by its ``natural_key``."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for place, (key, _version) in enumerate(self.columns["code"]):
            found.setdefault(key, []).append(place)
        return found

    def order(self, sort: str) -> Places:
        """Return all places in the order of a key of ``SORTS`` or, with ``-``, the other way round.

        Equal versions stand in the order of their codes and numbers, so that pages are stable; versions
        without a value come last both ways.
        """
        if sort not in self._orders:
            self._orders[sort] = self._sorted(sort)
        return self._orders[sort]

    def _sorted(self, sort: str) -> Places:
        name = sort.removeprefix("-")
        keys = (
            self.facets[FACET_SORTS[name]].of_versions(len(self))
            if name in FACET_SORTS
            else self.columns[name]
        )
        if sort == "code":
            near = self._near.get(sort)
            places = near.tolist() if near is not None else list(range(len(self)))
            return np.array(sorted(places, key=keys.__getitem__), dtype=np.int64)
        by_code = self.order("code").tolist()
        having = [place for place in by_code if keys[place] is not None]
        having.sort(key=keys.__getitem__, reverse=sort.startswith("-"))
        missing = [place for place in by_code if keys[place] is None]
        return np.array(having + missing, dtype=np.int64)

    def page(self, mask: Mask, sort: str, page: int, page_size: int) -> list[int]:
        """Return the places of one page of the versions of a mask."""
        order = self.order(sort)
        return _slice(order[mask[order]], page, page_size)

    def best(self, mask: Mask, scores: NDArray[np.int16], page: int, page_size: int) -> list[int]:
        """Return the places of one page, those with the highest score first, then by code."""
        order = self.order("code")
        found = order[mask[order]]
        return _slice(found[np.argsort(-scores[found], kind="stable")], page, page_size)


def _slice(found: Places, page: int, page_size: int) -> list[int]:
    start = (page - 1) * page_size
    places: list[int] = found[start : start + page_size].tolist()
    return places
