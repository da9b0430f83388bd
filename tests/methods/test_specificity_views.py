"""Pages and addresses of living specificity show what the reader may see, and count nothing else."""

import csv
import io

import pytest
from flask.testing import FlaskClient

from labhub.accounts.actor import Actor, Role
from labhub.db import transaction
from labhub.methods.models import MethodVersion
from labhub.sequences import commands as sequences
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.workbooks import read_book
from tests.factories import (
    bearer,
    make_actor,
    make_bases,
    make_laboratory,
    make_lmo,
    make_method,
    make_published_sequence,
    make_sequence,
    make_user,
)
from tests.methods.specificity_records import REVERSE, changed, run, target


class Records:
    """Two laboratories with a published and a draft method, and records of every visibility."""

    def __init__(self) -> None:
        make_lmo("MON810", unique_identifier="MON-00810-6")
        make_lmo("GA21", unique_identifier="MON-00021-9")
        self.reviewer = make_actor(Role.REVIEWER)
        self.own = make_laboratory()
        self.user = make_user(Role.MANAGER, laboratory=self.own)
        self.manager: Actor = make_actor(Role.MANAGER, laboratory=self.own)
        self.stranger = make_user(Role.MANAGER, laboratory=make_laboratory())
        self.method: MethodVersion = make_method(
            actor=self.manager, state="published", reviewer=self.reviewer
        )
        self.draft: MethodVersion = make_method(actor=self.manager, title="Unpublished words")
        self.public: ReferenceSequence = self.published("AB1", lmo="MON810", title="Public record")
        self.unexpected = self.published("AB2", lmo="GA21", title="Another event")
        self.missing = self.published("AB3", lmo="MON810", bases=make_bases(300, seed=77), title="Border")
        self.unnamed = self.published(
            "AB4", bases=target(seed=14, reverse=changed(REVERSE, 24)), title="Vector"
        )
        self.network = self.published("AB5", visibility=Visibility.NETWORK, title="Network words")
        self.hidden = make_sequence(
            self.manager, bases=target(seed=16), accession="AB6", title="Hidden words", lmo="MON810"
        )
        self.sealed = make_sequence(
            self.manager,
            bases=target(seed=17),
            accession="AB7",
            title="Sealed words",
            visibility=Visibility.SEALED,
        )
        run()

    def published(self, accession: str, **record: object) -> ReferenceSequence:
        record.setdefault("bases", target(seed=int(accession[-1])))
        return make_published_sequence(self.manager, self.reviewer, accession=accession, **record)


@pytest.fixture
def records(client: FlaskClient) -> Records:
    return Records()


INSIDE = ("Unpublished words", "Hidden words", "Sealed words")


def test_the_page_of_a_method_sorts_what_it_finds(client: FlaskClient, records: Records) -> None:
    page = client.get(f"/methods/{records.method.method.code}").text
    section = page.partition('id="in-silico"')[2].partition("</section>")[0]
    assert "Compared with 4 reference sequences." in section
    headings = ["Expected and found", "Targets that are not found", "Found, though not expected"]
    places = [section.index(text) for text in [*headings, "Found in other records"]]
    assert places == sorted(places)
    for record, heading in (
        (records.public, 0),
        (records.missing, 1),
        (records.unexpected, 2),
        (records.unnamed, 3),
    ):
        assert places[heading] < section.index(f"{record.accession}</bdi>")
    assert "the last one at its 3′ end" in section
    assert not any(word in page for word in (*INSIDE, "Network words"))


def test_own_people_see_their_drafts_too(client: FlaskClient, records: Records) -> None:
    code = records.method.method.code
    seen = client.get(f"/api/v1/methods/{code}/specificity", headers=bearer(records.user)).json
    assert seen["compared"] == 6
    assert seen["totals"] == {"expected": 2, "unexpected": 1, "other": 2, "missing": 1}
    assert records.sealed.accession not in str(seen)
    other = client.get(f"/api/v1/methods/{code}/specificity", headers=bearer(records.stranger)).json
    assert other["compared"] == 5
    visitor = client.get(f"/api/v1/methods/{code}/specificity").json
    assert visitor["compared"] == 4
    assert visitor["totals"] == {"expected": 1, "unexpected": 1, "other": 1, "missing": 1}


def test_a_version_that_waits_says_so(client: FlaskClient, records: Records) -> None:
    fresh = make_method(actor=records.manager, title="Fresh", state="published", reviewer=records.reviewer)
    assert "waits to be compared" in client.get(f"/methods/{fresh.method.code}").text
    run()
    assert "waits to be compared" not in client.get(f"/methods/{fresh.method.code}").text


def test_the_page_of_a_sequence_lists_its_methods(client: FlaskClient, records: Records) -> None:
    page = client.get(f"/sequences/{records.public.accession}").text
    assert "Methods that find it" in page
    assert records.method.method.code in page
    assert "Compared with 1 method in silico." in page
    assert not any(word in page for word in INSIDE)
    missing = client.get(f"/sequences/{records.missing.accession}").text
    assert "Methods for it that do not find it" in missing
    seen = client.get(
        f"/api/v1/sequences/{records.public.accession}/specificity", headers=bearer(records.user)
    ).json
    assert seen["compared"] == 2
    assert {row["method_title"] for row in seen["expected"]} >= {"Unpublished words"}


def test_a_sealed_or_withdrawn_record_has_no_section(client: FlaskClient, records: Records) -> None:
    path = f"/api/v1/sequences/{records.sealed.accession}/specificity"
    assert client.get(path).status_code == 404
    own = client.get(path, headers=bearer(records.user)).json
    assert (own["current"], own["compared"], own["totals"]["expected"]) == (False, 0, 0)
    with transaction():
        sequences.withdraw_sequence(records.reviewer, records.public.accession, "Wrong")
    assert "Methods that find it" not in client.get(f"/sequences/{records.public.accession}").text


