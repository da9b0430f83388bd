"""The API as described: each operation has a summary, a schema and its refusals; changes are seen."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

RECORDED = Path(__file__).parent / "openapi.json"


@pytest.fixture
def description(app: Flask) -> dict[str, Any]:
    return dict(app.test_client().get("/api/v1/openapi.json").get_json())


def operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]


def test_the_description_is_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1.")
    assert description["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_each_operation_has_summary_and_answers(description: dict[str, Any]) -> None:
    wrong = []
    for path, method, operation in operations(description):
        where = f"{method.upper()} {path}"
        answers = set(operation["responses"])
        if not operation.get("summary"):
            wrong.append(f"{where}: no summary")
        if not any(code.startswith(("2", "3")) for code in answers):
            wrong.append(f"{where}: no answer of success")
        if not any(code.startswith("4") or code == "default" for code in answers):
            wrong.append(f"{where}: no refusal")
        if method in ("post", "put", "patch"):
            body = operation.get("requestBody", {}).get("content", {})
            takes_nothing = operation.get("x-no-body") or not body
            if not takes_nothing and not all(entry.get("schema") for entry in body.values()):
                wrong.append(f"{where}: a body without schema")
    assert not wrong, "\n".join(wrong)


def test_every_resource_of_the_contract_is_there(description: dict[str, Any]) -> None:
    paths = set(description["paths"])
    expected = """
        /parties /laboratories /users/me /tokens /lmos /elements /matrix /methods /sequences /cases /samples
        /discussions /topics /posts /indicators /activities
    """.split()
    missing = [name for name in expected if f"/api/v1{name}" not in paths and f"/api/v1{name}/" not in paths]
    assert not missing


def test_the_description_is_the_recorded_one(description: dict[str, Any]) -> None:
    present = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("LABHUB_TEST_RECORD_OPENAPI"):
        RECORDED.write_text(present, encoding="utf-8")
    recorded = RECORDED.read_text(encoding="utf-8")
    assert present == recorded, (
        "The API has changed. If that is meant: LABHUB_TEST_RECORD_OPENAPI=1 make test, and CHANGELOG.md."
    )
