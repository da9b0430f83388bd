"""Background genomes on the command line: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest

from tests.factories import make_bases
from tests.test_serving import labhub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backgrounds")
    labhub(folder, "init")
    return folder


def test_a_genome_from_adding_to_removing(folder: Path) -> None:
    bases = make_bases(3000, seed=8)
    (folder / "maize.fa").write_text(f">chrC\n{bases}\n")
    options = ("--name", "Maize chloroplast", "--taxon", "maize", "--circular")
    added = labhub(folder, "sequences", "background", "add", str(folder / "maize.fa"), *options, "--json")
    (row,) = json.loads(added.stdout)
    assert (row["slug"], row["taxon"], row["bases"]) == ("maize-chloroplast", "Zea mays", 3000)
    assert added.stderr == ""  # no progress bar when piped

    (folder / "bad.fa").write_text(">x\nACGT\nELVIS\n")
    bad = labhub(folder, "sequences", "background", "add", str(folder / "bad.fa"), check=False)
    assert bad.returncode == 1
    assert bad.stderr == "labhub: Line 3, record x: E is no base; proteins are not taken here.\n"

    (folder / "assays.tsv").write_text(f"id\tforward\treverse\nover\t{bases[-30:-10]}\t{'ACGT' * 5}\n")
    search = ("insilico", "--methods", str(folder / "assays.tsv"), "--reference")
    found = labhub(folder, *search, "background:maize-chloroplast")
    assert "in 1 records, 3000 bases" in found.stderr
    (path,) = Path(folder).rglob("*.labpack")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(content))
    doctor = labhub(folder, "doctor", check=False)
    assert doctor.returncode == 1
    assert doctor.stderr.startswith("background genome Maize chloroplast: ")
    refused = labhub(folder, *search, "background:maize-chloroplast", check=False)
    assert refused.returncode == 1
    assert "Maize chloroplast cannot be used: Its file has changed" in refused.stderr
    verified = labhub(folder, "sequences", "background", "verify", "--json", check=False)
    assert verified.returncode == 1
    assert json.loads(verified.stdout)[0]["problem"] == "Its file has changed since it was added."

    removed = labhub(folder, "sequences", "background", "remove", "MAIZE CHLOROPLAST")
    assert removed.stdout == "Removed Maize chloroplast.\n"
    assert not list(Path(folder).rglob("*.labpack"))
