"""Pictures, what changed between versions, and methods side by side, as pages."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from labhub.accounts.actor import Actor, Role
from labhub.accounts.queries import actor_of
from labhub.db import transaction
from labhub.methods import commands
from labhub.methods.models import FileVisibility
from tests.factories import (
    PASSWORD,
    browser_of,
    make_actor,
    make_laboratory,
    make_method,
    make_second_version,
    make_sop,
    make_user,
    method_content,
)


def make_manager() -> Actor:
    """Return a manager of a new laboratory."""
    return make_actor(Role.MANAGER, laboratory=make_laboratory())


# Pictures


def test_the_picture_of_a_published_method_is_an_image_with_a_closed_policy(client: FlaskClient) -> None:
    code = make_method(state="published").method.code
    response = client.get(f"/methods/{code}/versions/1/oligos.svg")
    assert response.status_code == 200
    assert response.mimetype == "image/svg+xml"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert 'width="720"' in response.text
    again = client.get(
        f"/methods/{code}/versions/1/oligos.svg", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize(("asked", "width"), [("1", 340), ("340", 340), ("99999", 720), ("x", 720)])
def test_a_picture_has_one_of_two_widths(client: FlaskClient, asked: str, width: int) -> None:
    code = make_method(state="published").method.code
    text = client.get(f"/methods/{code}/versions/1/oligos.svg?width={asked}").text
    assert f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}"' in text


@pytest.mark.req("A2")
def test_a_draft_has_no_picture_and_no_comparison_for_others(client: FlaskClient) -> None:
    code = make_method().method.code
    for path in (
        f"/methods/{code}/versions/1/oligos.svg",
        f"/methods/{code}/compare-versions",
        f"/methods/compare?code={code}",
        f"/methods/compare/download?code={code}",
        f"/api/v1/methods/compare?code={code}",
        f"/api/v1/methods/{code}/versions/1/difference",
    ):
        assert client.get(path).status_code == 404, path


@pytest.mark.req("C4")
def test_a_name_with_markup_is_text_in_page_and_picture(client: FlaskClient) -> None:
    oligos = [{**each, "name": '<b onclick="x">'} for each in method_content()["oligos"]]
    code = make_method(state="published", oligos=oligos).method.code
    for path in (f"/methods/{code}", f"/methods/{code}/versions/1/oligos.svg"):
        text = client.get(path).text
        assert "<b onclick" not in text
        assert "&lt;b onclick" in text


def test_the_page_says_the_place_of_each_oligo_beside_the_picture(client: FlaskClient) -> None:
    code = make_method(state="published").method.code
    page = client.get(f"/methods/{code}").text
    assert f"/methods/{code}/versions/1/oligos.svg?width=340" in page
    assert "1–23" in page
    assert "69–92" in page
    assert "Not found among the known bases of the amplicon." in page


# Versions


def test_changed_bases_and_words_are_marked(client: FlaskClient) -> None:
    actor = make_manager()
    code = make_method(actor=actor, state="published").method.code
    oligos = method_content()["oligos"]
    oligos[2]["sequence"] = "AACATCCTTTGCCATCGCCCAGC"
    make_second_version(actor, code, oligos=oligos, licence="CC0")
    page = client.get(f"/methods/{code}/compare-versions").text
    assert 'AACATCCTTTGCCAT<del class="gone">T</del>GCCCAGC' in page
    assert 'AACATCCTTTGCCAT<ins class="come">C</ins>GCCCAGC' in page
    assert "2 differences" in page
    back = client.get(f"/methods/{code}/compare-versions?from=2&to=1").text
    assert 'AACATCCTTTGCCAT<del class="gone">C</del>GCCCAGC' in back
    assert "Better words" in page


def test_a_version_beside_itself_says_so(client: FlaskClient) -> None:
    code = make_method(state="published").method.code
    assert "one and the same version" in client.get(f"/methods/{code}/compare-versions").text


def test_wrong_numbers_are_refused(client: FlaskClient) -> None:
    code = make_method(state="published").method.code
    assert client.get(f"/methods/{code}/compare-versions?from=x").status_code == 400
    assert client.get(f"/methods/{code}/compare-versions?colour=red").status_code == 400
    assert client.get(f"/methods/{code}/compare-versions?from=7").status_code == 404


@pytest.mark.req("A2")
def test_files_that_one_may_not_see_are_no_difference(app: Flask, client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD)
    actor = actor_of(user)
    code = make_method(actor=actor, state="published").method.code
    with transaction():
        commands.new_version(actor, code, "A secret file")
    file_id = make_sop(actor, code, name="secret.pdf", content=b"%PDF-1.4\n% secret\n%%EOF\n")
    with transaction():
        for file in commands.queries.versions_of(actor, code)[0].files:
            if file.id == file_id:
                file.visibility = FileVisibility.LABORATORY
    with transaction():
        commands.submit(actor, code)
    with transaction():
        commands.publish(make_actor(Role.REVIEWER), code)
    assert "secret.pdf" not in client.get(f"/methods/{code}/compare-versions").text
    assert "secret.pdf" not in client.get(f"/api/v1/methods/{code}/versions/2/difference").text
    assert "secret.pdf" in browser_of(app, user).get(f"/methods/{code}/compare-versions").text


# Side by side


def test_methods_stand_side_by_side_with_what_differs_marked(client: FlaskClient) -> None:
    one, two = (make_method(state="published", licence=licence).method.code for licence in ("CC0", "CC BY"))
    page = client.get(f"/methods/compare?code={one}&code={two}").text
    assert page.count('<tr class="differs">') == 1
    only = client.get(f"/methods/compare?code={one}&code={two}&only=differences").text
    assert "CC0" in only
    assert "maize flour" not in only


def test_at_most_four_methods_are_compared_each_once(client: FlaskClient) -> None:
    codes = [make_method(state="published").method.code for _number in range(5)]
    assert client.get("/methods/compare?code=" + "&code=".join(codes)).status_code == 422
    twice = client.get(f"/methods/compare?code={codes[0]}&code={codes[0].lower()}").text
    assert "Chosen so far" in twice


def test_the_empty_comparison_asks_for_methods(client: FlaskClient) -> None:
    page = client.get("/methods/compare")
    assert page.status_code == 200
    assert "Add a method by its code" in page.text


def test_the_comparison_can_be_taken_home(client: FlaskClient) -> None:
    one, two = (make_method(state="published").method.code for _number in range(2))
    response = client.get(f"/methods/compare/download?code={one}&code={two}")
    assert response.mimetype == "text/csv"
    assert response.text.splitlines()[0] == f"Section,Field,{one},{two}"


def test_methods_are_ticked_on_the_list(client: FlaskClient) -> None:
    code = make_method(state="published").method.code
    page = client.get("/methods").text
    assert f'form="compare" name="code" value="{code}" aria-label="Compare {code}"' in page
    assert '<form id="compare" action="/methods/compare" method="get">' in page


def test_the_word_compare_is_no_code(client: FlaskClient) -> None:
    assert client.get("/methods/compare").status_code == 200
    with pytest.raises(Exception, match="correct the marked"):
        make_method(code="compare")


# Used by


def test_a_reference_method_names_the_methods_that_use_it(client: FlaskClient) -> None:
    reference = make_method(state="published", specificity="taxon").method.code
    user = make_method(state="published", reference_method=reference).method.code
    draft = make_method(reference_method=reference).method.code
    page = client.get(f"/methods/{reference}").text
    assert f'href="/methods/{user}"' in page
    assert f'href="/methods/{draft}"' not in page
    assert f'href="/methods/{reference}"' in client.get(f"/methods/{user}").text
