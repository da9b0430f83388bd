"""Studies, judgement and completeness through the API."""

from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from labhub.accounts.queries import actor_of
from labhub.cli import SEEDS_FOLDER
from labhub.db import transaction
from labhub.methods import judgement_commands
from labhub.workbooks import Column, SheetToWrite, write_book
from tests.factories import bearer, make_laboratory, make_method, make_user
from tests.methods.test_trials import COAL, rows_of

CSV = "laboratory,level,replicate,value,assigned\r\n" + "".join(
    f"{lab},{level},{number},{value},{'0.7' if level == '1' else ''}\r\n"
    for lab, level, number, value in rows_of(COAL)
)


@pytest.fixture
def writer(app: Flask) -> dict[str, str]:
    """A manager of a laboratory with a draft of one study."""
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    headers = bearer(user)
    version = make_method(actor=actor_of(user))
    return {**headers, "code": version.method.code}


def etag(client: FlaskClient, writer: dict[str, str]) -> str:
    headers = {"Authorization": writer["Authorization"]}
    return client.get(f"/api/v1/methods/{writer['code']}/versions/1", headers=headers).headers["ETag"]


def call(client: FlaskClient, writer: dict[str, str], verb: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": writer["Authorization"], "If-Match": etag(client, writer)}
    return client.open(f"/api/v1/methods/{writer['code']}{path}", method=verb, headers=headers, **options)


def add(client: FlaskClient, writer: dict[str, str], **study: Any) -> Any:
    return call(client, writer, "POST", "/studies", json={"kind": "collaborative-trial", **study})


def send(client: FlaskClient, writer: dict[str, str], content: bytes, name: str, **form: str) -> Any:
    data = {"file": (BytesIO(content), name), **form}
    return call(client, writer, "POST", "/studies/0/data", data=data, content_type="multipart/form-data")


def test_story_of_a_study(client: FlaskClient, writer: dict[str, str]) -> None:
    made = add(client, writer, title="Ring trial", unit="% m/m")
    assert made.status_code == 201
    address = made.headers["Location"]
    read = send(client, writer, CSV.encode(), "coal.csv")
    assert read.status_code == 200, read.json
    levels = read.json["working"]["levels"]
    assert [round(level["s_R"], 3) for level in levels] == [0.026, 0.061, 0.035, 0.058]
    assert levels[0]["cells"][0]["values"] == [0.71, 0.71, 0.7, 0.71]
    assert levels[0]["bias_percent"] == pytest.approx(-1.3757, abs=1e-3)
    assert read.json["levels"][0]["assigned"] == 0.7
    decided = call(
        client, writer, "POST", "/studies/0/decisions",
        json={"laboratory": "6", "level": "2", "action": "exclude", "reason": "Other instrument"},
    )  # fmt: skip
    assert decided.json["working"]["levels"][1]["exclusions"][0]["reason"] == "Other instrument"
    changed = call(client, writer, "PATCH", "/studies/0", json={"slope": -3.4})
    assert (changed.json["slope"], changed.json["title"]) == (-3.4, "Ring trial")
    shown = client.get(address, headers={"Authorization": writer["Authorization"]})
    assert shown.json["working"]["differences"] == []
    assert call(client, writer, "DELETE", "/studies/0").status_code == 204


def test_a_workbook_is_read_too(client: FlaskClient, writer: dict[str, str]) -> None:
    add(client, writer)
    sheet = SheetToWrite(
        "results",
        [Column("laboratory"), Column("replicate"), Column("A")],
        [
            {"laboratory": name, "replicate": number, "A": value}
            for name, number, value in (("L1", 1, 1.5), ("L1", 2, 1.6), ("L2", 1, 1.4), ("L2", 2, 1.7))
        ],
    )
    read = send(client, writer, write_book([sheet]), "trial.xlsx", unit="% m/m")
    assert read.status_code == 200, read.json
    assert read.json["levels"][0]["mean"] == pytest.approx(1.55)


def test_every_problem_of_a_file_is_named_by_row_and_column(
    client: FlaskClient, writer: dict[str, str]
) -> None:
    add(client, writer)
    content = b"laboratory,level,value\r\nA,1,<0.1\r\n,1,2\r\nA,1,x\r\n"
    answer = send(client, writer, content, "t.csv")
    assert answer.status_code == 422
    assert {"row 2, column C", "row 3, column A", "row 4, column C"} <= set(answer.json["errors"])


def test_a_file_of_another_kind_is_refused(client: FlaskClient, writer: dict[str, str]) -> None:
    add(client, writer)
    assert send(client, writer, b"%PDF-1.4\n%%EOF\n", "t.pdf").status_code == 422


@pytest.mark.parametrize(
    "verb, path", [("POST", "/studies"), ("PATCH", "/studies/0"), ("DELETE", "/studies/0")]
)
def test_a_change_needs_the_version_it_was_made_on(
    client: FlaskClient, writer: dict[str, str], verb: str, path: str
) -> None:
    add(client, writer)
    headers = {"Authorization": writer["Authorization"]}
    body = {"kind": "single-laboratory"}
    address = f"/api/v1/methods/{writer['code']}{path}"
    assert client.open(address, method=verb, headers=headers, json=body).status_code == 428
    stale = {**headers, "If-Match": '"v1"'}
    assert client.open(address, method=verb, headers=stale, json=body).status_code == 412


def test_the_same_key_adds_a_study_once(client: FlaskClient, writer: dict[str, str]) -> None:
    headers = {
        "Authorization": writer["Authorization"],
        "If-Match": etag(client, writer),
        "Idempotency-Key": "k1",
    }
    address = f"/api/v1/methods/{writer['code']}/studies"
    for _turn in range(2):
        assert client.post(address, json={"kind": "single-laboratory"}, headers=headers).status_code == 201
    record = client.get(f"/api/v1/methods/{writer['code']}", headers=headers).json
    assert len(record["studies"]) == 1


def test_an_unknown_field_is_refused(client: FlaskClient, writer: dict[str, str]) -> None:
    assert add(client, writer, colour="red").status_code == 422


@pytest.mark.req("A2")
def test_studies_of_a_draft_do_not_exist_for_others(client: FlaskClient, writer: dict[str, str]) -> None:
    add(client, writer)
    for path in ("versions/1/studies/0", "judgement", "completeness"):
        assert client.get(f"/api/v1/methods/{writer['code']}/{path}").status_code == 404


def test_a_published_method_is_judged_by_the_criteria_of_its_publication(client: FlaskClient) -> None:
    with transaction():
        assert judgement_commands.load_seeds(SEEDS_FOLDER) == 1
        assert judgement_commands.load_seeds(SEEDS_FOLDER) == 0
    version = make_method(state="published", validation={"slope": -3.05, "r2": 0.99})
    answer = client.get(f"/api/v1/methods/{version.method.code}/judgement").json
    assert (answer["recorded_criteria"], answer["criteria_version"]) == ("MPC-1", "MPC-1")
    assert [one["rule"] for one in answer["judgements"] if one["verdict"] == "fail"] == ["slope"]
    assert answer["judgements"][0]["findings"][0]["value"] == -3.05
    missing = client.get(f"/api/v1/methods/{version.method.code}/judgement?criteria=MPC-99")
    assert missing.status_code == 404


def test_criteria_are_listed_with_their_rules(client: FlaskClient) -> None:
    with transaction():
        judgement_commands.load_seeds(SEEDS_FOLDER)
    (version,) = client.get("/api/v1/performance-criteria").json
    assert version["version"] == "MPC-1" and len(version["rules"]) == 10


def test_completeness_is_told_by_list(client: FlaskClient) -> None:
    version = make_method(state="published")
    (meter,) = client.get(f"/api/v1/methods/{version.method.code}/completeness").json
    assert meter["list"] == "miqe-2.0" and 0 < meter["percent"] < 100
    assert {item["status"] for item in meter["items"]} == {"answered", "missing", "not-kept"}
