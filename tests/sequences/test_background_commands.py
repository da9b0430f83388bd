"""Background genomes: added, listed, checked, removed; their files are never used when they have changed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from labhub import clock
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.doctor import Diagnosis
from labhub.errors import Conflict, Invalid, NotAllowed, NotFound, StorageFull
from labhub.lmos.taxa_models import TaxonName, TaxonNameKind
from labhub.names import name_key
from labhub.sequences import background_commands as commands
from labhub.sequences import background_queries as queries
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.background_queries import DAMAGED, MISSING
from tests.factories import make_actor, make_background, make_bases

Fasta = Callable[..., Path]


@pytest.fixture
def fasta(tmp_path: Path) -> Fasta:
    def write(*records: str, name: str = "genome.fa") -> Path:
        path = tmp_path / name
        path.write_text("".join(f">chr{number}\n{bases}\n" for number, bases in enumerate(records, 1)))
        return path

    return write


def folder_of(app: Flask) -> Path:
    return Path(app.extensions["labhub.config"].backgrounds)


def add_taxon(scientific: str, *names: str) -> None:
    with transaction():
        for name in (scientific, *names):
            db.session.add(
                TaxonName(
                    scientific=scientific,
                    name=name,
                    name_key=name_key(name),
                    kind=TaxonNameKind.SCIENTIFIC if name == scientific else TaxonNameKind.COMMON,
                )
            )


def test_a_genome_is_added_with_what_is_known_of_it(app: Flask, fasta: Fasta) -> None:
    add_taxon("Zea mays", "maize")
    bases = make_bases(5000)
    genome = make_background(
        app, fasta(bases, "ACGT"), name="Maize  chloroplast", taxon="MAIZE", source="NC_001666", licence="CC0"
    )
    assert (genome.name, genome.slug, genome.taxon) == ("Maize chloroplast", "maize-chloroplast", "Zea mays")
    assert (genome.record_count, genome.base_count, genome.longest_record) == (2, 5004, 5000)
    assert (genome.circular_count, genome.problem, genome.from_file) == (0, "", "genome.fa")
    library = queries.genome_library(genome, folder_of(app))
    assert library.digest == genome.digest
    assert library.bases(0) == bases
    assert [path.name for path in folder_of(app).iterdir()] == [genome.file_name]
    assert (folder_of(app) / genome.file_name).stat().st_size == genome.file_bytes
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "background.add")).one()
    assert entry.object_id == "maize-chloroplast"
    assert bases[:12] not in entry.after


def test_circular_is_noted(app: Flask, fasta: Fasta) -> None:
    assert make_background(app, fasta("ACGTACGTAA"), name="ring", circular=True).circular_count == 1


def test_an_unknown_taxon_is_kept_with_a_doubt(app: Flask, fasta: Fasta) -> None:
    add_taxon("Zea mays")
    with commands.packed_genome(folder_of(app), fasta("ACGT")) as packed, transaction():
        added = commands.add_genome(OPERATOR, packed, folder=folder_of(app), name="g", taxon="Zea mayz")
    assert added.genome.taxon == "Zea mayz"
    assert [str(note) for note in added.notes] == ["The taxon Zea mayz is not known. Did you mean Zea mays?"]


def test_a_taxon_with_two_meanings_is_refused(app: Flask, fasta: Fasta) -> None:
    add_taxon("Brassica napus", "rape")
    add_taxon("Brassica rapa", "rape")
    with pytest.raises(Invalid, match="several meanings"):
        make_background(app, fasta("ACGT"), taxon="rape")
    assert list(folder_of(app).iterdir()) == []


@pytest.mark.parametrize("name", ["one", "ONE", "One!"])
def test_names_are_unique_also_without_case_and_signs(app: Flask, fasta: Fasta, name: str) -> None:
    make_background(app, fasta("ACGT"), name="One")
    with pytest.raises(Conflict, match="already"):
        commands.check_name(name)


def test_the_same_sequences_are_added_once(app: Flask, fasta: Fasta) -> None:
    first = make_background(app, fasta("ACGTACGT"), name="first")
    with pytest.raises(Conflict, match="there already, as first"):
        make_background(app, fasta("acgtacgt"), name="second")
    assert [path.name for path in folder_of(app).iterdir()] == [first.file_name]
    assert queries.file_problem(first, folder_of(app)) == ""


def test_a_bad_file_leaves_nothing(app: Flask, fasta: Fasta) -> None:
    with pytest.raises(Invalid, match="Line 2, record chr1"):
        make_background(app, fasta("ACGTELVIS"))
    assert list(folder_of(app).iterdir()) == []
    assert queries.all_genomes() == []


def test_a_full_disk_is_told_in_one_line(app: Flask, fasta: Fasta, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="no room"):
        make_background(app, fasta("ACGT"))
    assert list(folder_of(app).iterdir()) == []


def test_only_the_operator_adds_and_removes(app: Flask, fasta: Fasta) -> None:
    genome = make_background(app, fasta("ACGT"))
    for who in (Actor(), make_actor(Role.ADMINISTRATOR), make_actor(Role.SECRETARIAT)):
        with pytest.raises(NotAllowed), transaction():
            commands.remove_genome(who, genome, folder=folder_of(app))


def test_a_genome_is_removed_with_its_file(app: Flask, fasta: Fasta) -> None:
    genome = make_background(app, fasta("ACGT"), name="gone")
    with transaction():
        commands.remove_genome(OPERATOR, queries.find_genome("GONE"), folder=folder_of(app))
    assert list(folder_of(app).iterdir()) == []
    with pytest.raises(NotFound, match="gone"):
        queries.find_genome("gone")
    assert db.session.get(BackgroundGenome, genome.id) is None


def test_a_removal_that_is_rolled_back_keeps_the_file(app: Flask, fasta: Fasta) -> None:
    genome = make_background(app, fasta("ACGT"))
    with pytest.raises(RuntimeError), transaction():
        commands.remove_genome(OPERATOR, genome, folder=folder_of(app))
        raise RuntimeError
    assert queries.file_problem(queries.all_genomes()[0], folder_of(app)) == ""


def flip_bit(path: Path, place: int) -> None:
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(bytes(content))


@pytest.mark.req("F12")
@pytest.mark.parametrize("where", [0.05, 0.5, 0.8])
def test_a_flipped_bit_is_found_and_the_genome_not_used(app: Flask, fasta: Fasta, where: float) -> None:
    genome = make_background(app, fasta(make_bases(9000)), name="flipped")
    path = folder_of(app) / genome.file_name
    queries.genome_library(genome, folder_of(app))
    flip_bit(path, int(path.stat().st_size * where))
    with pytest.raises(Conflict, match="flipped cannot be used"):
        queries.genome_library(genome, folder_of(app))
    assert queries.file_problem(genome, folder_of(app)) == DAMAGED
    diagnosis = Diagnosis()
    commands.examine(diagnosis, folder_of(app), fix=True)
    assert len(diagnosis.problems) == 1
    assert diagnosis.problems[0].startswith("background genome flipped:")
    assert path.exists()


def test_a_file_of_another_genome_in_its_place_is_found(app: Flask, fasta: Fasta) -> None:
    one = make_background(app, fasta("ACGTA"), name="one")
    two = make_background(app, fasta("ACGTC"), name="two")
    (folder_of(app) / two.file_name).replace(folder_of(app) / one.file_name)
    assert queries.file_problem(one, folder_of(app)) == DAMAGED
    assert queries.file_problem(two, folder_of(app)) == MISSING
    diagnosis = Diagnosis()
    commands.examine(diagnosis, folder_of(app), fix=False)
    assert [line.split(": ")[0] for line in diagnosis.problems] == [
        "background genome one",
        "background genome two",
    ]
    assert diagnosis.problems[1].endswith("is missing")


def test_doctor_removes_files_that_no_row_uses(app: Flask, fasta: Fasta) -> None:
    genome = make_background(app, fasta("ACGT"))
    left = folder_of(app) / f"{'0' * 64}.labpack"
    old = folder_of(app) / ".adding-0123.labpack"
    new = folder_of(app) / ".adding-4567.labpack"
    for path in (left, old, new):
        path.write_bytes(b"x")
    an_hour_ago = clock.now().timestamp() - 4000
    os.utime(old, (an_hour_ago, an_hour_ago))
    diagnosis = Diagnosis()
    commands.examine(diagnosis, folder_of(app), fix=False)
    assert len(diagnosis.problems) == 2
    assert left.exists() and old.exists()
    diagnosis = Diagnosis()
    commands.examine(diagnosis, folder_of(app), fix=True)
    assert diagnosis.problems == []
    assert {path.name for path in folder_of(app).iterdir()} == {genome.file_name, new.name}


def test_a_check_is_noted_and_may_be_undone(app: Flask, fasta: Fasta) -> None:
    genome = make_background(app, fasta("ACGT"))
    with transaction():
        commands.note_check(OPERATOR, queries.find_genome(genome.slug), DAMAGED)
    assert queries.find_genome(genome.slug).problem == DAMAGED
    with transaction():
        commands.note_check(OPERATOR, queries.find_genome(genome.slug), "")
    assert queries.find_genome(genome.slug).problem == ""


# Doors


def test_the_api_lists_genomes(app: Flask, client: FlaskClient, fasta: Fasta) -> None:
    add_taxon("Zea mays", "maize")
    make_background(app, fasta("ACGT" * 300), name="Maize plastid", taxon="maize", source="NC_001666.2")
    make_background(app, fasta("ACGTTT"), name="Another", taxon="Oryza sativa")
    answer = client.get("/api/v1/backgrounds").get_json()
    assert [row["name"] for row in answer] == ["Another", "Maize plastid"]
    assert answer[1] == {
        "name": "Maize plastid",
        "slug": "maize-plastid",
        "taxon": "Zea mays",
        "source": "NC_001666.2",
        "licence": "",
        "records": 1,
        "circular_records": 0,
        "bases": 1200,
        "longest_record": 1200,
        "digest": answer[1]["digest"],
        "file_bytes": answer[1]["file_bytes"],
        "from_file": "genome.fa",
        "added_at": answer[1]["added_at"],
        "verified_at": answer[1]["verified_at"],
        "usable": True,
    }
    assert [row["name"] for row in client.get("/api/v1/backgrounds?taxon=Maize").get_json()] == [
        "Maize plastid"
    ]
    assert client.get("/api/v1/backgrounds?q=nc_001").get_json()[0]["name"] == "Maize plastid"
    assert client.get("/api/v1/backgrounds?sort=-base_count").get_json()[0]["bases"] == 1200
    assert client.get("/api/v1/backgrounds?sort=digest").status_code == 400
    assert client.get("/api/v1/backgrounds?nothing=1").status_code == 400


def test_the_page_lists_genomes_and_marks_those_that_cannot_be_used(
    app: Flask, client: FlaskClient, fasta: Fasta
) -> None:
    assert "There is no background genome here yet." in client.get("/sequences/backgrounds").text
    genome = make_background(app, fasta("ACGT" * 300), name="<b>Maize</b>", taxon="Zea mays")
    page = client.get("/sequences/backgrounds").text
    assert "&lt;b&gt;Maize&lt;/b&gt;" in page
    assert "<b>Maize</b>" not in page
    assert "1.2 kb" in page
    assert "not usable" not in page
    with transaction():
        commands.note_check(OPERATOR, queries.find_genome(genome.slug), MISSING)
    page = client.get("/sequences/backgrounds").text
    assert "not usable" in page
    assert "Its file is missing." in page


def test_a_page_or_list_shows_nothing_of_the_folder(app: Flask, client: FlaskClient, fasta: Fasta) -> None:
    make_background(app, fasta("ACGT" * 300))
    for address in ("/sequences/backgrounds", "/api/v1/backgrounds"):
        assert str(folder_of(app)) not in client.get(address).text
