"""Pages of studies: the form, raw results, the working, judgement and completeness on the method's page."""

from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from labhub.accounts.queries import actor_of
from labhub.cli import SEEDS_FOLDER
from labhub.db import db, transaction
from labhub.methods import judgement_commands, queries
from labhub.methods.models import MethodVersion
from tests.factories import PASSWORD, browser_of, make_laboratory, make_method, make_user, submit
from tests.methods.test_study_api import CSV
from tests.methods.test_trials import CREOSOTE, rows_of


@pytest.fixture
def story(app: Flask) -> tuple[FlaskClient, MethodVersion]:
    user = make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD)
    return browser_of(app, user), make_method(actor=actor_of(user))


def now(version: MethodVersion) -> MethodVersion:
    """Return the version as it is stored now."""
    db.session.expire_all()
    found = db.session.get(MethodVersion, version.id)
    assert found is not None
    return found


def test_story_by_hand(story: tuple[FlaskClient, MethodVersion]) -> None:
    client, version = story
    code = version.method.code
    assert client.get(f"/methods/{code}/studies/new").status_code == 200
    made = submit(
        client, f"/methods/{code}/studies", kind="collaborative-trial", title="Ring trial", unit="% m/m",
        row_version=now(version).edition,
    )  # fmt: skip
    assert made.status_code == 303 and made.headers["Location"].endswith("/versions/1/studies/0")
    sent = submit(
        client, f"/methods/{code}/studies/0/data", file=(BytesIO(CSV.encode()), "coal.csv"), unit="% m/m",
        row_version=now(version).edition,
    )  # fmt: skip
    assert sent.status_code == 303
    page = client.get(f"/methods/{code}/versions/1/studies/0").text
    for text in ("Cochran: largest variance", "0.6904", "straggler, kept", "T₁", "Mandel"):
        assert text in page
    decided = submit(
        client, f"/methods/{code}/studies/0/decisions", laboratory="6", level="2", action="exclude",
        reason="Other <b>instrument</b>", row_version=now(version).edition,
    )  # fmt: skip
    assert decided.status_code == 303
    page = client.get(f"/methods/{code}/versions/1/studies/0").text
    assert "Other &lt;b&gt;instrument" in page and "excluded by a decision" in page
    form = client.get(f"/methods/{code}/studies/0/edit").text
    assert "only the assigned values can be given here" in form
    gone = submit(client, f"/methods/{code}/studies/0/removal", row_version=now(version).edition)
    assert gone.status_code == 303
    assert "No study is described." in client.get(f"/methods/{code}").text


def test_figures_by_hand_are_stored_from_the_form(story: tuple[FlaskClient, MethodVersion]) -> None:
    client, version = story
    code = version.method.code
    fields = {
        "kind": "single-laboratory", "slope": "-3.4", "level-1-label": "0.1 %", "level-1-assigned": "0.1",
        "level-1-rsdr_percent": "18", "row_version": str(now(version).edition),
    }  # fmt: skip
    answer = submit(client, f"/methods/{code}/studies", **fields)
    assert answer.status_code == 303
    study = queries.content_of(now(version))["studies"][0]
    assert study["slope"] == -3.4 and study["levels"][0]["rsdr_percent"] == 18


def test_a_mistake_in_the_form_keeps_what_was_typed_and_marks_the_cell(
    story: tuple[FlaskClient, MethodVersion],
) -> None:
    client, version = story
    answer = submit(
        client, f"/methods/{version.method.code}/studies", kind="single-laboratory", title="Typed",
        **{"level-0-label": "A", "level-0-s_r": "many"}, row_version=now(version).edition,
    )  # fmt: skip
    assert answer.status_code == 422
    assert 'value="Typed"' in answer.text and 'value="many"' in answer.text
    assert "is-invalid" in answer.text


def test_assigned_values_of_raw_results_are_changed_in_the_form(
    story: tuple[FlaskClient, MethodVersion],
) -> None:
    client, version = story
    code = version.method.code
    submit(client, f"/methods/{code}/studies", kind="single-laboratory", row_version=now(version).edition)
    file = (BytesIO(CSV.encode()), "coal.csv")
    submit(client, f"/methods/{code}/studies/0/data", file=file, row_version=now(version).edition)
    answer = submit(
        client, f"/methods/{code}/studies/0/edit", kind="single-laboratory",
        **{"level-0-label": "1", "level-0-assigned": "0.69"}, row_version=now(version).edition,
    )  # fmt: skip
    assert answer.status_code == 303
    level = queries.content_of(now(version))["studies"][0]["levels"][0]
    assert level["assigned"] == 0.69 and level["bias_percent"] == pytest.approx(0.0537, abs=1e-3)


def test_a_bad_file_is_told_on_the_page_by_row_and_column(story: tuple[FlaskClient, MethodVersion]) -> None:
    client, version = story
    code = version.method.code
    submit(client, f"/methods/{code}/studies", kind="single-laboratory", row_version=now(version).edition)
    answer = submit(
        client, f"/methods/{code}/studies/0/data",
        file=(BytesIO(b"laboratory,level,value\r\nA,1,x\r\n"), "t.csv"), row_version=now(version).edition,
    )  # fmt: skip
    assert answer.status_code == 422 and "row 2, column C" in answer.text


def test_judgement_and_completeness_stand_on_the_page(client: FlaskClient) -> None:
    with transaction():
        judgement_commands.load_seeds(SEEDS_FOLDER)
    data = [list(row) for row in rows_of(CREOSOTE)]
    study = {
        "kind": "collaborative-trial",
        "title": "Ring trial",
        "unit": "% m/m",
        "slope": -3.05,
        "data": data,
    }
    version = make_method(state="published", studies=[study])
    page = client.get(f"/methods/{version.method.code}").text
    assert "Slope of the standard curve" in page and "-3.05" in page
    assert "text-bg-danger" in page
    assert "Completeness: MIQE 2.0" in page
    assert "MPC-1" in page


def test_a_study_of_a_published_version_is_shown_to_everybody_without_forms(client: FlaskClient) -> None:
    version = make_method(state="published", studies=[{"kind": "single-laboratory", "title": "In house"}])
    answer = client.get(f"/methods/{version.method.code}/versions/1/studies/0")
    assert answer.status_code == 200 and "In house" in answer.text
    assert '<form method="post" enctype' not in answer.text


@pytest.mark.req("A2")
def test_a_study_of_a_draft_does_not_exist_for_others(
    client: FlaskClient, story: tuple[FlaskClient, MethodVersion]
) -> None:
    writer, version = story
    code = version.method.code
    submit(writer, f"/methods/{code}/studies", kind="single-laboratory", row_version=now(version).edition)
    assert client.get(f"/methods/{code}/versions/1/studies/0").status_code == 404
