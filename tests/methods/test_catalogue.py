"""The catalogue in memory: filters, counts and orders over plain entries."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labhub.methods.catalogue import SORTS, Catalogue, Entry

FACETS = {
    "specificity": lambda entry: entry.row["specificity"],
    "technique": lambda entry: entry.row["technique"],
    "taxon": lambda entry: entry.row["taxon"],
    "state": lambda entry: entry.row["state"],
    "element": lambda entry: entry.facets["e"],
}


def entry(number: int, **given_row: Any) -> Entry:
    row = {
        "code": f"LH-{number}", "version": 1, "title": "T", "target": "", "amplicon_bp": None,
        "published_at": None, "year": None, "specificity": "event", "technique": "qpcr", "taxon": None,
        "state": "published", **given_row,
    }  # fmt: skip
    return Entry(number, str(number).encode(), row, {"e": row.pop("elements", [])})


def catalogue(*entries: Entry) -> Catalogue:
    return Catalogue.of(entries, FACETS)


def numbers(found: Catalogue, mask: Any, sort: str = "code") -> list[int]:
    return [int(found.rows[place]) for place in found.page(mask, sort, 1, 1000)]


def test_values_of_a_facet_are_counted_under_a_mask_commonest_first() -> None:
    found = catalogue(
        entry(1, elements=["a", "b"]), entry(2, elements=["b"]), entry(3), entry(4, elements=["c"])
    )
    assert found.facets["element"].counts(found.everything(), 9) == ([("b", 2), ("a", 1), ("c", 1)], 3)
    assert found.facets["element"].counts(found.everything(), 1) == ([("b", 2)], 3)
    assert found.facets["element"].counts(found.mask_of([2, 3]), 9) == ([("b", 1)], 1)


def test_values_are_found_in_any_case_and_unknown_ones_find_nothing() -> None:
    found = catalogue(entry(1, taxon="Zea mays"), entry(2, taxon="Oryza sativa"))
    assert numbers(found, found.mask("taxon", ["zea MAYS"])) == [1]
    assert numbers(found, found.mask("taxon", ["zea mays", "oryza sativa"])) == [1, 2]
    assert numbers(found, found.mask("taxon", ["wheat"])) == []


def test_codes_are_in_the_order_of_their_numbers_and_missing_values_come_last_both_ways() -> None:
    found = catalogue(
        *sorted([entry(10, amplicon_bp=70), entry(9), entry(2, amplicon_bp=90)], key=lambda e: e.version_id)
    )
    assert numbers(found, found.everything()) == [2, 9, 10]
    assert numbers(found, found.everything(), "amplicon_bp") == [10, 2, 9]
    assert numbers(found, found.everything(), "-amplicon_bp") == [2, 10, 9]


rows = st.fixed_dictionaries(
    {
        "title": st.text("abC ", max_size=3),
        "amplicon_bp": st.none() | st.integers(50, 60),
        "specificity": st.sampled_from(["event", "taxon"]),
        "taxon": st.none() | st.sampled_from(["Zea mays", "Oryza sativa"]),
        "elements": st.lists(st.sampled_from("abcd"), max_size=3),
    }
)


@given(st.lists(rows, max_size=8), st.dictionaries(st.integers(1, 11), rows, max_size=4))
def test_an_updated_catalogue_is_the_same_as_one_made_anew(
    first: list[Mapping[str, Any]], changes: dict[int, Mapping[str, Any]]
) -> None:
    before = {number: entry(number, **row) for number, row in enumerate(first, start=1)}
    old = catalogue(*before.values())
    for sort in SORTS:
        old.order(sort)
    changed = {number: entry(number, **row) for number, row in changes.items()}
    wanted = catalogue(*(each for _number, each in sorted((before | changed).items())))
    got = old.updated(list(changed.values()), FACETS)
    assert got is not None
    assert got.ids.tolist() == wanted.ids.tolist()
    for sort in (*SORTS, *(f"-{name}" for name in SORTS)):
        assert numbers(got, got.everything(), sort) == numbers(wanted, wanted.everything(), sort)
    for name, facet in wanted.facets.items():
        assert got.facets[name].counts(got.everything(), 9) == facet.counts(wanted.everything(), 9)
        for value in facet.values:
            assert got.mask(name, [value]).tolist() == wanted.mask(name, [value]).tolist()


def test_a_late_version_with_a_lower_number_asks_for_a_new_catalogue() -> None:
    assert catalogue(entry(5)).updated([entry(3)], FACETS) is None
