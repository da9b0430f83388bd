"""Downloads of one and of several methods: what is in them, who may have it, and how they are counted."""

import json
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import func, select

from labhub.accounts.actor import OPERATOR, Role
from labhub.accounts.queries import actor_of
from labhub.config import PROJECT_FOLDER
from labhub.db import db, transaction
from labhub.methods import commands, download_queries, judgement_commands, metadata, queries
from labhub.methods.models import FileVisibility, MethodFile
from labhub.usage.models import UsageEvent
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_actor,
    make_laboratory,
    make_method,
    make_sop,
    make_user,
)

API = "/api/v1/methods"
PROTEIN = {
    "technique": "protein",
    "assay_format": "elisa",
    "analyte": "Cry1Ab",
    "antibodies": "polyclonal",
    "oligos": [],
    "amplicon_bp": None,
    "amplicon_accession": None,
}


def uses() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(UsageEvent))


def names_in(content: bytes) -> set[str]:
    with ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


@pytest.mark.parametrize(
    ("format_", "begins", "media_type"),
    [
        ("pdf", b"%PDF-", "application/pdf"),
        ("rdml", b"PK", "application/zip"),
        ("zip", b"PK", "application/zip"),
        ("order-sheet", b"name,sequence,", "text/csv; charset=utf-8"),
        ("order-sheet-xlsx", b"PK", metadata.MEDIA_TYPES["xlsx"]),
        ("datacite", b"{\n", "application/vnd.datacite.datacite+json"),
        ("datacite-xml", b"<?xml", "application/vnd.datacite.datacite+xml"),
        ("bibtex", b"@misc{", "application/x-bibtex; charset=utf-8"),
        ("ris", b"TY  - ", "application/x-research-info-systems; charset=utf-8"),
    ],
)
@pytest.mark.req("H1")
def test_each_format_is_given_out_and_counted_once(
    client: FlaskClient, format_: str, begins: bytes, media_type: str
) -> None:
    make_method(state="published")
    for root in ("/methods", API):
        before = uses()
        got = client.get(f"{root}/LH-1/download?format={format_}")
        assert got.status_code == 200, got.text
        assert got.data.startswith(begins)
        assert got.headers["Content-Type"] == media_type
        assert "LH-1-v1" in got.headers["Content-Disposition"]
        assert client.head(f"{root}/LH-1/download?format={format_}").status_code == 200
        assert uses() == before + 1


def test_same_version_has_the_same_etag_and_answers_304(client: FlaskClient) -> None:
    make_method(state="published")
    for format_ in ("pdf", "zip", "rdml"):
        first = client.get(f"/methods/LH-1/download?format={format_}")
        again = client.get(
            f"/methods/LH-1/download?format={format_}", headers={"If-None-Match": first.headers["ETag"]}
        )
        assert again.status_code == 304


def test_part_of_a_pack_is_given_out(client: FlaskClient) -> None:
    make_method(state="published")
    whole = client.get("/methods/LH-1/download?format=zip").data
    part = client.get("/methods/LH-1/download?format=zip", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole[10:20])


def test_page_in_arabic_has_a_name_of_its_own(client: FlaskClient) -> None:
    make_method(state="published")
    got = client.get("/methods/LH-1/download?format=pdf&lang=ar")
    assert "LH-1-v1-ar.pdf" in got.headers["Content-Disposition"]


def test_draft_has_a_page_and_an_order_sheet_for_its_laboratory_and_no_citation(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    headers = bearer(user)
    for format_ in ("pdf", "order-sheet", "rdml"):
        assert client.get(f"{API}/LH-1/download?format={format_}", headers=headers).status_code == 200
    for format_ in ("zip", "datacite", "bibtex", "ris"):
        assert client.get(f"{API}/LH-1/download?format={format_}", headers=headers).status_code == 409
    assert client.get(f"{API}/LH-1/download?format=pdf").status_code == 404
    assert uses() == 0


def test_format_of_oligos_is_refused_where_there_are_none(client: FlaskClient) -> None:
    make_method(state="published", **PROTEIN)
    got = client.get(f"{API}/LH-1/download?format=rdml")
    assert got.status_code == 409 and "no oligos" in got.json["detail"]
    names = names_in(client.get("/methods/LH-1/download?format=zip").data)
    assert "LH-1-v1/LH-1-v1.pdf" in names and not [name for name in names if name.endswith(".rdml")]


@pytest.mark.req("A2")
def test_pack_holds_the_files_that_its_reader_may_see_and_names_no_other(
    app: Flask, client: FlaskClient
) -> None:
    owner = make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD)
    actor = actor_of(owner)
    make_method(actor=actor)
    for place, visibility in enumerate(FileVisibility):
        number = make_sop(
            actor, "LH-1", name=f"{visibility.value}.pdf", content=f"%PDF-1.4\n{place}\n%%EOF\n".encode()
        )
        with transaction():
            db.session.get_one(MethodFile, number).visibility = visibility
    reviewer = make_actor(Role.REVIEWER)
    for do in (
        lambda: commands.submit(actor, "LH-1"),
        lambda: commands.start_review(reviewer, "LH-1"),
        lambda: commands.publish(reviewer, "LH-1"),
    ):
        with transaction():
            do()
    somebody = make_user(Role.PARTICIPANT, password=PASSWORD)
    seen = {
        "visitor": {"public"},
        "network": {"public", "network"},
        "owner": {v.value for v in FileVisibility},
    }
    for name, browser in (
        ("visitor", client),
        ("network", browser_of(app, somebody)),
        ("owner", browser_of(app, owner)),
    ):
        for address in ("/methods/LH-1/download?format=zip", "/methods/pack?code=LH-1"):
            content = browser.get(address).data
            files = {path.rsplit("/", 1)[1] for path in names_in(content) if "/files/" in path}
            assert files == {f"{each}.pdf" for each in seen[name]}, name
            hidden = {v.value for v in FileVisibility} - seen[name]
            with ZipFile(BytesIO(content)) as archive:
                said = b"".join(
                    archive.read(path)
                    for path in archive.namelist()
                    if path.endswith((".json", ".txt", ".csv"))
                )
            assert not [each for each in hidden if f"{each}.pdf".encode() in said]
        text = "".join(
            page.extract_text()
            for page in PdfReader(BytesIO(browser.get("/methods/LH-1/download?format=pdf").data)).pages
        )
        assert {v.value for v in FileVisibility if f"{v.value}.pdf" in text} == seen[name]


