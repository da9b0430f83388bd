"""Requests made from the API's own description: no fault, no dropped answer, problem documents only (C1)."""

import json
import warnings
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok

from labhub.accounts.actor import Role, Scope
from tests.factories import bearer, make_laboratory, make_party, make_user

EXAMPLES = 12
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.req("C1")
def test_requests_made_from_the_description_are_answered_in_order(app: Flask) -> None:
    party = make_party()
    user = make_user(
        *[role for role in Role if role is not Role.VISITOR],
        party=party,
        laboratory=make_laboratory(party=party),
    )
    headers = bearer(user, Scope.ADMIN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    asked: list[str] = []
    wrong: list[str] = []

    def ask(operation: Any) -> None:
        @SETTINGS
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:
            response = case.call(headers={**headers, "If-Match": '"v1"'})
            where = (
                f"{operation.method.upper()} {response.request.url if response.request else operation.path}"
            )
            asked.append(where)
            if response.status_code >= 500:
                wrong.append(f"{where}: {response.status_code} {response.content[:300]!r}")
            elif response.status_code >= 400:
                if "application/problem+json" not in str(response.headers.get("content-type")):
                    wrong.append(f"{where}: {response.status_code} is no problem document")
                elif (
                    not {"type", "title", "status", "detail", "errors"} <= json.loads(response.content).keys()
                ):
                    wrong.append(f"{where}: {response.content[:300]!r}")

        one()

    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path == "/api/v1/openapi.json":
            continue

        ask(operation)
    assert len(asked) > 200
    assert not wrong, f"{len(wrong)} of {len(asked)}:\n" + "\n".join(wrong[:20])
