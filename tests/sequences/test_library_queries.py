"""The packed library of the hub: which records are in it, who is told of them, and its files."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import select

from labhub import audit
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.db import db, transaction
from labhub.doctor import Diagnosis
from labhub.sequences import commands
from labhub.sequences import library_queries as library
from labhub.sequences.insilico import Assay, search
from labhub.sequences.models import ReferenceSequence, Topology, Visibility
from labhub.sequences.oligos import reverse_complement
from tests.factories import make_actor, make_bases, make_laboratory, make_published_sequence, make_sequence


class People:
    def __init__(self) -> None:
        self.laboratory = make_laboratory()
        self.manager = make_actor(Role.MANAGER, laboratory=self.laboratory)
        self.analyst = make_actor(Role.ANALYST, laboratory=self.laboratory)
        self.reviewer = make_actor(Role.REVIEWER)
        self.stranger = make_actor(Role.ANALYST, laboratory=make_laboratory())


@pytest.fixture
def people(app: Flask) -> People:
    return People()


def names(actor: Actor | None) -> list[str]:
    """Return the accessions that a search may tell ``actor`` of."""
    found = library.hub_library()
    seen = library.visible_records(actor, found)
    return [name for name, is_seen in zip(found.packed.names, seen, strict=True) if is_seen]


def files(app: Flask) -> list[Path]:
    folder: Path = app.extensions["labhub.config"].instance / "library"
    return sorted(path for path in folder.iterdir() if path.name.startswith("hub-"))


def bases(number: int) -> str:
    return make_bases(400, seed=number)


def test_an_empty_hub_has_an_empty_library(app: Flask) -> None:
    found = library.hub_library()
    assert (len(found.packed), found.ids) == (0, [])
    assert library.visible_records(None, found).tolist() == []


@pytest.mark.req("A2")
def test_each_person_is_told_of_what_they_may_see(people: People) -> None:
    public = make_published_sequence(people.manager, people.reviewer, bases=bases(1)).accession
    draft = make_sequence(people.manager, bases=bases(2)).accession
    network = make_published_sequence(
        people.manager, people.reviewer, bases=bases(3), visibility=Visibility.NETWORK
    ).accession
    assert names(None) == [public]
    assert names(people.stranger) == [public, network]
    assert names(people.analyst) == [public, draft, network]
    assert names(OPERATOR) == [public, draft, network]


@pytest.mark.req("A5")
def test_sealed_bases_never_enter_the_library(people: People, app: Flask) -> None:
    sealed = make_sequence(people.manager, bases=bases(1), visibility=Visibility.SEALED)
    kept = make_sequence(people.manager, bases=bases(2))
    found = library.hub_library()
    assert list(found.packed.names) == [kept.accession]
    assert names(people.manager) == [kept.accession]
    assert names(OPERATOR) == [kept.accession]
    assert sealed.id not in found.ids


@pytest.mark.req("A5")
def test_a_record_that_is_sealed_leaves_the_disk_at_once(people: People, app: Flask) -> None:
    record = make_sequence(people.manager, bases=bases(1))
    old = library.hub_library()
    seen = library.visible_records(people.manager, old)
    assert seen.all() and files(app)
    with transaction():
        commands.change_sequence(
            people.manager, record.accession, {"visibility": Visibility.SEALED}, expected_version=1
        )
    assert files(app) == []
    assert not library.visible_records(people.manager, old).any(), "nor is it told from what is still mapped"
    assert len(library.hub_library().packed) == 0


def test_withdrawn_records_are_not_searched(people: People) -> None:
    record = make_published_sequence(people.manager, people.reviewer, bases=bases(1))
    assert names(None) == [record.accession]
    with transaction():
        commands.withdraw_sequence(people.manager, record.accession, "Wrong.")
    assert names(None) == []


def test_the_library_follows_every_change_and_is_kept_otherwise(people: People, app: Flask) -> None:
    first = make_sequence(people.manager, bases=bases(1))
    one = library.hub_library()
    assert library.hub_library() is one
    make_laboratory()  # a change of something else
    assert library.hub_library() is one
    with transaction():
        commands.change_sequence(people.manager, first.accession, {"title": "Other"}, expected_version=1)
    assert library.hub_library() is one, "the title is not in it"
    second = make_sequence(people.manager, bases=bases(2))
    two = library.hub_library()
    assert two.ids == [first.id, second.id]
    assert [two.packed.bases(place) for place in (0, 1)] == [bases(1), bases(2)]
    assert {path.name.split(".")[0] for path in files(app)} == {f"hub-{two.key}"}, "old files are removed"
    assert one.packed.bases(0) == bases(1), "who has the old one mapped still reads it"


def test_topology_is_part_of_the_library(people: People) -> None:
    record = make_sequence(people.manager, bases=bases(1))
    assert library.hub_library().packed.circular.tolist() == [True]
    with transaction() as session:
        session.get_one(ReferenceSequence, record.id).topology = Topology.LINEAR
        audit.record(people.manager, "sequence.change", "sequence", record.accession)  # every change has one
    assert library.hub_library().packed.circular.tolist() == [False]


def test_files_are_for_the_hub_only(people: People, app: Flask) -> None:
    make_sequence(people.manager, bases=bases(1))
    library.hub_library()
    assert len(files(app)) >= 2
    for path in files(app):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert stat.S_IMODE(files(app)[0].parent.stat().st_mode) == 0o700


def test_another_process_maps_the_same_files(people: People, app: Flask) -> None:
    make_sequence(people.manager, bases=bases(1))
    made = library.hub_library()
    times = {path: path.stat().st_mtime_ns for path in files(app)}
    library.keep_library_in(files(app)[0].parent)  # as a process that has just started
    again = library.hub_library()
    assert again is not made
    assert (again.key, again.ids, again.packed.digest) == (made.key, made.ids, made.packed.digest)
    assert {path: path.stat().st_mtime_ns for path in files(app)} == times


def test_a_damaged_file_is_made_anew(people: People, app: Flask) -> None:
    make_sequence(people.manager, bases=bases(1))
    library.hub_library()
    (path,) = (path for path in files(app) if path.suffix == ".labpack")
    path.write_bytes(path.read_bytes()[:200])
    diagnosis = Diagnosis()
    library.examine_library(diagnosis)
    assert path.name in diagnosis.problems[0]
    library.keep_library_in(path.parent)
    assert library.hub_library().packed.bases(0) == bases(1)
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    diagnosis = Diagnosis()
    library.examine_library(diagnosis, fix=True)
    assert not path.exists() and diagnosis.mended and not diagnosis.problems


def test_a_folder_that_cannot_be_written_does_not_stop_searches(people: People, app: Flask) -> None:
    folder: Path = app.extensions["labhub.config"].instance / "library"
    folder.parent.joinpath("library-file").write_text("")
    library.keep_library_in(folder.parent / "library-file")
    record = make_sequence(people.manager, bases=bases(1))
    assert names(people.manager) == [record.accession]
    (folder.parent / "library-file").unlink()


def test_work_before_a_search_is_known(people: People) -> None:
    make_sequence(people.manager, bases=bases(1))
    make_sequence(people.manager, bases=bases(2))
    assert library.bases_to_pack() == 800
    library.hub_library()
    assert library.bases_to_pack() == 0
    make_sequence(people.manager, bases=bases(3))
    assert library.bases_to_pack() == 1200


def test_records_whose_row_is_gone_are_told_of_to_nobody(people: People) -> None:
    record = make_sequence(people.manager, bases=bases(1))
    found = library.hub_library()
    with transaction() as session:
        row = session.get_one(ReferenceSequence, record.id)
        row.visibility = Visibility.SEALED
    assert library.visible_records(OPERATOR, found).tolist() == [False]
    assert isinstance(library.visible_records(OPERATOR, found), np.ndarray)
    assert db.session.scalars(select(ReferenceSequence.id)).all() == [record.id]


def test_old_part_files_are_removed(people: People, app: Flask) -> None:
    library.hub_library()
    left = files(app)[0].parent / ".left.part"
    left.write_text("")
    os.utime(left, (1, 1))
    make_sequence(people.manager, bases=bases(1))
    library.hub_library()
    assert not left.exists()


def test_the_module_loads_no_heavy_library() -> None:
    code = """
