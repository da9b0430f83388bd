"""What changed between two versions."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.methods import differences, exchange, words
from labhub.methods.differences import Kind, Mark
from tests.factories import method_content

STUDY = {
    "kind": "collaborative-trial",
    "title": "Trial",
    "levels": [{"label": "L1", "assigned": 0.1, "mean": 0.09}, {"label": "L2", "assigned": 1, "mean": 1.1}],
}


def record(**fields: Any) -> dict[str, Any]:
    """Return the content of a complete method."""
    given = {
        **method_content(),
        "studies": [STUDY],
        "reference_materials": [{"code": "ERM-1", "name": "Maize"}],
    }
    checked = exchange.check({**given, **fields})
    assert not checked.errors
    return checked.content


def kinds(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    """Return path and kind of each difference."""
    return [(each.path, each.kind.value) for each in differences.differences(before, after)]


LEAVES = ["title", "licence", "reagents", "amplicon_accession", "instrument", "rights_note", "chemistry"]


@given(st.dictionaries(st.sampled_from(LEAVES), st.text("abc ", max_size=8) | st.none()))
def test_a_record_does_not_differ_from_itself(changes: dict[str, str | None]) -> None:
    one = {**record(), **changes}
    assert differences.differences(one, deepcopy(one)) == []


@given(st.dictionaries(st.sampled_from(LEAVES), st.text("abc", max_size=8) | st.none()))
def test_putting_the_later_values_in_gives_the_later_record(changes: dict[str, str | None]) -> None:
    before, after = record(), {**record(), **changes}
    patched = dict(before)
    for each in differences.differences(before, after):
        patched[each.field] = each.after
    assert all((patched[key] or None) == (after[key] or None) for key in after)


@given(st.dictionaries(st.sampled_from(LEAVES), st.text("abc", max_size=8) | st.none()))
def test_the_way_back_is_the_mirror_of_the_way_there(changes: dict[str, str | None]) -> None:
    before, after = record(), {**record(), **changes}
    mirror = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED}
    there = {
        (each.path, mirror.get(each.kind, each.kind), each.before, each.after)
        for each in differences.differences(before, after)
    }
    back = {
        (each.path, each.kind, each.after, each.before) for each in differences.differences(after, before)
    }
    assert there == back


def test_every_key_of_a_content_has_a_name_and_a_section() -> None:
    study = {**dict.fromkeys(exchange.STUDY), "levels": [dict.fromkeys(exchange.LEVEL)], "data": []}
    whole = {
        **record(),
        **{group: dict.fromkeys(shape) for group, shape in exchange.GROUPS.items()},
        "oligo_sets": [dict.fromkeys(exchange.OLIGO_SET)],
        "reference_materials": [dict.fromkeys(exchange.MATERIAL)],
        "studies": [study],
        "sources": [dict.fromkeys(exchange.SOURCE)],
    }
    whole["oligos"] = [
        {**dict.fromkeys(exchange.OLIGO), "modifications": [{"after_base": 1, "name": "iZEN"}]}
    ]
    assert [path for path in words.leaves(whole) if path not in words.NAMES] == []
    sections = [key for _title, keys in words.SECTIONS for key in keys]
    assert set(exchange.CONTENT) <= set(sections)
    assert len(sections) == len(set(sections))


def test_an_oligo_put_in_front_of_others_is_one_addition() -> None:
    before, after = record(), record()
    after["oligos"].insert(0, {**after["oligos"][0], "name": "new", "sequence": "ACGTACGT"})
    (only,) = differences.differences(before, after)
    assert (only.path, only.kind, only.field) == ("oligos", Kind.ADDED, "oligos.0")
    assert "new" in str(only.where[0])


def test_a_renamed_oligo_is_the_same_oligo() -> None:
    before, after = record(), record()
    after["oligos"][0]["name"] = "renamed"
    assert kinds(before, after) == [("oligos.name", "changed")]


def test_a_figure_of_a_level_is_named_by_study_and_level() -> None:
    before, after = record(), record()
    after["studies"][0]["levels"][1]["mean"] = 1.2
    (only,) = differences.differences(before, after)
    shown = differences.shown(only)
    assert [str(name) for name in shown.names] == [
        "Validation studies",
        "collaborative trial: Trial",
        "L2",
        "Mean",
    ]
    assert (shown.before, shown.after) == ([(Mark.GONE, "1.1")], [(Mark.NEW, "1.2")])


def test_lists_say_which_entries_came_and_went() -> None:
    before, after = record(matrices=["flour", "seed"]), record(matrices=["flour", "feed"])
    shown = differences.shown(differences.differences(before, after)[0])
    assert shown.before == [(Mark.SAME, "flour"), (Mark.GONE, "seed")]
    assert shown.after == [(Mark.SAME, "flour"), (Mark.NEW, "feed")]


def test_another_order_is_said_to_be_that() -> None:
    assert kinds(record(matrices=["a", "b"]), record(matrices=["b", "a"])) == [("matrices", "moved")]
    one = record(reference_materials=[{"code": "A"}, {"code": "B"}])
    two = record(reference_materials=[{"code": "B"}, {"code": "A"}])
    assert kinds(one, two) == [("reference_materials", "moved")]


def test_raw_results_are_summarised() -> None:
    before, after = record(), record()
    after["studies"][0]["data"] = [["1", "L1", "1", 0.1], ["1", "L1", "2", 0.2]]
    (only,) = differences.differences(before, after)
    assert differences.shown(only).after == [(Mark.NEW, "2 results")]
    last = deepcopy(after)
    last["studies"][0]["data"][0][3] = 0.15
    (only,) = differences.differences(after, last)
    assert (Mark.NEW, "1 new or changed") in differences.shown(only).after


def test_files_are_compared_by_name_and_digest() -> None:
    one = {"files": [{"name": "sop.pdf", "sha256": "a" * 64}, {"name": "old.pdf", "sha256": "b" * 64}]}
    two = {"files": [{"name": "sop.pdf", "sha256": "c" * 64}, {"name": "new.pdf", "sha256": "b" * 64}]}
    assert kinds(one, two) == [("files.sha256", "changed"), ("files.name", "changed")]


@pytest.mark.parametrize(
    ("before", "after", "gone", "new"),
    [
        ("ACGTACGTAC", "ACGAACGTAC", ["T"], ["A"]),
        ("ACGTACGTAC", "ACGTACGTACGG", [], ["GG"]),
        ("ACGTACGTAC", "CGTACGTAC", ["A"], []),
        ("ACGTACGTAC", "ACGTGGGACGTAC", [], ["GGG"]),
    ],
)
def test_changed_bases_are_marked_one_by_one(
    before: str, after: str, gone: list[str], new: list[str]
) -> None:
    left, right = differences.marked("oligos.sequence", before, after)
    assert [text for mark, text in left if mark is Mark.GONE] == gone
    assert [text for mark, text in right if mark is Mark.NEW] == new


@given(st.text("ACGT", max_size=60), st.text("ACGT", max_size=60))
def test_the_parts_put_together_are_the_texts(before: str, after: str) -> None:
    left, right = differences.marked("amplicon", before, after)
    assert "".join(text for _mark, text in left) == before
    assert "".join(text for _mark, text in right) == after
    same = [[text for mark, text in side if mark is Mark.SAME] for side in (left, right)]
    assert "".join(same[0]) == "".join(same[1])


def test_long_sequences_are_compared_without_a_table_of_all_letters() -> None:
    before, after = "A" + "ACGT" * 20_000 + "C", "C" + "TGCA" * 20_000 + "A"
    left, _right = differences.marked("amplicon", before, after)
    assert left == [(Mark.GONE, before)]


def test_values_of_the_hub_are_said_in_words() -> None:
    before, after = record(), record(quantitative=False, technique="dpcr")
    texts = [differences.shown(each).after[0][1] for each in differences.differences(before, after)]
    assert texts == ["digital PCR (dPCR)", "qualitative"]


def test_sections_hold_every_difference_once() -> None:
    before, after = record(), record(title="Another", licence="Other", matrices=["x"])
    found = differences.differences({**before, "unheard": 1}, after)
    sections = differences.by_section(found)
    assert sum(len(rows) for _title, rows in sections) == len(found) == 4
