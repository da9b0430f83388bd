"""Versions of the criteria in the hub, and by which of them a method is judged."""

import json
from pathlib import Path

import pytest
from flask import Flask

from labhub.cli import SEEDS_FOLDER
from labhub.db import db, transaction
from labhub.errors import Conflict, NotFound
from labhub.methods import judgement_commands, judgement_queries, queries
from labhub.methods.models import MethodVersion
from tests.factories import make_method


def load(folder: Path, *records: dict) -> int:
    (folder / "criteria.json").write_text(json.dumps(records), encoding="utf-8")
    with transaction():
        return judgement_commands.load_seeds(folder)


@pytest.fixture
def first() -> dict:
    return json.loads((SEEDS_FOLDER / "criteria.json").read_text(encoding="utf-8"))[0]


def judged(version: MethodVersion) -> judgement_queries.Judgements:
    return judgement_queries.judgements_of(version, queries.content_of(version))


def test_criteria_are_loaded_once(app: Flask, tmp_path: Path, first: dict) -> None:
    assert (load(tmp_path, first), load(tmp_path, first)) == (1, 0)
    assert judgement_queries.newest_criteria_version() == "MPC-1"


def test_criteria_that_methods_were_judged_by_can_not_be_changed(
    app: Flask, tmp_path: Path, first: dict
) -> None:
    load(tmp_path, first)
    with pytest.raises(Conflict, match="new version"):
        load(tmp_path, {**first, "target_percent": 0.1})


def test_a_method_keeps_the_criteria_of_its_publication(app: Flask, tmp_path: Path, first: dict) -> None:
    load(tmp_path, first)
    version = make_method(state="published", validation={"slope": -3.55})
    assert version.criteria_version == "MPC-1"
    assert not judged(version).has_changed
    strict = {**first, "version": "MPC-2", "adopted_on": "2027-01-01"}
    strict["rules"] = [{**first["rules"][0], "least": -3.5}]
    load(tmp_path, first, strict)
    db.session.expire_all()
    both = judged(version)
    assert both.has_changed
    assert both.recorded is not None and both.recorded.counts["fail"] == 0
    assert both.newest is not None and both.newest.counts["fail"] == 1
    assert both.shown is both.recorded


def test_a_draft_is_judged_by_the_newest(app: Flask, tmp_path: Path, first: dict) -> None:
    load(tmp_path, first)
    both = judged(make_method())
    assert both.recorded is None and both.shown is both.newest


def test_without_criteria_nothing_is_judged(app: Flask) -> None:
    version = make_method(state="published")
    assert version.criteria_version is None and judged(version).shown is None


def test_criteria_nobody_knows_are_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        judgement_queries.find_criteria("MPC-99")