import sys
import labhub.sequences.library_queries
print([name for name in ("Bio", "scipy", "dask", "edlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_search_of_the_whole_hub_has_a_library_of_its_own(people: People) -> None:
    seen = make_published_sequence(people.manager, people.reviewer, bases=bases(1))
    make_sequence(people.manager, bases=bases(2))
    assert library.library_for(OPERATOR) is library.hub_library().packed, "all of it: nothing is packed again"
    assert list(library.library_for(None).names) == [seen.accession]
    assert library.library_for(None).bases(0) == bases(1)


def test_a_worker_makes_the_index_and_every_process_uses_it(
    people: People, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "LEAST_INDEXED", 1)
    make_sequence(people.manager, bases=bases(1))
    first = library.hub_library()
    assert first.index is None and not library.has_index(), "a search does not wait for it"
    library.renew_library()
    second = library.hub_library()
    assert second.index is not None and library.has_index()
    assert (second.packed, second.ids) == (first.packed, first.ids)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files(app))
    assay = Assay("a", bases(1)[10:32], reverse_complement(bases(1)[150:172]))
    found = [search([assay], second.packed, index=index).products for index in (None, second.index)]
    assert [each.start.tolist() for each in found] == [[10], [10]]

    make_sequence(people.manager, bases=bases(2))
    assert library.hub_library().index is None
    assert not [path for path in files(app) if path.name.endswith(".index")], "it goes with its pack"
    library.renew_library()
    (path,) = (path for path in files(app) if path.name.endswith(".index"))
    path.write_bytes(path.read_bytes()[:5000])
    library.keep_library_in(path.parent)
    assert library.hub_library().index is None and not path.exists(), "a damaged one is made anew"
    library.renew_library()
    assert library.hub_library().index is not None


def test_a_small_library_needs_no_index(people: People, app: Flask) -> None:
    make_sequence(people.manager, bases=bases(1))
    library.renew_library()
    assert library.hub_library().index is None
