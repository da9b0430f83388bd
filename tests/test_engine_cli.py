"""`labhub insilico` and `labhub sequences pack` as a person uses them, without a hub."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sequences.brute_force import turned
from tests.test_serving import ROOT, labhub

FORWARD, REVERSE, PROBE = "ACGTTGCAACGGTCATTGCA", "GGATTCCGATTGCAGGTTAC", "TTTGACCGGATATTCCGA"
MIDDLE = "CATCATTAGG" + PROBE + "AATTAGGCCA"
PRODUCT = FORWARD + MIDDLE + turned(REVERSE)
HEADER = "assay\treference\tstart\tend\tsize\tstrand\tmm_f\tmm_r\tprobe_mm\twraps\ttm_f\ttm_r"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rest = "GATCTTACCA" * 9
    (tmp_path / "assays.tsv").write_text(
        f"id\tforward\treverse\tprobe\nB\t{FORWARD}\t{REVERSE}\t\nA\t{FORWARD}\t{REVERSE}\t{PROBE}\n"
        f"bad\tACGX\t{REVERSE}\t\n"
    )
    (tmp_path / "refs.fa").write_text(
        f">linear\n{rest}{PRODUCT}\n>minus\n{turned(PRODUCT)}{rest}\n"
        f">ring\n{PRODUCT[30:]}{rest}{PRODUCT[:30]}\n>ring_but_linear\n{PRODUCT[30:]}{rest}{PRODUCT[:30]}\n"
    )
    (tmp_path / "rings.txt").write_text("ring\n")
    return tmp_path


def run(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """As from a shell, in a place where there is no hub."""
    done = subprocess.run(
        [sys.executable, "-m", "labhub", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LABHUB_INSTANCE": str(folder / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def search(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        folder, "insilico", "--methods", "assays.tsv", "--circular", "rings.txt", "--reference", *arguments
    )


def test_products_are_written_as_the_contract_says(folder: Path) -> None:
    done = search(folder, "refs.fa")
    size = len(PRODUCT)
    expected = [HEADER]
    for assay, probe in (("A", "0"), ("B", "")):
        expected += [
            f"{assay}\tlinear\t91\t{90 + size}\t{size}\t+\t0\t0\t{probe}\t0\t\t",
            f"{assay}\tminus\t1\t{size}\t{size}\t-\t0\t0\t{probe}\t0\t\t",
            f"{assay}\tring\t{size - 30 + 91}\t{size - 30}\t{size}\t+\t0\t0\t{probe}\t1\t\t",
        ]
    assert done.stdout.splitlines() == expected
    assert done.stderr.splitlines() == [
        "labhub: not searched: bad: Forward primer: X at base 4 is no IUPAC letter "
        "(write modifications in brackets).",
        "labhub: searched 2 assays (1 not searched) in 4 records, "
        f"{4 * (size + 90)} bases (0 left out): 6 products",
    ]


def test_json_and_a_file_hold_the_same(folder: Path) -> None:
    plain = search(folder, "refs.fa").stdout
    rows = json.loads(search(folder, "refs.fa", "--format", "json").stdout)
    assert [
        "\t".join("" if cell is None else str(cell) for cell in row.values()) for row in rows
    ] == plain.splitlines()[1:]
    assert list(rows[0]) == HEADER.split("\t")
    assert search(folder, "refs.fa", "-o", "out.tsv").stdout == ""
    assert (folder / "out.tsv").read_text() == plain
    assert (folder / "out.tsv").stat().st_mode & 0o777 == 0o644
    nothing = search(folder, "refs.fa", "--min-size", "1000", "--format", "json")
    assert json.loads(nothing.stdout) == []


def test_packs_several_files_and_gzip_give_the_same_as_one_file(folder: Path) -> None:
    whole = search(folder, "refs.fa").stdout
    text = (folder / "refs.fa").read_text()
    place = text.index(">minus")
    (folder / "one.fa").write_text(text[:place])
    (folder / "two.fa.gz").write_bytes(gzip.compress(text[place:].encode()))
    assert search(folder, "two.fa.gz", "one.fa").stdout == whole
    run(folder, "sequences", "pack", "two.fa.gz", "--circular", "rings.txt", "-o", "two.labpack")
    assert search(folder, "two.labpack", "one.fa").stdout == whole
    assert "ring" not in search(folder, "two.labpack", "one.fa").stderr.replace("rings", "")
    assert search(folder, "refs.fa", "--jobs", "2").stdout == whole


def test_one_bad_record_refuses_the_file_or_is_left_out(folder: Path) -> None:
    whole = search(folder, "refs.fa").stdout
    with (folder / "refs.fa").open("a") as file:
        file.write(">protein\nMKVLEQ\n>gap\nACG-T\n")
    arguments = ("insilico", "--methods", "assays.tsv", "--reference", "refs.fa")
    done = run(folder, *arguments, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "2 records or lines" in line and "record protein: L at letter 4" in line and "record gap" in line
    done = search(folder, "refs.fa", "--skip-bad")
    assert done.stdout == whole
    assert "labhub: left out: refs.fa: Line 9, record protein: L at letter 4" in done.stderr
    assert "(2 left out)" in done.stderr


def test_self_products_are_marked(folder: Path) -> None:
    (folder / "self.fa").write_text(f">self\n{FORWARD}{MIDDLE}{turned(FORWARD)}\n")
    assert len(search(folder, "self.fa").stdout.splitlines()) == 1
    lines = search(folder, "self.fa", "--self").stdout.splitlines()
    assert lines[0] == HEADER + "\tpair"
    assert [line.split("\t")[-1] for line in lines[1:]] == ["FF", "FF"]


def test_methods_are_read_in_the_shape_that_the_hub_writes(folder: Path) -> None:
    content = [
        {
            "code": "QT-X-1",
            "title": "A method",
            "specificity": "event",
            "technique": "qpcr",
            "oligos": [
                {"role": role, "name": name, "sequence": bases}
                for role, name, bases in (
                    ("forward", "f", FORWARD),
                    ("reverse", "r", REVERSE),
                    ("probe", "p", f"[FAM]{PROBE}[TAMRA]"),
                )
            ],
        },
        {"code": "X-2", "title": "No primers", "specificity": "event", "technique": "protein"},
    ]
    (folder / "methods.json").write_text(json.dumps(content))
    arguments = ("insilico", "--methods", "methods.json", "--reference", "refs.fa")
    done = run(folder, *arguments)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()[1:]] == ["QT-X-1", "QT-X-1"]
    assert {line.split("\t")[8] for line in done.stdout.splitlines()[1:]} == {"0"}
    assert "not searched: X-2: A protein test has no primers." in done.stderr
    assert run(folder, *arguments, "--code", "qt-x-1").stdout == done.stdout
    assert run(folder, *arguments, "--code", "NONE", check=False).returncode == 1


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("id\tforward\nA\tACGT\n", "lacks the columns reverse"),
        ("id\tforward\treverse\n", "names no assay"),
        ("id\tforward\treverse\nA\tACGT\tACGT\nA\tACGT\tACGT\n", "row 3: The name A stands twice"),
        ("id\tforward\treverse\n\tACGT\tACGT\n", "row 2: The assay has no readable name"),
        ("id\tforward\treverse\nA\tAXT\tACGT\n", "No assay could be searched"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_a_line(folder: Path, table: str, words: str) -> None:
    (folder / "assays.tsv").write_text(table)
    done = run(folder, "insilico", "--methods", "assays.tsv", "--reference", "refs.fa", check=False)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--max-mismatches", "6"), 1, "0 to 5 mismatches"),
        (("--min-size", "900", "--max-size", "800"), 1, "sizes of a product"),
        (("--format", "xml"), 2, "xml"),
        (("--reference", "missing.fa"), 2, "missing.fa"),
    ],
)
def test_wrong_wishes_are_refused(folder: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    done = run(
        folder, "insilico", "--methods", "assays.tsv", "--reference", "refs.fa", *arguments, check=False
    )
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_search_loads_neither_the_application_nor_the_database(folder: Path) -> None:
    program = (
        "import sys; from labhub.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "insilico", "--methods", "assays.tsv", "--reference", "refs.fa"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "numpy" in loaded
    assert loaded.isdisjoint({"flask", "sqlalchemy", "Bio", "scipy", "dask", "edlib", "marshmallow"})


def test_help_lists_every_command(tmp_path: Path) -> None:
    told = labhub(tmp_path, "--help").stdout
    assert all(word in told for word in ("insilico", "sequences", "serve", "import"))
    assert "pack" in labhub(tmp_path, "sequences", "--help").stdout


def test_tsv_can_be_read_by_others(folder: Path) -> None:
    rows = list(csv.DictReader(search(folder, "refs.fa").stdout.splitlines(), delimiter="\t"))
    assert len(rows) == 6 and rows[0]["assay"] == "A"


def test_the_hubs_methods_and_sequences_are_searched(folder: Path) -> None:
    hub = folder / "hub"
    hub.mkdir()
    labhub(hub, "init")
    done = labhub(hub, "insilico", "--methods", "hub", "--reference", str(folder / "refs.fa"), "hub")
    assert done.stdout.splitlines()[0] == HEADER
    assert "in 4 records" in done.stderr.splitlines()[-1]
    refused = labhub(hub, "insilico", "--methods", "hub", "--code", "XX-1", "--reference", "hub", check=False)
    assert refused.returncode == 1
    assert "no method XX-1" in refused.stderr


def test_an_index_beside_a_pack_is_used_and_melting_temperatures_are_given(folder: Path) -> None:
    run(folder, "sequences", "pack", "refs.fa", "--circular", "rings.txt", "-o", "refs.labpack")
    assert (folder / "refs.labpack.index").exists()
    whole = search(folder, "refs.fa").stdout
    assert search(folder, "refs.labpack").stdout == whole
    run(folder, "sequences", "pack", "refs.fa", "--no-index", "-o", "refs.labpack")
    assert not (folder / "refs.labpack.index").exists()
    done = search(folder, "refs.fa", "--tm", "--oligo", "250")
    cells = [line.split("\t")[-2:] for line in done.stdout.splitlines()[1:]]
    assert len({tuple(each) for each in cells}) == 1
    assert all(50 < float(cell) < 70 for cell in cells[0])
    assert "melting temperatures at Na+ 50 mM" in done.stderr
    arguments = ("insilico", "--methods", "assays.tsv", "--reference", "refs.fa", "--sodium", "0")
    assert run(folder, *arguments, check=False).returncode == 1
