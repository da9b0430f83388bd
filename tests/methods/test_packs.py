"""Packs of versions: whole, verifiable, the same each time."""

import json
import shutil
import subprocess
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from labhub.methods import packs
from labhub.methods.archives import entry, safe_name
from labhub.methods.packs import CRATE, MANIFEST, METADATA, DamagedFile, Packed, made, stored
from tests.methods.editions import make_edition

CONTENT = b"%PDF-1.4\nSOP\n%%EOF\n"
FILE = {
    "id": 7,
    "name": "sop ä.pdf",
    "role": "sop",
    "media_type": "application/pdf",
    "size_bytes": len(CONTENT),
    "sha256": sha256(CONTENT).hexdigest(),
    "licence": "CC0",
    "language": "fr",
}


def packed(*editions, file=FILE, content=CONTENT) -> list[Packed]:
    return [
        Packed(
            each,
            [
                made(f"{each.name}/{each.name}.json", "record", "application/json", b"{}\n"),
                stored(
                    f"{each.name}/files", safe_name(file["name"], set()), file, lambda _d: BytesIO(content)
                ),
            ],
        )
        for each in editions
    ]


def write(*editions, **more) -> bytes:
    out = BytesIO()
    packs.write_pack(out, packed(*editions, **more))
    return out.getvalue()


def crate_of(content: bytes) -> dict[str, dict]:
    with ZipFile(BytesIO(content)) as archive:
        return {each["@id"]: each for each in json.loads(archive.read(METADATA))["@graph"]}


def test_same_versions_give_the_same_bytes():
    assert write(make_edition()) == write(make_edition())


def test_pack_verifies_with_sha256sum(tmp_path: Path):
    with ZipFile(BytesIO(write(make_edition(), make_edition("B-2")))) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not there")
    checked = subprocess.run(["sha256sum", "-c", MANIFEST], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_manifest_names_every_other_file_once():
    with ZipFile(BytesIO(write(make_edition()))) as archive:
        lines = archive.read(MANIFEST).decode().splitlines()
        named = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in lines}
        assert len(named) == len(lines)
        assert set(named) == set(archive.namelist()) - {MANIFEST}
        assert all(sha256(archive.read(path)).hexdigest() == digest for path, digest in named.items())


def test_pack_has_licences_citation_and_readme():
    with ZipFile(BytesIO(write(make_edition()))) as archive:
        licences = archive.read("LICENCES.txt").decode()
        assert "licence: CC BY 4.0" in licences and "rights: free-for-regulators" in licences
        assert "QT-EVE-ZM-020-v1/files/sop ä.pdf: CC0" in licences
        assert "(2026)" in archive.read("CITATION.txt").decode()
        assert "sha256sum -c" in archive.read("README.txt").decode()
        citation = json.loads(archive.read("CITATION.cff"))
        assert (citation["cff-version"], citation["version"]) == ("1.2.0", "1")
        assert citation["license"] == "CC-BY-4.0" and citation["authors"]


def test_crate_describes_itself_the_versions_and_each_file():
    graph = crate_of(write(make_edition(), make_edition("B-2")))
    assert graph[METADATA]["conformsTo"] == {"@id": CRATE} and graph[METADATA]["about"] == {"@id": "./"}
    root = graph["./"]
    assert all(root[name] for name in ("name", "description", "datePublished", "license", "hasPart"))
    assert {"@id": "QT-EVE-ZM-020-v1/"} in root["hasPart"]
    version = graph["QT-EVE-ZM-020-v1/"]
    assert version["author"]["@id"] == "https://hub.example/laboratories/LAB-1"
    assert graph[version["author"]["@id"]]["name"] == "Reference Laboratory"
    file = graph["QT-EVE-ZM-020-v1/files/sop%20%C3%A4.pdf"]
    assert (file["sha256"], file["contentSize"]) == (FILE["sha256"], str(len(CONTENT)))
    assert (file["encodingFormat"], file["inLanguage"]) == ("application/pdf", "fr")
    references = [
        part["@id"]
        for each in graph.values()
        for part in [*each.get("hasPart", []), each.get("license")]
        if part
    ]
    assert set(references) <= set(graph)


def test_crate_of_one_version_is_cited_as_it():
    root = crate_of(write(make_edition()))["./"]
    assert root["version"] == "1" and root["identifier"].endswith("/versions/1")
    assert root["license"] == {"@id": "https://creativecommons.org/licenses/by/4.0/"}


def test_crate_says_when_no_licence_is_reported():
    graph = crate_of(write(make_edition(licence=None)))
    assert graph["./"]["license"] == {"@id": packs.NO_LICENCE}
    assert graph[packs.NO_LICENCE]["name"] == "No licence is reported"


@pytest.mark.parametrize("content", [CONTENT + b"more", CONTENT[:-1] + b"X"])
def test_stored_file_that_is_not_what_its_record_says_stops_the_pack(content):
    with pytest.raises(DamagedFile):
        write(make_edition(), content=content)


def test_large_file_gets_the_large_form_of_the_archive():
    out = BytesIO()
    with ZipFile(out, "w") as archive, archive.open(entry("large.pdf", 5 << 30), "w") as target:
        target.write(b"begins")
    assert b"\x01\x00\x10\x00" in out.getvalue()[:80]  # the extra field of ZIP64


@pytest.mark.parametrize(
    "name",
    [
        "../up.pdf",
        "/etc/passwd",
        "C:\\x",
        "a/../../b",
        "..",
        "con",
        "LPT1.txt",
        " .",
        "-rf",
        "a\nb",
        "x" * 400,
    ],
)
def test_name_of_a_file_is_no_path_and_can_be_stored_everywhere(name):
    safe = safe_name(name, set())
    assert safe and len(safe) <= 120
    assert not set(safe) & set('/\\:*?"<>|%\n')
    assert safe.strip(". ") and not safe.startswith("-") and safe.lower() not in ("con", "..")


def test_names_that_differ_by_case_alone_get_a_number():
    taken: set[str] = set()
    assert [safe_name(name, taken) for name in ("SOP.pdf", "sop.PDF", "sop.pdf")] == [
        "SOP.pdf",
        "sop-2.PDF",
        "sop-3.pdf",
    ]
