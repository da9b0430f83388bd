"""Products of a search as TSV and JSON (``contract.md``): 1-based, sorted by names, always the same."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labhub.sequences.insilico import Assay, Products
from labhub.sequences.packed import PackedLibrary

COLUMNS = (
    "assay",
    "reference",
    "start",
    "end",
    "size",
    "strand",
    "mm_f",
    "mm_r",
    "probe_mm",
    "wraps",
    "tm_f",
    "tm_r",
)
PAIR = "pair"
"""The column that is added with self products: FR, FF or RR."""
KINDS = ("FR", "FF", "RR")
AT_ONCE = 20_000
"""Rows that are written at once."""

Row = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """The products of one library, with the melting temperatures of their sites where they were asked for."""

    library: PackedLibrary
    products: Products
    tm_f: Sequence[str] = ()
    tm_r: Sequence[str] = ()


def rows_of(assays: Sequence[Assay], results: Sequence[Result], *, with_pair: bool) -> Iterator[Row]:
    """Yield the products of all libraries, sorted by assay, reference, start and size."""
    assay_ranks = _ranks([assay.name for assay in assays])
    used = [np.unique(result.products.record) for result in results]
    names = [
        [result.library.names[record] for record in records.tolist()]
        for result, records in zip(results, used, strict=True)
    ]
    ranks = _ranks([name for some in names for name in some])
    begins = np.cumsum([0, *(len(some) for some in names)])
    columns: list[tuple[NDArray[Any], ...]] = []
    for number, (result, records) in enumerate(zip(results, used, strict=True)):
        found = result.products
        place = np.searchsorted(records, found.record)
        columns.append(
            (
                found.kind,
                found.strand,
                found.size,
                found.start,
                found.record,
                np.full(len(found), number),
                ranks[begins[number] :][place] if len(found) else place,
                assay_ranks[found.assay],
                np.arange(len(found)),
                place,
            )
        )
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
    order = np.lexsort(joined[:8])
    which, rows, places = joined[5][order], joined[8][order], joined[9][order]
    for begin in range(0, len(order), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        written = [
            _written(
                assays,
                result,
                names[number],
                rows[part][which[part] == number],
                places[part][which[part] == number],
                with_pair,
            )
            for number, result in enumerate(results)
        ]
        for number in which[part].tolist():
            yield next(written[number])


def _written(
    assays: Sequence[Assay],
    result: Result,
    names: Sequence[str],
    rows: NDArray[Any],
    places: NDArray[Any],
    with_pair: bool,
) -> Iterator[Row]:
    found = result.products.take(rows)
    lengths = result.library.lengths[found.record]
    end = (found.start + found.size - 1) % np.maximum(lengths, 1) + 1
    columns: list[Any] = [
        [assays[place].name for place in found.assay.tolist()],
        [names[place] for place in places.tolist()],
        (found.start + 1).tolist(),
        end.tolist(),
        found.size.tolist(),
        np.where(found.strand > 0, "+", "-").tolist(),
        found.mm_f.tolist(),
        found.mm_r.tolist(),
        [None if number < 0 else number for number in found.probe_mm.tolist()],
        (found.start + found.size > lengths).astype(int).tolist(),
        [result.tm_f[row] for row in rows.tolist()] if len(result.tm_f) else [None] * len(rows),
        [result.tm_r[row] for row in rows.tolist()] if len(result.tm_r) else [None] * len(rows),
    ]
    if with_pair:
        columns.append([KINDS[kind] for kind in found.kind.tolist()])
    return zip(*columns, strict=True)


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each name among the sorted names; equal ones have the same."""
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([places[name] for name in names], np.int64).reshape(len(names))


def header(*, with_pair: bool) -> tuple[str, ...]:
    """Return the names of the columns."""
    return (*COLUMNS, PAIR) if with_pair else COLUMNS


def tsv_lines(rows: Iterator[Row], *, with_pair: bool) -> Iterator[str]:
    """Yield the table as lines with a tab between cells; an empty cell says that there is no value."""
    yield "\t".join(header(with_pair=with_pair)) + "\n"
    for row in rows:
        yield "\t".join(["" if cell is None else str(cell) for cell in row]) + "\n"


def json_lines(rows: Iterator[Row], *, with_pair: bool) -> Iterator[str]:
    """Yield the table as a JSON list, one object a line."""
    names = header(with_pair=with_pair)
    before = "["
    for row in rows:
        yield before + "\n" + json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"