# Several -------------------------------------------------------------------------------------


@pytest.mark.req("H1")
def test_pack_of_several_counts_a_use_of_each_method(client: FlaskClient) -> None:
    for _number in range(3):
        make_method(state="published")
    got = client.get("/methods/pack?code=LH-1&code=lh-3")
    assert got.status_code == 200
    assert {name.split("/")[0] for name in names_in(got.data) if "/" in name} == {"LH-1-v1", "LH-3-v1"}
    rows = db.session.execute(select(UsageEvent.item_code, UsageEvent.item_version, UsageEvent.file)).all()
    assert sorted(map(tuple, rows)) == [("LH-1", "1", "zip"), ("LH-3", "1", "zip")]


@pytest.mark.parametrize("format_", download_queries.TOGETHER)
def test_several_methods_come_in_every_format(client: FlaskClient, format_: str) -> None:
    for _number in range(2):
        make_method(state="published")
    for root in ("/methods", API):
        got = client.get(f"{root}/download?format={format_}")
        assert got.status_code == 200, got.text
        assert got.data
    assert uses() == 4


def test_filters_choose_and_stand_on_the_cover(client: FlaskClient) -> None:
    make_method(state="published")
    make_method(state="published", specificity="taxon", lmo_unique_identifiers=[])
    records = client.get("/methods/download?format=json&specificity=taxon").json
    assert [record["code"] for record in records] == ["LH-2"]
    book = PdfReader(BytesIO(client.get("/methods/download?format=pdf&specificity=taxon").data))
    assert "specificity = taxon" in " ".join(book.pages[0].extract_text().split())


def test_drafts_never_go_out_together_with_others(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    make_method(state="published")
    records = client.get(f"{API}/download", headers=bearer(user)).json
    assert [record["code"] for record in records] == ["LH-2"]
    for headers in ({}, bearer(user)):
        got = client.get(f"{API}/pack?code=LH-1", headers=headers)
        assert got.status_code == 404 and "no published method LH-1" in got.json["detail"]


def test_more_than_one_download_holds_is_refused_with_the_command_that_writes_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _number in range(3):
        make_method(state="published")
    monkeypatch.setattr(download_queries.documents, "MOST_METHODS", 2)
    got = client.get(f"{API}/download?format=pdf")
    assert got.status_code == 413
    assert "labhub export methods --format pdf --published" in got.json["detail"]
    assert client.get(f"{API}/download?format=csv").status_code == 200


@pytest.mark.parametrize("query", ["format=docx", "nothing=1", "code=" + "x" * 61, "page=2"])
def test_unknown_format_or_filter_is_refused(client: FlaskClient, query: str) -> None:
    make_method(state="published")
    for root in ("/methods", API):
        assert client.get(f"{root}/download?{query}").status_code in (400, 422)


def test_nothing_found_says_so(client: FlaskClient) -> None:
    assert client.get(f"{API}/pack?q=nothing").status_code == 404


# Links ---------------------------------------------------------------------------------------


def test_linkset_of_a_published_version(client: FlaskClient) -> None:
    make_method(state="published")
    got = client.get("/methods/LH-1/versions/1/linkset")
    assert got.headers["Content-Type"] == "application/linkset+json"
    page = json.loads(got.data)["linkset"][0]
    for link in page["item"] + page["describedby"]:
        address = link["href"].partition("/methods/")[2]
        assert client.get(f"/methods/{address}").data, address


def test_draft_has_no_linkset(client: FlaskClient) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=actor_of(user))
    assert client.get("/methods/LH-1/versions/1/linkset").status_code == 404
    assert client.get("/methods/LH-1/versions/1/linkset", headers=bearer(user)).status_code == 404


