"""Tables as CSV: whatever a spreadsheet saves is read as it was meant, or refused with its place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub import cells
from labhub.errors import Invalid

LINES = [{"code": "A-1", "name": "Maïs; génome, “test”"}, {"code": "A-2", "name": "MON-ØØ81Ø-6"}]


def refusal(content: bytes, **how: object) -> tuple[str, dict[str, list[str]]]:
    """Return the message and the errors with which a table is refused."""
    with pytest.raises(Invalid) as caught:
        cells.read_table(content, file="x.csv", **how)  # type: ignore[arg-type]
    return str(caught.value), {
        key: [str(text) for text in texts] for key, texts in caught.value.errors.items()
    }


@pytest.mark.req("D8")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_a_spreadsheet_saves_is_read_and_what_was_assumed_is_said(encoding: str, separator: str) -> None:
    text = "code" + separator + "name\r\n"
    text += "".join(f'{row["code"]}{separator}"{row["name"]}"\r\n' for row in LINES)
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    table = cells.read_table((mark + text).encode(encoding), file="x.csv", needed=("code",))
    assert table.rows == LINES
    said = " ".join(str(note) for note in table.notes)
    assert ("semicolons" in said, "tabs" in said) == (separator == ";", separator == "\t")
    assert ("UTF-16" in said) == encoding.startswith("utf-16")
    assert ("Windows-1252 (see “Maïs”" in said) == (encoding == "cp1252")


@pytest.mark.req("D8")
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "кукуруза"),
        ("cp1253", "καλαμπόκι"),
        ("cp1256", "الذرة"),
        ("cp1250", "łubin żółty"),
        ("cp850", "maïs"),
        ("mac-roman", "maïs"),
        ("gb18030", "玉米"),
        ("shift-jis", "トウモロコシ"),
    ],
)
def test_other_encodings_are_refused_with_line_and_advice(encoding: str, text: str) -> None:
    content = b"code,name\r\nA-1,plain\r\n" + f"A-2,{text}\r\n".encode(encoding)
    message, errors = refusal(content)
    assert "see line 3" in message and "Save it as UTF-8" in message
    assert list(errors) == ["file"]


@pytest.mark.req("D8")
def test_utf8_with_one_broken_line_is_not_taken_for_another_encoding() -> None:
    content = "code,name\nA-1,Maïs\n".encode() + "A-2,blé\n".encode("latin-1")
    assert "line 3" in refusal(content)[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"code,name\nA,\x00\n", "NUL sign in line 2"),
        ("code,name\n".encode("utf-16")[:-1], "not UTF-8: see line 1"),
        ("code,name\n".encode("utf-32"), "not UTF-8: see line 1"),
        (b'code,name\nA,"open\n', "line 2"),
        (b"code,name\nA," + b"x" * (1 << 20) + b"\n", "a cell in line 2 has more than 32767"),
        (b"code,code,name\n", "stands twice in the first line: code"),
        (b"code\n\nA\n", "empty lines between its rows: line 2"),
        (b"x,y\n1,2\n", "lacks the columns code"),
        (b",,\n", "is empty"),
        (b"a" + b"," * 1_000 + b"\n", "more than 1000 columns"),
    ],
)
@pytest.mark.req("D8")
def test_bad_shape_is_refused_with_its_place(content: bytes, words: str) -> None:
    assert words in refusal(content, needed=("code",))[0]


def test_rows_of_wrong_length_and_cells_too_long_are_told_all_at_once() -> None:
    content = b"code,name\nA\nB," + b"x" * 33_000 + b"\nC,1,2\n"
    _message, errors = refusal(content, first_row=2)
    assert list(errors) == ["row 2", "row 3, name", "row 4"]
    assert errors["row 3, name"] == ["A cell has at most 32767 characters."]


def test_empty_rows_at_the_end_are_left_out() -> None:
    assert cells.read_csv(b"code;name\nA;B\n;\n ; \n\n", file="x.csv", needed=("code",)) == [
        {"code": "A", "name": "B"}
    ]


def test_comma_stays_the_separator_where_both_could_be() -> None:
    assert cells.read_csv(b"code,a;b\nA,1\n", file="x.csv", needed=("code",)) == [{"code": "A", "a;b": "1"}]
    assert cells.read_csv(b"a;b,c\n1,2\n", file="x.csv") == [{"a;b": "1", "c": "2"}]


@given(st.binary(max_size=200))
@pytest.mark.req("C1")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(Invalid):
        cells.read_table(content, file="x.csv")
