"""Comparisons through the API."""

from flask.testing import FlaskClient

from labhub.accounts.actor import Role
from tests.factories import make_actor, make_laboratory, make_method, make_second_version

METHODS = "/api/v1/methods"


def test_the_difference_names_fields_in_words_and_by_path(client: FlaskClient) -> None:
    actor = make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=actor, state="published").method.code
    make_second_version(actor, code, licence="CC0", matrices=["maize flour", "feed"])
    answer = client.get(f"{METHODS}/{code}/versions/2/difference").json
    assert (answer["before"], answer["after"]) == (1, 2)
    assert answer["differences"] == [
        {
            "field": "matrices",
            "names": ["Matrices"],
            "kind": "changed",
            "before": ["maize flour"],
            "after": ["maize flour", "feed"],
        },
        {"field": "licence", "names": ["Licence"], "kind": "changed", "before": "CC BY 4.0", "after": "CC0"},
    ]
    back = client.get(f"{METHODS}/{code}/versions/1/difference?with=2").json
    assert [each["after"] for each in back["differences"]] == [["maize flour"], "CC BY 4.0"]


def test_the_first_version_differs_from_nothing(client: FlaskClient) -> None:
    code = make_method(state="published").method.code
    assert client.get(f"{METHODS}/{code}/versions/1/difference").json["differences"] == []
    assert client.get(f"{METHODS}/{code}/versions/1/difference?with=5").status_code == 404


def test_the_comparison_gives_lines_of_each_method(client: FlaskClient) -> None:
    one, two = (make_method(state="published", licence=licence).method.code for licence in ("CC0", "CC BY"))
    answer = client.get(f"{METHODS}/compare?code={one}&code={two}").json
    assert [method["code"] for method in answer["methods"]] == [one, two]
    rows = {row["field"]: row for group in answer["groups"] for row in group["rows"]}
    assert rows["licence"] == {
        "field": "licence",
        "name": "Licence",
        "differs": True,
        "values": [["CC0"], ["CC BY"]],
    }
    assert rows["matrices"]["differs"] is False


def test_five_methods_are_too_many(client: FlaskClient) -> None:
    codes = [make_method(state="published").method.code for _number in range(5)]
    answer = client.get(f"{METHODS}/compare?code=" + "&code=".join(codes))
    assert answer.status_code == 422
    assert "four" in answer.text or "4" in answer.text
