"""``labhub identify`` as it is called: files in, TSV or JSON out, and how it ends."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from labhub.identify_cli import COLUMNS
from labhub.sequences.oligos import reverse_complement
from tests.factories import make_bases, make_genbank
from tests.test_serving import ROOT


def identify(*arguments: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "labhub", "identify", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identify")
    chance = random.Random(1)
    plasmid, line = ("".join(chance.choices("ACGT", k=size)) for size in (1_200, 900))
    (folder / "plasmid.fa").write_text(f">plasmid\n{plasmid}\n")
    (folder / "circular.txt").write_text("plasmid\n")
    with gzip.open(folder / "line.fa.gz", "wt") as file:
        file.write(f">line some words\n{line}\n")
    alien = "".join(chance.choices("ACGT", k=150))
    (folder / "reads.fa").write_text(
        f">origin\n{plasmid[-100:] + plasmid[:120]}\n"
        f">back\n{reverse_complement(line[300:500])}\n"
        f">chimera\n{plasmid[200:400] + alien + line[600:750]}\n"
        f">alien\n{alien}\n"
    )
    return folder


def test_tsv_is_that_of_the_contract(folder: Path) -> None:
    references = [folder / "plasmid.fa", folder / "line.fa.gz"]
    done = identify(
        "--query", folder / "reads.fa", "--reference", *references, "--circular", folder / "circular.txt"
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert tuple(rows[0]) == COLUMNS
    assert (
        tuple(
            "query reference identity coverage query_start query_end ref_start ref_end strand".split()  # noqa: SIM905
        )
        == COLUMNS
    )
    assert rows[1] == ["origin", "plasmid", "100.0000", "1.0000", "1", "220", "1101", "120", "+"]
    assert rows[2] == ["back", "line", "100.0000", "1.0000", "1", "200", "301", "500", "-"]
    assert [(row[0], row[1], row[6], row[7]) for row in rows[3:]] == [
        ("chimera", "plasmid", "201", rows[3][7]),
        ("chimera", "line", rows[4][6], "750"),
    ]
    assert int(rows[3][7]) == pytest.approx(400, abs=5)
    assert "Searched 4 reads in 2 records of 2100 bases: 3 have a reference" in done.stderr


def test_jobs_and_the_form_of_the_references_change_nothing(folder: Path, tmp_path: Path) -> None:
    query = ["--query", folder / "reads.fa", "--reference", folder / "plasmid.fa"]
    known = identify(*query, folder / "line.fa.gz", "-o", tmp_path / "one.tsv")
    assert known.stdout == ""
    identify(*query, "--reference", folder / "line.fa.gz", "--jobs", "2", "-o", tmp_path / "two.tsv")
    assert (tmp_path / "one.tsv").read_bytes() == (tmp_path / "two.tsv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.tsv", "two.tsv"]


def test_json_tells_alignments_elements_and_what_nothing_explains(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "part.gb").write_bytes(make_genbank(accession="PART1"))
    (tmp_path / "reads.fa").write_text(
        f">inside\n{make_bases(300)[:200]}\n>alien\n{make_bases(200, seed=9)}\n"
    )
    done = identify("--query", tmp_path / "reads.fa", "--reference", tmp_path / "part.gb", "--format", "json")
    answer = json.loads(done.stdout)
    inside, alien = answer["reads"]
    assert answer["searched"]["records"] == 1
    hit = inside["hits"][0]
    assert (hit["ref_start"], hit["ref_end"], hit["identity"], hit["best"]) == (1, 200, 100.0, True)
    assert hit["blocks"][0]["alignment"][1].strip() == "|" * 60
    first = hit["elements"][0]
    assert (first["label"], first["share"]) == ("P-35S", 1.0)
    assert all({"label", "share", "covered_start"} <= set(element) for element in hit["elements"])
    assert alien["hits"] == [] and alien["unexplained"] == [{"start": 1, "end": 200}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.fa", b"", "The file is empty."),
        ("short.fa", b">a\nACGT\n", "4 bases; a read may have 50 to 50000"),
        ("protein.fa", b">p\n" + b"MKTAYIAKQR" * 9, "proteins are not taken here"),
        ("nul.fa", b">n\n" + b"ACGT" * 20 + b"\0", "U+0000"),
        ("cut.ab1", b"ABIF\0\x65tdir", "damaged or was cut off"),
        ("cut.fa.gz", gzip.compress(b">a\nACGT")[:-6], "gzip file is damaged"),
        ("x.gb", b"LOCUS       X 4 bp\n", "begins neither with >"),
        ("two.fa", b">a\n" + b"ACGT" * 20 + b"\n>a\n" + b"ACGT" * 20, "stands already on line 1"),
    ],
)
def test_bad_queries_are_one_line_and_status_one(
    folder: Path, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = identify("--query", tmp_path / name, "--reference", folder / "plasmid.fa", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("labhub: ") and said in line
    assert done.stdout == ""


def test_bad_references_and_wrong_use(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.fa").write_text(">ok\n" + "ACGTTGCA" * 20 + "\n>bad\nACGT-ACGT\n")
    query = ["--query", folder / "reads.fa", "--reference"]
    done = identify(*query, tmp_path / "bad.fa", check=False)
    assert done.returncode == 1 and "bad" in done.stderr
    done = identify(*query, tmp_path / "bad.fa", "--skip-bad")
    assert "Left out" in done.stderr
    assert identify(*query, "hub", folder / "plasmid.fa", check=False).returncode == 1
    assert identify(*query, tmp_path / "none.fa", check=False).returncode == 2
    assert identify("--query", folder / "reads.fa", check=False).returncode == 2


def test_bad_reads_are_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "reads.fa").write_text((folder / "reads.fa").read_text() + ">tiny\nACGT\n")
    query = ["--query", tmp_path / "reads.fa", "--reference", folder / "plasmid.fa"]
    done = identify(*query, check=False)
    assert done.returncode == 1 and "Line 9, read tiny: 4 bases" in done.stderr
    done = identify(*query, "--skip-bad")
    assert "Left out the read tiny: 4 bases" in done.stderr


def test_it_starts_without_the_hub() -> None:
    code = (
        "import sys; HEAVY = ('flask', 'sqlalchemy', 'Bio', 'edlib', 'scipy', 'labhub.app')\n"
        "sys.argv = ['labhub', 'identify', '--help']\n"
        "from labhub.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in HEAVY if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