FILTERS = [
    ("", {"AB1", "AB2", "AB4"}),
    ("judgement=doubtful", {"AB4"}),
    ("scope=event", {"AB1", "AB2", "AB4"}),
    ("scope=screening", set()),
    ("taxon=zea", {"AB1", "AB2", "AB4"}),
    ("taxon=Glycine", set()),
    ("lmo=mon810", {"AB1", "AB2", "AB4"}),
    ("lmo=GA21", set()),
    ("lmo=nobody", set()),
    ("element=nothing", set()),
    ("record=another", {"AB2"}),
    ("record=100%25", set()),
    ("q=MON810", {"AB1", "AB2", "AB4"}),
    ("q=_", set()),
]


def test_filters_narrow_matrix_list_and_table(client: FlaskClient, records: Records) -> None:
    names = {row.accession: row.source_accession for row in vars(records).values() if hasattr(row, "digest")}
    for query, found in FILTERS:
        rows = client.get(f"/api/v1/specificity?{query}").json
        assert {names[row["sequence"]] for row in rows} == found, query
        table = client.get(f"/api/v1/specificity?format=csv&{query}").text
        assert {names[row["sequence"]] for row in csv.DictReader(io.StringIO(table))} == found, query
        matrix = client.get(f"/specificity?{query}").text.partition('class="matrix"')[2]
        assert {names[accession] for accession in names if f"{accession}</bdi>" in matrix} == found, query


def test_the_matrix_counts_only_what_the_reader_sees(client: FlaskClient, records: Records) -> None:
    page = client.get("/specificity").text
    assert "1 method × 4 sequences" in page
    assert "found in 3" in page
    assert not any(word in page for word in (*INSIDE, "Network words"))
    everything = client.get("/specificity?records=all").text
    assert "Border" in everything
    own = client.get("/specificity", headers=bearer(records.user)).text
    assert "2 methods × 6 sequences" in own
    assert "Sealed words" not in own
    rows = client.get("/api/v1/specificity")
    assert '"total":3' in rows.headers["X-Pagination"]
    assert not any(word in rows.text for word in INSIDE)


def test_what_nobody_sees_changes_no_answer(client: FlaskClient, records: Records) -> None:
    """Answers to a visitor before and after somebody's drafts are computed are the same."""
    paths = [
        "/api/v1/specificity",
        "/api/v1/specificity?format=csv",
        "/api/v1/specificity/changes",
        f"/api/v1/methods/{records.method.method.code}/specificity",
        f"/api/v1/sequences/{records.public.accession}/specificity",
    ]
    before = [(client.get(path).text, client.get(path).headers.get("X-Pagination")) for path in paths]
    make_sequence(records.manager, bases=target(seed=31), accession="AB31", title="Later", lmo="GA21")
    make_method(actor=records.manager, title="Later method")
    run()
    after = [(client.get(path).text, client.get(path).headers.get("X-Pagination")) for path in paths]
    assert before == after


def test_the_table_is_the_same_as_csv_and_xlsx(client: FlaskClient, records: Records) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/api/v1/specificity?format=csv").text)))
    (sheet,) = read_book(client.get("/api/v1/specificity?format=xlsx").data, file="specificity.xlsx")
    header = [sheet.cells[1, column].text for column in range(1, len(rows[0]) + 1)]
    assert header == list(rows[0])
    for line, row in enumerate(rows, start=2):
        cells = [sheet.cells.get((line, column)) for column in range(1, len(header) + 1)]
        assert [cell.text if cell else "" for cell in cells] == list(row.values())
    vector = next(row for row in rows if row["sequence"] == records.unnamed.accession)
    assert vector["mismatches"] == f"reverse 24: {REVERSE[23]}>{changed(REVERSE, 24)[23]}"
    assert (vector["judgement"], vector["reasons"], vector["expectation"]) == (
        "doubtful",
        "mismatch-near-3-end",
        "unknown",
    )


def test_pages_of_the_matrix_hold_together(client: FlaskClient, records: Records) -> None:
    page = client.get("/specificity?column_size=2&column_page=2").text
    assert "Page 2 of 2" in page
    assert f"{records.unnamed.accession}</bdi>" in page
    assert f"{records.public.accession}</bdi>" not in page.partition('class="matrix"')[2]
    assert client.get("/specificity?column_size=99").status_code == 400
    assert client.get("/specificity?nonsense=1").status_code == 400


def test_changes_are_listed_to_those_who_see_both(client: FlaskClient, records: Records) -> None:
    records.published("AB8", lmo="GA21", title="New event")
    make_sequence(records.manager, bases=target(seed=19), accession="AB9", title="New draft", lmo="GA21")
    run()
    page = client.get("/specificity/changes").text
    assert "New event" in page and "New draft" not in page
    assert "an unexpected detection" in page
    own = client.get("/api/v1/specificity/changes?own=true", headers=bearer(records.user)).json
    assert [row["kind"] for row in own] == ["unexpected", "unexpected"]
    assert client.get("/api/v1/specificity/changes?own=true", headers=bearer(records.stranger)).json == []


def test_pages_are_there_in_arabic(client: FlaskClient, records: Records) -> None:
    for path in ("/specificity", "/specificity/changes", f"/methods/{records.method.method.code}"):
        page = client.get(f"{path}?lang=ar")
        assert page.status_code == 200
        assert 'dir="rtl"' in page.text
