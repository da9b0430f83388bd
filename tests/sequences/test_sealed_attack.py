"""The walking attack on a hidden insert, and the scan for planted bases (``trust.md`` A5, A6)."""

import gzip
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from flask import Flask
from sqlalchemy import text
from structlog.testing import capture_logs

from labhub.accounts.actor import OPERATOR, Role, Scope
from labhub.accounts.models import User
from labhub.accounts.queries import actor_of
from labhub.db import Model, db, transaction
from labhub.methods import sealed_views
from labhub.sequences import sealed_commands as commands
from labhub.sequences import sealed_queries as queries
from labhub.sequences.models import Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.queries import export_sequences
from labhub.sequences.sealed_models import SealedAnswer, SealedRight
from labhub.sequences.sealed_walks import A_DAY_AND_PERSON, Question
from tests.conftest import FakeClock
from tests.factories import (
    PASSWORD,
    bearer,
    browser_of,
    make_bases,
    make_genbank,
    make_laboratory,
    make_lmo,
    make_method,
    make_party,
    make_sequence,
    make_user,
)
from tests.sequences.walkers import Ask, Guard, both_ends
from tests.test_permissions import routes

# The walking attack

FLANK, INSERT, DAYS = 1_450, 3_000, 30


@pytest.fixture
def hidden(app: Flask, fake_clock: FakeClock) -> tuple[str, str, list[User]]:
    """A sealed insert between two public flanks, and two accounts of a laboratory that may use it."""
    owner = actor_of(make_user(Role.MANAGER, laboratory=make_laboratory(party=make_party("BR"))))
    left, insert, right = (make_bases(size, seed=s) for size, s in ((FLANK, 1), (INSERT, 2), (FLANK, 3)))
    record = make_sequence(owner, bases=left + insert + right, visibility=Visibility.SEALED)
    laboratory = make_laboratory()
    with transaction():
        commands.grant(
            owner,
            record.accession,
            SealedRight.USE,
            commands.Grantee(laboratory=laboratory.code),
            reason="Surveillance",
        )
    return left, right, [make_user(Role.ANALYST, laboratory=laboratory) for _ in range(2)]


def service(users: list[User], fake_clock: FakeClock, most_a_day: int) -> Ask:
    """Ask the hub in turn as each of the people, so many questions a day for 30 days, then never."""
    asked, last = [0], fake_clock.at + timedelta(days=DAYS)

    def ask(question: Question) -> bool | None:
        if asked[0] and asked[0] % (most_a_day * len(users)) == 0:
            fake_clock.forward(days=1)
        asked[0] += 1
        if fake_clock.at >= last:
            return None
        got = commands.ask(actor_of(users[asked[0] % len(users)]), [question], door="api")
        assert got.refusal is None, got.refusal
        ((_record, answer),) = got.answers[0]
        return {SealedAnswer.FOUND: True, SealedAnswer.NOT_FOUND: False}.get(answer)

    return ask


@pytest.mark.req("A6")
@pytest.mark.parametrize("accounts", [1, 2])
def test_straight_walk_is_stopped_for_thirty_days(
    hidden: tuple[str, str, list[User]], fake_clock: FakeClock, accounts: int
) -> None:
    """Who walks base by base, and goes on every day after the stop."""
    left, right, users = hidden
    ask = service(users[:accounts], fake_clock, most_a_day=2)
    walkers = list(both_ends(left, right, ask, seed=accounts))
    for turn in range(DAYS * 2 * accounts):
        walkers[turn % 2].step()
    assert 0 < sum(walker.gained for walker in walkers) <= 30
    assert len(queries.stop_cases(actor_of(make_user(Role.SECRETARIAT)))) == 1


@pytest.mark.req("A6")
@pytest.mark.parametrize("accounts", [1, 2])
def test_careful_walk_gains_little_in_thirty_days(
    hidden: tuple[str, str, list[User]], fake_clock: FakeClock, accounts: int, database: str
) -> None:
    """Who knows all rules, asks nothing that would be stopped, and guesses longer pieces elsewhere."""
    if database != "sqlite":
        pytest.skip("the same rules on either database; played once")
    left, right, users = hidden
    most = 3 * accounts
    ask = service(users[:accounts], fake_clock, most_a_day=3)
    walkers = list(both_ends(left, right, ask, seed=7 + accounts, guard=Guard()))
    for turn in range(DAYS * most):
        if not walkers[turn % 2].step() and not walkers[1 - turn % 2].step():
            break
    assert sum(walker.asked for walker in walkers) > 20
    assert 0 < sum(walker.gained for walker in walkers) <= 30
    assert queries.stop_cases(actor_of(make_user(Role.SECRETARIAT))) == []


