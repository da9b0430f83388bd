"""Methods as JSON and CSV: what goes out comes in again, and what is wrong is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labhub.errors import Invalid
from labhub.methods import exchange, tables
from labhub.methods.models import OligoRole, Specificity, Technique
from tests.factories import method_content

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def errors_of(**fields: object) -> dict[str, list[str]]:
    """Return what is wrong with a method with these fields."""
    checked = exchange.check(method_content(**fields))
    return {name: [str(text) for text in texts] for name, texts in checked.errors.items()}


def test_complete_method_has_no_problem_and_lacks_only_its_sop() -> None:
    checked = exchange.check(method_content())
    assert checked.errors == {}
    assert set(exchange.submission_gaps(checked.content, [])) == {"files"}
    assert exchange.submission_gaps(checked.content, ["sop"]) == {}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"title": ""}, "title", "needed"),
        ({"title": "x" * 301}, "title", "300"),
        ({"title": "a\u202eb"}, "title", "Invisible"),
        ({"specificity": "any"}, "specificity", "Choose one"),
        ({"amplicon_bp": "1,5"}, "amplicon_bp", "not a comma"),
        ({"amplicon_bp": 1.5}, "amplicon_bp", "whole"),
        ({"amplicon_bp": 0}, "amplicon_bp", "at least"),
        ({"amplicon_bp": True}, "amplicon_bp", "number"),
        ({"reaction_microlitre": "NaN"}, "reaction_microlitre", "not a number"),
        ({"reaction_microlitre": float("inf")}, "reaction_microlitre", "stored"),
        ({"reaction_microlitre": -1}, "reaction_microlitre", "more than"),
        ({"amplicon": "ACGX"}, "amplicon", "X at base 4"),
        ({"amplicon": "ACGT"}, "amplicon_bp", "4 bases, not 92"),
        ({"validation": {"slope": 3.3}}, "validation.slope", "negative"),
        ({"validation": {"r2": 1.2}}, "validation.r2", "at most"),
        ({"validation": {"unknown": 1}}, "validation.unknown", "no such field"),
        ({"validation": []}, "validation", "object"),
        ({"state": "published"}, "state", "not yours"),
        ({"code": "../x"}, "code", "letters"),
        ({"code": "new"}, "code", "letters"),
        ({"sources": [{"title": "a", "url": "javascript:x"}]}, "sources.0.url", "https"),
        ({"sources": [{"url": "https://a.example"}]}, "sources.0.title", "needed"),
        ({"oligos": "ACGT"}, "oligos", "list"),
        ({"oligos": [{"role": "forward", "sequence": "ACGTZ"}]}, "oligos.0.sequence", "Z at base 5"),
        ({"oligos": [{"role": "left", "sequence": "ACGT"}]}, "oligos.0.role", "Choose one"),
        ({"oligos": [{"role": "probe"}]}, "oligos.0.sequence", "needed"),
        (
            {"oligos": [{"role": "probe", "sequence": "ACGT", "final_concentration_nanomolar": 0}]},
            "oligos.0.final_concentration_nanomolar",
            "more than",
        ),
        ({"targets": [1]}, "targets", "text"),
        ({"notes": ["a\x07"]}, "notes", "control"),
        ({"reference_gene": {"gene": None, "source": "x"}}, "reference_gene.gene", "Name"),
    ],
)
def test_wrong_field_is_named(fields: dict[str, Any], field: str, words: str) -> None:
    found = errors_of(**fields)
    assert list(found) == [field]
    assert words in found[field][0]


def test_all_problems_are_told_at_once() -> None:
    found = errors_of(title="", technique="x", amplicon_bp="1,0", oligos=[{"role": "probe", "sequence": "?"}])
    assert set(found) == {"title", "technique", "amplicon_bp", "oligos.0.sequence"}


def test_unique_identifiers_are_kept_in_canonical_spelling() -> None:
    checked = exchange.check(method_content(lmo_unique_identifiers=["mon-ØØ81Ø-6", "SY-GTSB77-8"]))
    assert checked.content["lmo_unique_identifiers"] == ["MON-00810-6", "SY-GTSB77-8"]


def test_modifications_stand_apart_from_the_bases() -> None:
    oligo = {"role": "probe", "name": "p", "sequence": "[6-FAM]TTCY/iZEN/GG[BHQ1]"}
    checked = exchange.check(method_content(oligos=[oligo]))
    (read,) = checked.content["oligos"]
    assert (read["sequence"], read["label5"], read["label3"]) == ("TTCYGG", "6-FAM", "BHQ1")
    assert read["modifications"] == [{"after_base": 4, "name": "iZEN"}]


def test_primers_that_do_not_fit_the_amplicon_are_a_doubt_not_a_refusal() -> None:
    checked = exchange.check(method_content(amplicon="ACGT" * 23))
    assert checked.errors == {}
    assert len(checked.warnings) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"title,specificity\r\nx,event\r\n", "lacks the columns technique"),
        (b"title,specificity,technique,colour\r\nx,event,qpcr,red\r\n", "not known: colour"),
        ("title,specificity,technique\r\nMaïs,event,qpcr\r\n".encode("mac-roman"), "not UTF-8: see line 2"),
        (b"", "empty"),
        (b"title,specificity,technique\r\n", "no record"),
        (b"title,title,specificity,technique\r\n", "twice"),
    ],
)
def test_csv_of_another_shape_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        tables.rows_of_file(content, "methods.csv")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": NaN}', b'{"a": 1, "a": 2}', b'"\xff"'])
def test_json_of_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        tables.rows_of_file(content, "methods.json")


def test_problem_of_a_csv_row_is_told_by_its_column() -> None:
    content = (
        b"title,specificity,technique,probe_sequence,validation_lod_percent\r\n"
        b'Fine,event,qpcr,ACGT,0.1\r\nWrong,event,qpcr,ACXT,"0,1"\r\n'
    )
    fine, wrong = tables.rows_of_file(content, "methods.csv")
    assert fine.errors == {}
    assert set(wrong.errors) == {"probe_sequence", "validation_lod_percent"}
    assert "base 3" in str(wrong.errors["probe_sequence"][0])


def test_same_code_twice_in_a_file_is_refused_with_the_row() -> None:
    records = [method_content(code="A-1"), method_content(code="B-1"), method_content(code="a-1")]
    rows = tables.rows_of_file(json.dumps(records).encode(), "methods.json")
    assert [bool(row.errors) for row in rows] == [False, False, True]
    assert "row 1" in str(rows[2].errors["code"][0])


def test_seeds_come_out_as_they_went_in() -> None:
    rows = tables.rows_of_file((SEEDS / "methods.json").read_bytes(), "methods.json")
    contents = [row.content for row in rows]
    assert all(not row.errors for row in rows)
    assert [row.content for row in tables.rows_of_file(exchange.to_csv(contents), "m.csv")] == contents


@pytest.mark.shared
def test_raw_data_folder_is_read_whole(shared_data: Path) -> None:
    rows = tables.rows_of_file((shared_data / "methods.json").read_bytes(), "methods.json")
    assert len(rows) == 149
    assert [row.content["source_code"] for row in rows if row.errors] == []
    doubted = [row.content["source_code"] for row in rows if row.warnings]
    assert doubted == ["QL-TAX-AT-001", "QT-TAX-GH-015", "QT-TAX-ST-010"]
    assert {row.content["origin"] for row in rows} == {"compiled"}


def test_unknown_field_of_the_raw_shape_is_named() -> None:
    raw = {"scope": "event", "technique": "SYBR", "title": "x", "colour": "red", "validation": {"n_labs": 3}}
    checked = exchange.check(exchange.from_raw(raw))
    assert list(checked.errors) == ["colour"]
    assert checked.content["validation"]["laboratories"] == 3


HOSTILE = [
    "=1+1",
    "+A1",
    "-cmd",
    "@SUM(A1)",
    "'=x",
    " =1",
    "\uff1dx",
    "|x",
    "a\tb",
    "-5",
    '"a","b"',
    "'",
    "''",
]
WORDS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30),
)
MAYBE = st.none() | WORDS
NUMBERS = st.none() | st.floats(0.001, 99, allow_nan=False) | st.integers(1, 99)
OLIGOS = st.fixed_dictionaries(
    {
        "role": st.sampled_from([role.value for role in OligoRole]),
        "name": WORDS,
        "sequence": st.text("ACGTRYN", min_size=1, max_size=30),
        "label5": MAYBE,
        "label3": MAYBE,
        "final_concentration_nanomolar": NUMBERS,
        "modifications": st.just([]) | st.just([{"after_base": 1, "name": "iZEN"}]),
    }
)
RECORDS = st.fixed_dictionaries(
    {
        "title": WORDS,
        "specificity": st.sampled_from([each.value for each in Specificity]),
        "technique": st.sampled_from([each.value for each in Technique]),
        "target": MAYBE,
        "targets": st.lists(WORDS, max_size=3),
        "taxon": st.none() | st.fixed_dictionaries({"scientific": MAYBE, "common": MAYBE}),
        "quantitative": st.booleans(),
        "reagents": st.none() | st.lists(WORDS, min_size=1, max_size=3).map("\n".join),
        "notes": st.lists(WORDS, max_size=3),
        "oligos": st.lists(OLIGOS, max_size=5),
        "validation": st.fixed_dictionaries(
            {"lod_copies": NUMBERS, "lod_text": MAYBE, "inferred": st.none() | st.booleans()}
        ),
        "sources": st.lists(
            st.fixed_dictionaries({"title": WORDS, "year": st.none() | st.integers(1900, 2100)}), max_size=3
        ),
    }
)


@pytest.mark.req("C5")
@settings(max_examples=150, deadline=None)
@given(RECORDS)
def test_export_then_import_is_the_record(record: dict[str, Any]) -> None:
    checked = exchange.check(record)
    if checked.errors:  # a text of blanks, or a sign that names may not have
        return
    for content, name in (
        (exchange.to_csv([checked.content]), "m.csv"),
        (json.dumps([checked.content]).encode(), "m.json"),
    ):
        (again,) = tables.rows_of_file(content, name)
        assert again.errors == {}
        assert again.content == checked.content


@pytest.mark.req("C5")
def test_no_cell_of_an_export_is_a_formula() -> None:
    content = exchange.check(method_content(title="=HYPERLINK(1)", target="@x", notes=["+1+1"])).content
    text = exchange.to_csv([content]).decode()
    assert "'=HYPERLINK(1)" in text
    assert ",=HYPERLINK" not in text
    assert ",-3.4," in text


@pytest.mark.req("D11")
@pytest.mark.parametrize("sequence", ["N" * 40, "A" * 1_000_000, "", "acgu", "ACGT-[FAM", "é", "٣"])
def test_odd_oligos_are_answered_and_never_expanded(sequence: str) -> None:
    found = errors_of(oligos=[{"role": "forward", "sequence": sequence}])
    assert set(found) <= {"oligos.0.sequence"}
