"""The command line as a person in a hurry uses it: what it prints, and how it ends."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.test_serving import ROOT, labhub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    labhub(folder, "init")
    (folder / "laboratories.csv").write_text("code,name,party\nLAB-KE,National Laboratory,KE\n")
    labhub(folder, "import", "laboratories", str(folder / "laboratories.csv"))
    options = ["--name", "Amina", "--party", "KE", "--laboratory", "LAB-KE", "--role", "analyst"]
    done = labhub(folder, "user", "create", "amina@example.org", *options)
    assert done.stdout.strip().isdecimal()
    return folder


def test_a_token_is_printed_once_and_alone(folder: Path) -> None:
    token = labhub(folder, "token", "create", "amina@example.org", "--scope", "write").stdout
    assert token.startswith("labhub_")
    assert len(token.split()) == 1


def test_a_refused_file_is_one_line_with_row_and_field_and_exit_status_one(folder: Path) -> None:
    path = folder / "bad.csv"
    path.write_text(
        "title,specificity,technique,forward_name,forward_sequence,amplicon_bp\n"
        'A,event,qpcr,f,ACGXT,"1,5"\nB,nonsense,qpcr,f,ACGT,92\n'
    )
    done = labhub(folder, "import", "methods", str(path), "--as", "amina@example.org", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    for words in (
        "bad.csv",
        "row 2, forward_sequence: X at base 4",
        "row 2, amplicon_bp",
        "row 3, specificity",
    ):
        assert words in line
    assert json.loads(labhub(folder, "export", "methods", "--format", "json").stdout)[-1]["title"] != "B"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mac.csv", "title,specificity\nCafé,event\n".encode("mac-roman"), "not UTF-8: see line 2"),
        ("empty.csv", b"", "is empty"),
        ("none.json", b"{", "not valid JSON"),
        ("columns.csv", b"titel\nx\n", "lacks the columns title"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    folder: Path, name: str, content: bytes, words: str
) -> None:
    (folder / name).write_bytes(content)
    done = labhub(folder, "import", "methods", str(folder / name), "--as", "amina@example.org", check=False)
    assert done.returncode == 1
    assert name in done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_dry_run_reports_and_stores_nothing(folder: Path) -> None:
    path = folder / "more.csv"
    path.write_text("code,name,party\nLAB-FR,Laboratoire,FR\n")
    report = json.loads(labhub(folder, "import", "laboratories", str(path), "--dry-run", "--json").stdout)
    assert report["rows"][0]["outcome"] == "created"
    assert "LAB-FR" not in labhub(folder, "export", "laboratories", "--format", "csv").stdout


@pytest.mark.parametrize(
    ("kind", "format_"),
    [("methods", "json"), ("methods", "csv"), ("methods", "xlsx"), ("elements", "csv"), ("parties", "csv")],
)
def test_what_is_exported_is_read_again_unchanged(folder: Path, kind: str, format_: str) -> None:
    path = folder / f"{kind}.{format_}"
    labhub(folder, "export", kind, "--format", format_, "-o", str(path))
    report = json.loads(labhub(folder, "import", kind, str(path), "--dry-run", "--json").stdout)
    assert {row["outcome"] for row in report["rows"]} == {"unchanged"}


def test_indicators_are_printed_in_the_shape_of_the_contract(folder: Path) -> None:
    rows = json.loads(labhub(folder, "indicators", "--year", "2026", "--format", "json").stdout)
    assert len(rows) == 25
    (row,) = [row for row in rows if row["code"] == "A08.2"]
    assert (row["value"], row["unit"], row["period"]) == (0, "requests", "2026")
    assert {"by", "rule_version", "unique", "machine"} <= row.keys()


def test_indicators_open_as_a_workbook(folder: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LABHUB_")}
    done = subprocess.run(
        [sys.executable, "-m", "labhub", "indicators", "--year", "2026", "--format", "xlsx"],
        env=environ | {"LABHUB_INSTANCE": str(folder)},
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    with ZipFile(BytesIO(done.stdout)) as book:
        assert b"A08.2" in book.read("xl/sharedStrings.xml")
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_safety_commands_say_that_all_is_well(folder: Path) -> None:
    assert "the trail is whole" in labhub(folder, "audit", "verify").stdout
    assert json.loads(labhub(folder, "doctor", "--json").stdout)["problems"] == []
    assert labhub(folder, "usage", "rebuild").returncode == 0


def test_unknown_people_and_parties_are_named(folder: Path) -> None:
    done = labhub(folder, "token", "create", "nobody@example.org", check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "labhub: There is no account nobody@example.org.")
    done = labhub(folder, "user", "create", "x@example.org", "--name", "X", "--party", "ZZ", check=False)
    assert done.returncode == 1
    assert "ZZ" in done.stderr
    assert labhub(folder, "user", "create", "x@example.org", "--name", "X", check=False).returncode == 2


def test_methods_are_written_as_documents(folder: Path) -> None:
    codes = ("--code", "QT-EVE-ZM-012", "--code", "qt-eve-zm-005")
    begins = {"pdf": b"%PDF-", "zip": b"PK", "rdml": b"PK", "order-sheet": b"name,", "datacite": b"[\n{"}
    for format_, start in begins.items():
        path = folder / f"methods.{format_}"
        done = labhub(folder, "export", "methods", "--format", format_, *codes, "-o", str(path))
        assert path.read_bytes().startswith(start), format_
        assert (done.stdout, done.stderr) == ("", "")
    with ZipFile(folder / "methods.zip") as archive:
        assert archive.testzip() is None
        roots = {name.split("/")[0] for name in archive.namelist() if "/" in name}
    assert roots == {"QT-EVE-ZM-005-v1", "QT-EVE-ZM-012-v1"}
    assert len(json.loads((folder / "methods.datacite").read_bytes())) == 2
    fasta = labhub(folder, "export", "methods", "--format", "fasta", *codes).stdout
    assert fasta.count(">") == 6
    assert not [path for path in folder.iterdir() if path.name.startswith(".labhub-")]


def test_a_document_of_a_method_that_is_not_there_is_refused_and_nothing_is_written(folder: Path) -> None:
    path = folder / "none.pdf"
    done = labhub(
        folder, "export", "methods", "--format", "pdf", "--code", "NONE", "-o", str(path), check=False
    )
    assert (done.returncode, done.stderr) == (1, "labhub: There is no method NONE.\n")
    assert not path.exists()
    assert labhub(folder, "export", "lmos", "--code", "NONE", check=False).returncode == 2


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_a_template_is_written_and_its_example_is_not_imported(folder: Path, format_: str) -> None:
    path = folder / f"template.{format_}"
    labhub(folder, "export", "methods", "--template", "--format", format_, "-o", str(path))
    done = labhub(folder, "import", "methods", str(path), "--as", "amina@example.org", check=False)
    assert done.returncode == 1
    assert "holds no record" in done.stderr
    assert labhub(folder, "export", "lmos", "--template", check=False).returncode == 2


def test_a_refused_table_is_written_again_with_the_wrong_cells_marked(folder: Path) -> None:
    path, marked = folder / "wrong.csv", folder / "marked.xlsx"
    path.write_text("title;specificity;technique\nA;nonsense;qpcr\n")
    options = ["--as", "amina@example.org", "--corrected", str(marked)]
    done = labhub(folder, "import", "methods", str(path), *options, check=False)
    assert done.returncode == 1
    assert "row 2, specificity" in done.stderr and "marked.xlsx" in done.stderr
    again = labhub(folder, "import", "methods", str(marked), "--as", "amina@example.org", check=False)
    assert again.returncode == 1
    assert "methods!B2" in again.stderr
    assert labhub(folder, "import", "lmos", str(path), "--corrected", "x", check=False).returncode == 2