@pytest.mark.req("A6")
def test_without_the_guard_the_walk_succeeds(
    hidden: tuple[str, str, list[User]], fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack of the tests is a real one: with the guard taken out it gains a base for two questions."""
    monkeypatch.setattr("labhub.sequences.sealed_walks.is_walk", lambda *_given: False)
    left, right, users = hidden
    ask = service(users[:1], fake_clock, most_a_day=A_DAY_AND_PERSON)
    walkers = list(both_ends(left, right, ask, seed=3))
    for turn in range(100):
        walkers[turn % 2].step()
    assert sum(walker.gained for walker in walkers) >= 45


# Nothing leaks

WORD = 12


def needles(bases: str) -> set[bytes]:
    return {
        strand[start : start + WORD].encode()
        for strand in (bases, reverse_complement(bases))
        for start in range(len(strand) - WORD + 1)
    }


class Scan:
    """Looks for the planted words in everything that it is shown."""

    def __init__(self, planted: list[str]) -> None:
        self.needles = {word for bases in planted for word in needles(bases)}
        self.looked = 0
        self.found: list[str] = []

    def look(self, where: str, content: bytes | str) -> None:
        data = content.encode() if isinstance(content, str) else content
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        self.looked += len(data)
        letters = re.sub(rb"[\s\d]+", b"", data.upper())  # flat files break and number their lines
        for text_ in (data.upper(), letters):
            for run in re.findall(rb"[ACGTUN]{12,}", text_):
                for start in range(len(run) - WORD + 1):
                    if run[start : start + WORD] in self.needles:
                        self.found.append(f"{where}: {run[start : start + WORD].decode()}")
                        return


def stored_rows() -> Iterator[tuple[str, str]]:
    """Yield every value of every table but the bases."""
    for table in Model.metadata.sorted_tables:
        if table.name == "sequence_bases":
            continue
        for row in db.session.execute(text(f'SELECT * FROM "{table.name}"')):
            yield table.name, " ".join(str(value) for value in row)
    db.session.rollback()


def files_below(folder: Path, kept: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the instance but the database itself and the uploaded files of sealed records."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("labhub.db"):
            if path.parent.name + path.name not in kept:
                yield str(path.relative_to(folder)), path.read_bytes()


@pytest.mark.req("A5")
def test_no_word_of_twenty_planted_sequences_is_anywhere(
    app: Flask, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    chance = Random(20)
    planted = ["".join(chance.choices("ACGT", k=700)) for _ in range(20)]
    scan = Scan(planted)
    owners = make_laboratory(party=make_party("BR"))
    manager = make_user(Role.MANAGER, laboratory=owners, party=make_party("BR"), password=PASSWORD)
    laboratory = make_laboratory()
    user = make_user(Role.ANALYST, laboratory=laboratory, password=PASSWORD)
    people = {
        "visitor": None,
        "user": user,
        "owner's analyst": make_user(
            Role.ANALYST, laboratory=owners, party=make_party("BR"), password=PASSWORD
        ),
        "stranger": make_user(Role.MANAGER, laboratory=make_laboratory(), password=PASSWORD),
        "secretariat": make_user(Role.SECRETARIAT, Role.REVIEWER, password=PASSWORD),
        "administrator": make_user(Role.ADMINISTRATOR, password=PASSWORD),
        "focal point": make_user(Role.FOCAL_POINT, password=PASSWORD),
    }
    make_lmo("MON810", unique_identifier="MON-00810-6")
    client = app.test_client()
    accessions, kept = [], set()
    with capture_logs() as events:
        headers = bearer(manager, Scope.ADMIN)
        for number, bases in enumerate(planted):
            content = make_genbank(bases, accession=f"HID{number}", title=f"Hidden {number}")
            response = client.post(
                "/api/v1/sequences",
                data={
                    "file": (BytesIO(content), "hidden.gb"),
                    "visibility": "sealed",
                    "lmo": "MON810" if number % 2 else "",
                },
                headers={**headers, "Idempotency-Key": f"key-{number}"},
            )
            assert response.status_code == 201, response.text
            scan.look("answer to the upload", response.data)
            accessions.append(response.get_json()["accession"])
            kept.add(response.get_json()["file_sha256"])
        for accession in accessions:
            response = client.post(
                f"/api/v1/sequences/{accession}/grants",
                json={"right": "use", "laboratory": laboratory.code, "reason": "Surveillance"},
                headers=headers,
            )
            assert response.status_code == 201
        # faults on the way: what is refused, and what breaks
        for broken in (make_genbank(planted[0]).replace(b"//", b""), b">x\n" + planted[1].encode() + b"!"):
            response = client.post(
                "/api/v1/sequences",
                data={"file": (BytesIO(broken), "broken.gb"), "visibility": "sealed"},
                headers=headers,
            )
            assert response.status_code >= 400
            scan.look("refused upload", response.data)
        make_method(state="published")
        assert sealed_views.answer_due() > 0
        reader = bearer(user)
        asked = {  # a question of the asker's own words; its words are looked for in what comes back only
            "forward": planted[3][100:120],
            "reverse": reverse_complement(planted[3][300:320]),
        }
        for sent in (asked, {**asked, "probe": planted[3][200:220]}, {"sequences": planted[4][50:100]}):
            response = client.post("/api/v1/sealed-searches", json=sent, headers=reader)
            assert response.status_code == 200, response.text
            assert '"found"' in response.text
            scan.look("answer of the search", response.data)
        browser = browser_of(app, user)
        for address in ("/sealed", "/sealed/events/MON-00810-6", f"/sealed/events/{accessions[0]}"):
            page = browser.get(address)
            assert page.status_code == 200, address
            scan.look(address, page.data)
        # every address, as everybody
        for name, person in people.items():
            given = bearer(person, Scope.ADMIN) if person is not None else {}
            for endpoint, method, address in routes(app):
                if method != "GET" or (name != "user" and not re.search("sequence|sealed|insilico", address)):
                    continue
                response = client.get(address.replace("nothing-here", accessions[0]), headers=given)
                scan.look(f"{endpoint} as {name}", response.data)
                scan.look(f"{endpoint} as {name}: headers", str(response.headers))
            for query in (
                "?q=Hidden",
                "?sort=title&page_size=200",
                f"?q={planted[5][:20]}&visibility=sealed",
            ):
                response = client.get(f"/api/v1/sequences{query}", headers=given)
                if "Hidden" not in query:
                    assert planted[5][:20] not in response.text
                scan.look(f"list as {name}", response.data)
            for accession in accessions[:4]:
                for form in ("genbank", "fasta", "embl"):
                    response = client.get(
                        f"/api/v1/sequences/{accession}/download?format={form}", headers=given
                    )
                    assert response.status_code in (401, 403, 404)
                    scan.look(f"download as {name}", response.data)
        for form in ("genbank", "fasta"):
            scan.look("export of the operator", export_sequences(OPERATOR, form))
        with transaction():
            commands.report_uses()
        try:  # a fault whose statement holds bases
            with transaction():
                db.session.execute(
                    text("INSERT INTO sequence_bases (sequence_id, bases) VALUES (1, :bases)"),
                    {"bases": planted[6]},
                )
        except Exception as fault:
            scan.look("fault of the database", str(fault))
    scan.look("events of the log", str(events))
    scan.look("records of the log", caplog.text)
    out, err = capfd.readouterr()
    scan.look("what was printed", out + err)
    for table, row in stored_rows():
        scan.look(f"table {table}", row)
    for where, content in files_below(app.extensions["labhub.config"].instance, kept):
        scan.look(where, content)
    assert not scan.found, "\n".join(scan.found[:20])
    assert scan.looked > 1_000_000
    # the scan does find: those who may see read them
    seen = client.get(f"/api/v1/sequences/{accessions[0]}/download", headers=headers)
    scan.look("download of the owner", seen.data)
    assert len(scan.found) == 1
