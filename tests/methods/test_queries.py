"""What is found among methods, and by whom."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.db import transaction
from labhub.errors import Invalid, NotFound
from labhub.lmos import commands as lmos
from labhub.methods import commands, find_queries, queries
from labhub.methods.models import MethodOrigin, MethodState, Specificity
from labhub.reports import Outcome
from tests.factories import make_actor, make_laboratory, make_method

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def codes(actor: Actor | None = None, **filters: Any) -> list[str]:
    """Return the codes of the list, in order."""
    return sorted(find_queries.find_codes(actor, **filters))


@pytest.fixture
def seeded(app: Flask) -> Flask:
    """A hub with the LMOs and compiled methods of the seeds."""
    with transaction():
        lmos.load_seeds(SEEDS)
    with transaction():
        assert commands.load_seeds(SEEDS) == 120
    return app


def test_each_reader_sees_what_is_due(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=manager)
    make_method(actor=manager, state="submitted")
    make_method(actor=manager, state="published")
    assert codes() == ["LH-3"]
    assert codes(make_actor(Role.MANAGER, laboratory=make_laboratory())) == ["LH-3"]
    assert codes(make_actor(Role.ADMINISTRATOR)) == ["LH-3"]
    assert codes(make_actor(Role.REVIEWER)) == ["LH-2", "LH-3"]
    assert codes(make_actor(Role.SECRETARIAT)) == ["LH-2", "LH-3"]
    assert codes(manager) == ["LH-1", "LH-2", "LH-3"]
    assert codes(OPERATOR) == ["LH-1", "LH-2", "LH-3"]
    assert codes(manager, state=MethodState.DRAFT) == ["LH-1"]


def test_seeds_are_loaded_once_and_found(seeded: Flask) -> None:
    with transaction():
        assert commands.load_seeds(SEEDS) == 0
    assert len(codes()) == 120
    assert queries.altered_versions() == []
    version = queries.find_published_version("QT-EVE-ZM-020")
    assert version.method.origin is MethodOrigin.COMPILED
    assert version.verified is True
    assert [target.lmo.event for target in version.targets if target.lmo] == ["MON810", "MON810"]
    for q in (
        "MON810",
        "MON-ØØ81Ø-6",
        "mon008106",
        "QT-EVE-ZM-020",
        "TCGAAGGACGAAGGACTCTAACG",
        "maize mon810",
    ):
        assert "QT-EVE-ZM-020" in codes(q=q), q
    assert "QT-EVE-ZM-020" in codes(q="CGTTAGAGTCCTTCGTCCTTCGA")  # the other strand
    assert codes(q="xyzzy") == []
    assert "QT-EVE-ZM-020" in codes(lmo="MON-ØØ81Ø-6")
    assert all("ZM" in code or code.startswith("LH") for code in codes(taxon="maize", q="MON810"))
    screening = codes(specificity=Specificity.SCREENING)
    assert (len(screening), len(codes(specificity=Specificity.SCREENING, quantitative="false"))) == (21, 17)
    assert codes(origin=MethodOrigin.SUBMITTED) == []
    with_p35s = codes(element="P-35S")
    assert with_p35s
    exported = queries.export_methods(OPERATOR, "json", published=True)
    assert exported == queries.export_methods(None, "json")


def test_export_of_compiled_methods_changes_nothing_when_it_is_imported(
    seeded: Flask, tmp_path: Path
) -> None:
    for format_ in ("json", "csv"):
        path = tmp_path / f"methods.{format_}"
        path.write_bytes(queries.export_methods(OPERATOR, format_))
        with transaction():
            report = commands.import_methods(OPERATOR, path)
        assert report.count(Outcome.UNCHANGED) == 120, [row.errors for row in report.rows if row.errors]


@pytest.mark.shared
def test_raw_data_folder_adds_to_the_seeds_only_what_they_lack(seeded: Flask, shared_data: Path) -> None:
    report = commands.import_methods(OPERATOR, shared_data / "methods.json", dry_run=True)
    assert (report.count(Outcome.UNCHANGED), report.count(Outcome.CREATED)) == (120, 29)


@pytest.mark.shared
def test_raw_data_folder_is_imported_by_the_operator(app: Flask, shared_data: Path) -> None:
    report = commands.import_methods(OPERATOR, shared_data / "methods.json", dry_run=True)
    assert report.count(Outcome.CREATED) == 149
    assert codes() == []
    with transaction():
        commands.import_methods(OPERATOR, shared_data / "methods.json")
    with transaction():
        again = commands.import_methods(OPERATOR, shared_data / "methods.json")
    assert again.count(Outcome.UNCHANGED) == 149
    assert len(codes()) == 149


def test_changed_compiled_record_becomes_a_new_version(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "methods.csv"
    header = "code,source_code,title,specificity,technique,origin,source_titles\r\n"
    for title in ("First", "Second"):
        path.write_text(f"{header}QT-1,QT-1,{title},event,qpcr,compiled,A page\r\n")
        with transaction():
            commands.import_methods(OPERATOR, path)
    assert queries.find_published_version("QT-1").title == "Second"
    assert queries.find_published_version("QT-1", 1).state is MethodState.SUPERSEDED


def test_file_of_a_laboratory_needs_one_of_its_people(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "methods.csv"
    path.write_text("title,specificity,technique\r\nMine,event,qpcr\r\n")
    with pytest.raises(Invalid, match="not imported"), transaction():
        commands.import_methods(OPERATOR, path).raise_if_refused()
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    with transaction():
        assert commands.import_methods(manager, path).count(Outcome.CREATED) == 1
    assert codes(manager) == ["LH-1"]
    path.write_text("code,title,specificity,technique\r\nLH-1,Changed,event,qpcr\r\n")
    with transaction():
        assert commands.import_methods(manager, path).count(Outcome.CHANGED) == 1
    assert queries.find_version(manager, "LH-1").title == "Changed"


def test_published_version_is_found_by_number_and_in_any_case(app: Flask) -> None:
    version = make_method(state="published")
    assert queries.find_published_version(" lh-1".strip()).id == version.id
    assert queries.find_published_version("LH-1", 1).id == version.id
    for code, number in (("LH-1", 2), ("LH-2", None), ("LH-1", 10**30), ("a\x00", None)):
        with pytest.raises(NotFound):
            queries.find_published_version(code, number)