def test_edition_names_its_lmos_elements_and_other_versions(app: Flask) -> None:
    from tests.factories import make_lmo

    make_lmo("MON810", unique_identifier="MON-00810-6")
    version = make_method(state="published")
    (edition,) = download_queries.editions_of(OPERATOR, [version], "https://hub.example")
    assert set(edition.lmos) == {"MON810 (MON-ØØ81Ø-6)"}
    assert edition.siblings == (1,)
    assert edition.laboratory == version.method.laboratory.name
    assert edition.record == queries.exported(version, OPERATOR)


def test_page_of_a_version_has_citation_downloads_links_and_description(client: FlaskClient) -> None:
    make_method(state="published")
    got = client.get("/methods/LH-1")
    assert 'rel="cite-as"' in got.headers["Link"] and 'rel="item"' in got.headers["Link"]
    text = got.text
    for name in ("pdf", "zip", "csv", "json", "rdml", "fasta", "order-sheet", "bibtex", "ris", "datacite"):
        assert f"/methods/LH-1/download?format={name}&amp;version=1" in text, name
    block = text.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    found = json.loads(block)
    assert found["@id"].endswith("/methods/LH-1/versions/1")
    assert found["citation"] in text


def test_text_of_a_record_cannot_end_the_data_block(client: FlaskClient) -> None:
    make_method(state="published", title="</script><script>alert(1)</script>")
    text = client.get("/methods/LH-1").text
    assert "<script>alert" not in text
    block = text.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    assert json.loads(block)["name"] == "</script><script>alert(1)</script>"


def test_page_of_a_draft_offers_no_citation(app: Flask) -> None:
    user = make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD)
    make_method(actor=actor_of(user))
    got = browser_of(app, user).get("/methods/LH-1")
    assert "Link" not in got.headers
    assert "cannot be cited" in got.text and "format=zip" not in got.text and "format=pdf" in got.text


def test_large_compendium_is_written_as_volumes(app: Flask, tmp_path: Path, monkeypatch) -> None:
    for _number in range(3):
        make_method(state="published")
    monkeypatch.setattr(download_queries.documents, "MOST_METHODS", 2)
    numbers = download_queries.exported_numbers(OPERATOR, published=True, codes=())
    steps: list[int] = []
    download_queries.export_methods(
        OPERATOR,
        numbers,
        "pdf",
        lambda volume, volumes: (tmp_path / f"{volume}-of-{volumes}.pdf").open("wb"),
        method_place(app),
        steps.append,
    )
    books = [PdfReader(path) for path in sorted(tmp_path.iterdir())]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["1-of-2.pdf", "2-of-2.pdf"]
    assert "Volume 2 of 2" in books[1].pages[0].extract_text()
    assert steps == [2, 1]


@pytest.mark.parametrize("format_", ["json", "csv", "order-sheet", "datacite", "fasta", "ris", "bibtex"])
def test_what_is_written_in_batches_is_what_is_written_at_once(
    app: Flask, format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _number in range(3):
        make_method(state="published")
    numbers = download_queries.exported_numbers(OPERATOR, published=True, codes=())

    def written() -> bytes:
        out = BytesIO()
        download_queries.export_methods(
            OPERATOR, numbers, format_, lambda _v, _all: nullcontext(out), method_place(app)
        )
        return out.getvalue()

    at_once = written()
    monkeypatch.setattr(download_queries, "BATCH", 1)
    in_batches = written()
    if format_ == "datacite":
        assert json.loads(in_batches) == json.loads(at_once)
    else:
        assert in_batches.split() == at_once.split()


def method_place(app: Flask) -> download_queries.Place:
    """Return where the hub of a test keeps what it makes."""
    parts = app.extensions
    return download_queries.Place("https://hub.example", parts["labhub.store"], parts["labhub.made_files"])


def test_page_of_the_compendium_has_the_judgement_of_the_publication(client: FlaskClient) -> None:
    with transaction():
        judgement_commands.load_seeds(PROJECT_FOLDER / "seeds")
    make_method(state="published", validation={"slope": -3.05})
    for address in ("/methods/LH-1/download?format=pdf", "/methods/download?format=pdf"):
        book = PdfReader(BytesIO(client.get(address).data))
        text = " ".join(" ".join(page.extract_text() for page in book.pages).split())
        assert "Slope of the standard curve from -3.6 to -3.1 -3.05 fail" in text


def test_list_offers_what_it_shows_as_one_file(client: FlaskClient) -> None:
    make_method(state="published")
    make_method(state="published", specificity="taxon", lmo_unique_identifiers=[])
    text = client.get("/methods?specificity=taxon&taxon=&page_size=20&sort=title").text
    address = "/methods/download?format=json&amp;specificity=taxon"
    assert address in text
    found = text[text.index(address) :].partition('"')[0].replace("&amp;", "&")
    assert [record["code"] for record in client.get(found).json] == ["LH-2"]
