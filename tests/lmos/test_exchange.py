"""Shapes of LMOs and elements: read strictly, written so that reading gives the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub import cells
from labhub.errors import Invalid
from labhub.lmos import exchange
from labhub.lmos.terms import NameKind, Sign

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "|cmd",
    " =1",
    "\ufeff=1",
    "\u200b=1",
    "\u00a0@x",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "'=1",
    "''=1",
    "'-5",
    "=HYPERLINK(1)",
    "-",
    "+",
    "−5 x",
    "\n=1",
    " \u200b +x",
]
HARMLESS = ["5", "-5", "+5.25", "-1e-3", "P-35S", "MON-00810-6", "'quoted'", "'", "", "a=b"]


@pytest.mark.req("C5")
@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe_and_loses_it(text: str) -> None:
    cell = cells.neutralise(text)
    assert cell == "'" + text
    assert cells.original(cell) == text


@pytest.mark.req("C5")
@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_names_stay_as_they_are(text: str) -> None:
    assert cells.neutralise(text) == text
    assert cells.original(text) == text


@given(st.text(alphabet="'=+-@|\t\r\n \ufeff\u200b＝5.eA", max_size=8))
def test_every_text_survives_a_cell(text: str) -> None:
    assert cells.original(cells.neutralise(text)) == text


@given(st.lists(st.lists(st.text(alphabet="'=,\"\r\n\t A5", max_size=6), min_size=2, max_size=2), max_size=5))
def test_every_table_survives_a_csv_file(rows: list[list[str]]) -> None:
    written = cells.write_csv(["a", "b"], [{"a": one, "b": two} for one, two in rows])
    read = cells.read_csv(written, file="x.csv")
    assert [[row["a"], row["b"]] for row in read] == rows


def test_empty_lines_are_refused_between_rows_and_allowed_at_the_end() -> None:
    assert cells.read_csv(b"a,b\r\n1,2\r\n\r\n\r\n", file="x.csv") == [{"a": "1", "b": "2"}]
    for content, lines in ((b'a,b\n"1\n1",2\n\n3,4\n\n\n5,6\n\n', "4, 6, 7"), (b"\na,b\n1,2\n", "1")):
        with pytest.raises(Invalid) as refusal:
            cells.read_csv(content, file="x.csv")
        assert f"x.csv has empty lines between its rows: line {lines}." in str(refusal.value)
    for content in (b"", b"\n\n"):
        with pytest.raises(Invalid, match="is empty"):
            cells.read_csv(content, file="x.csv")


@given(st.lists(st.text(alphabet="a|\\ ;", min_size=1).map(str.strip).filter(bool)))
def test_every_list_survives_a_cell(items: list[str]) -> None:
    assert exchange.split_items(exchange.join_items(items)) == items


RECORD: dict[str, Any] = {
    "unique_identifier": "MON-00810-6",
    "event": "MON810",
    "other_names": [
        {"name": "YieldGard corn", "kind": "trade-name", "source": "a page", "recorded_on": "2026-01-02"}
    ],
    "trade_name": "=YieldGard",
    "species": {"scientific": "Zea mays", "common": "maize"},
    "developer": None,
    "traits": ["resistance to Lepidoptera", "a | b"],
    "stacked": False,
    "parents": [],
    "claims": [
        {"element": "P-35S", "sign": "has", "source": "one", "verified": True, "recorded_on": None},
        {
            "element": "P-35S",
            "sign": "lacks",
            "source": "two",
            "verified": False,
            "recorded_on": "2026-01-02",
        },
    ],
    "sources": [{"title": None, "url": "https://example.org", "year": 2020}],
    "notes": ["-starts with a sign"],
    "verified": True,
    "fields_from_memory": ["developer"],
}


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_what_is_exported_is_read_as_the_same(format_: str) -> None:
    content = exchange.write_lmos([RECORD], format_)
    (raw,) = exchange.read_lmo_file(content, file=f"lmos.{format_}")
    assert exchange.read_lmo(raw) == exchange.read_lmo(RECORD)


def test_a_record_is_read_into_the_names_of_the_table() -> None:
    fields = exchange.read_lmo(RECORD)
    assert fields["identifier_key"] == "MON008106"
    assert fields["taxon_common"] == "maize"
    assert [claim["sign"] for claim in fields["claims"]] == [Sign.HAS, Sign.LACKS]
    assert fields["names"][0]["kind"] is NameKind.TRADE_NAME


def test_fields_that_are_not_given_are_not_returned() -> None:
    assert exchange.read_lmo({"event": "X1"}) == {"event": "X1"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event": ""}, "event"),
        ({"event": 5}, "event"),
        ({"event": "a\u202eb"}, "event"),
        ({"event": "x" * 201}, "event"),
        ({"event": "ﷺ" * 60}, "event"),
        ({"unique_identifier": "---"}, "unique_identifier"),
        ({"species": "Zea mays"}, "species"),
        ({"traits": "one"}, "traits"),
        ({"traits": [None]}, "traits.0"),
        ({"stacked": "perhaps"}, "stacked"),
        ({"verified": 1}, "verified"),
        ({"notes": ["x" * 10241]}, "notes.0"),
        ({"other_names": [{"name": "a"}, {"name": "A"}]}, "other_names.1"),
        ({"other_names": [{"name": "a", "kind": "nick"}]}, "other_names.0.kind"),
        ({"other_names": [{"name": "a", "recorded_on": "2026-13-01"}]}, "other_names.0.recorded_on"),
        ({"sources": [{"year": 2020}]}, "sources.0"),
        ({"sources": [{"title": "t", "year": "2020"}]}, "sources.0.year"),
        ({"claims": [{"element": "P-35S", "sign": "maybe", "source": "s"}]}, "claims.0.sign"),
        ({"claims": [{"element": "P-35S", "sign": "has"}]}, "claims.0.source"),
        ({"claims": ["P-35S"]}, "claims.0"),
        ({"row_version": 3}, "row_version"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        exchange.read_lmo({"event": "X1", **change})
    assert field in refusal.value.errors


def test_one_source_cannot_speak_twice_of_an_element() -> None:
    claims = [
        {"element": name, "sign": sign, "source": "s"} for name, sign in (("bar", "has"), ("BAR", "lacks"))
    ]
    with pytest.raises(Invalid) as refusal:
        exchange.read_lmo({"event": "X1", "claims": claims})
    assert "claims.1" in refusal.value.errors


@pytest.mark.parametrize(
    ("content", "file"),
    [
        (b"\xff\xfe", "x.json"),
        (b"[NaN]", "x.json"),
        (b'[{"event": "a", "event": "b"}]', "x.json"),
        (b'{"event": "a"}', "x.json"),
        (b"[", "x.json"),
        (b'["\\ud800"]', "x.json"),
        (b'["\\u0000"]', "x.json"),
        (b"[" * 5000, "x.json"),
        (b"", "x.csv"),
        (b"name\r\nx\r\n", "x.csv"),
        (b"event,event\r\na,b\r\n", "x.csv"),
        (b"event,notes\r\na\r\n", "x.csv"),
        (b"event\r\na\x00b\r\n", "x.csv"),
        (b'event\r\n"a\r\n', "x.csv"),
        (b"event", "x.pdf"),
    ],
)
def test_a_file_of_the_wrong_form_is_refused(content: bytes, file: str) -> None:
    with pytest.raises(Invalid) as refusal:
        exchange.read_lmo_file(content, file=file)
    assert refusal.value.errors
