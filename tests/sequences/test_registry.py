"""The registry of sequences: formats and gzip at the door, what is left out, records of one molecule."""

import gzip
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, User
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Invalid
from labhub.reports import Outcome
from labhub.sequences import commands, queries
from labhub.sequences.equivalence import Relation
from labhub.sequences.formats import read_records, to_embl
from labhub.sequences.models import ReferenceSequence, SequenceState, Visibility
from labhub.sequences.oligos import reverse_complement
from tests.factories import (
    bearer,
    make_actor,
    make_bases,
    make_genbank,
    make_laboratory,
    make_sequence,
    make_snapgene,
    make_user,
)

BASES = make_bases(300)


@pytest.fixture
def laboratory(app: Flask) -> Laboratory:
    return make_laboratory()


@pytest.fixture
def manager(laboratory: Laboratory) -> User:
    return make_user(Role.MANAGER, laboratory=laboratory)


def upload(client: FlaskClient, user: User, content: bytes, name: str, **fields: object) -> TestResponse:
    data = {"file": (BytesIO(content), name), **fields}
    return client.post("/api/v1/sequences", data=data, headers=bearer(user))


def all_records() -> list[ReferenceSequence]:
    return list(db.session.scalars(select(ReferenceSequence).order_by(ReferenceSequence.id)))


# Formats --------------------------------------------------------------------------------------


def test_each_format_comes_in_also_gzipped(manager: User, client: FlaskClient) -> None:
    embl = to_embl(read_records(BytesIO(make_genbank(BASES)), "genbank")).encode()
    files = {
        "a.gb": make_genbank(BASES),
        "a.embl": embl,
        "a.fa": b">a\n" + BASES.encode(),
        "a.dna": make_snapgene(BASES),
    }
    for name, content in files.items():
        for sent, sent_name in ((content, name), (gzip.compress(content), f"{name}.gz")):
            answer = upload(client, manager, sent, sent_name)
            assert answer.status_code == 201, answer.json
            assert answer.json["length_bp"] == 300
            assert answer.json["file_name"] == sent_name
            assert answer.json["topology"] == ("linear" if name == "a.fa" else "circular")
    assert upload(client, manager, make_snapgene(BASES), "x.dna").json["source_accession"] == "x"


@pytest.mark.req("D2", "D4")
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(make_genbank())[:-9], "a.gb.gz"),
        (make_genbank(), "a.gb.gz"),
        (gzip.compress(make_genbank()), "a.gb"),
        (gzip.compress(make_genbank()), "a.gz"),
        (gzip.compress(b"<html>"), "a.html.gz"),
        (gzip.compress(make_genbank()) + b"PK\3\4", "a.gb.gz"),
        (gzip.compress(gzip.compress(make_genbank())), "a.gb.gz"),
        (make_snapgene()[:-5], "a.dna"),
        (make_genbank(), "a.dna"),
        (make_snapgene(), "a.gb"),
    ],
)
def test_what_name_and_content_do_not_agree_on_is_refused(
    content: bytes, name: str, manager: User, client: FlaskClient
) -> None:
    answer = upload(client, manager, content, name)
    assert answer.status_code == 422
    assert not all_records()


@pytest.mark.req("D2")
def test_a_gzip_bomb_is_unpacked_no_further_than_the_limit(manager: User, client: FlaskClient) -> None:
    bomb = gzip.compress(b">a\n" + b"A" * (commands.MAX_UPLOAD_BYTES + 10))
    assert len(bomb) < 100_000
    assert upload(client, manager, bomb, "a.fa.gz").status_code == 413


# What is left out -----------------------------------------------------------------------------

MIXED = b">good1\nACGTACGT\n>protein\nMEFLIP\n>good2\nGGGGACGT\n>good1\nAAAA\n>nul\nAC\0GT\n"


def test_wrong_records_are_left_out_when_the_user_says_so(manager: User, client: FlaskClient) -> None:
    refused = upload(client, manager, MIXED, "mixed.fa")
    assert refused.status_code == 422
    assert not all_records()
    answer = upload(client, manager, MIXED, "mixed.fa", skip_bad="true")
    assert answer.status_code == 201, answer.json
    assert [(row["source_accession"], row["line"]) for row in answer.json["records"]] == [
        ("good1", 1),
        ("good2", 5),
    ]
    left_out = answer.json["left_out"]
    assert [(row["line"], row["name"]) for row in left_out] == [(3, "protein"), (7, "good1"), (9, "nul")]
    assert "protein" in left_out[0]["problems"][0]
    assert "already on line 1" in left_out[1]["problems"][0]
    assert "NUL" in left_out[2]["problems"][0]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "sequence.upload")).one()
    assert '"left_out":3' in entry.after


def test_file_of_nothing_but_wrong_records_is_refused_with_every_reason(
    manager: User, client: FlaskClient
) -> None:
    bad = b"".join(b">r%d\nACEF\n" % number for number in range(60))
    answer = upload(client, manager, bad, "bad.fa", skip_bad="true")
    assert answer.status_code == 422
    assert len(answer.json["errors"]) == commands.MAX_TOLD + 1
    assert not all_records()


def test_records_left_out_count_towards_the_limit(
    manager: User, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = b">good\nACGT\n" + b"".join(b">r%d\nACEF\n" % number for number in range(1_000))
    answer = upload(client, manager, many, "bad.fa", skip_bad="true")
    assert answer.status_code == 422
    assert not all_records()


def test_a_good_file_leaves_nothing_out(manager: User, client: FlaskClient) -> None:
    answer = upload(client, manager, make_genbank(BASES), "a.gb", skip_bad="true")
    assert (answer.status_code, answer.json["left_out"]) == (201, [])


@pytest.mark.shared
@pytest.mark.req("D8", "C1")
def test_no_broken_file_makes_an_error_of_the_hub(
    manager: User, client: FlaskClient, shared_data: Path
) -> None:
    for path in sorted((shared_data / "broken").rglob("*")):
        if not path.is_file():
            continue
        for skip_bad in ("false", "true"):
            answer = upload(client, manager, path.read_bytes(), path.name, skip_bad=skip_bad)
            assert answer.status_code in (201, 422), path.name
            if answer.status_code == 422:
                assert answer.json["errors"], path.name
                assert all(texts for texts in answer.json["errors"].values())
            else:
                assert answer.json["records"]


def test_import_tells_each_row(manager: User, laboratory: Laboratory, tmp_path: Path) -> None:
    path = tmp_path / "mixed.fa"
    path.write_bytes(MIXED)
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    with transaction(), pytest.raises(Invalid):
        commands.import_sequences(actor, path, dry_run=False)
    with transaction():
        report = commands.import_sequences(actor, path, dry_run=False, skip_bad=True)
    assert [(row.row, row.outcome) for row in report.rows] == [
        (1, Outcome.CREATED),
        (2, Outcome.SKIPPED),
        (3, Outcome.CREATED),
        (4, Outcome.SKIPPED),
        (5, Outcome.SKIPPED),
    ]
    assert "protein" in str(report.rows[1].errors["record"][0])
    with transaction():
        again = commands.import_sequences(actor, path, dry_run=False, skip_bad=True)
    assert [row.outcome for row in again.rows if row.outcome is not Outcome.SKIPPED] == [
        Outcome.UNCHANGED,
        Outcome.UNCHANGED,
    ]
    packed = tmp_path / "part.dna.gz"
    packed.write_bytes(gzip.compress(make_snapgene(BASES)))
    with transaction():
        report = commands.import_sequences(actor, packed, dry_run=False)
    assert all_records()[-1].accession == report.rows[0].key
    assert all_records()[-1].name == "part"


# One molecule ---------------------------------------------------------------------------------


def relations(client: FlaskClient, accession: str, user: User) -> list[tuple[str, str, bool]]:
    answer = client.get(f"/api/v1/sequences/{accession}", headers=bearer(user)).json
    return [(row["accession"], row["relation"], row["other_topology"]) for row in answer["equivalents"]]


def test_forms_of_one_molecule_are_linked_by_their_kind(manager: User, client: FlaskClient) -> None:
    backward = reverse_complement(BASES)
    forms = {
        "first": make_genbank(BASES, accession="first"),
        "same": make_genbank(BASES, accession="same"),
        "reverse": make_genbank(backward, accession="reverse"),
        "turned": make_genbank(BASES[77:] + BASES[:77], accession="turned"),
        "turned-reverse": make_genbank(backward[5:] + backward[:5], accession="turned-reverse"),
        "linear": make_genbank(BASES, accession="linear", topology="linear"),
        "other": make_genbank(make_bases(300, seed=9), accession="other"),
    }
    made = {name: upload(client, manager, file, "a.gb").json for name, file in forms.items()}
    numbers = {name: record["accession"] for name, record in made.items()}
    assert relations(client, numbers["first"], manager) == [
        (numbers["same"], "same", False),
        (numbers["reverse"], "reverse-complement", False),
        (numbers["turned"], "rotation", False),
        (numbers["turned-reverse"], "rotated-reverse-complement", False),
        (numbers["linear"], "same", True),
    ]
    assert relations(client, numbers["other"], manager) == []
    assert made["linear"]["records"][0]["same_bases"] == [numbers["first"], numbers["same"]]
    linear_rotation = make_genbank(BASES[50:] + BASES[:50], accession="cut", topology="linear")
    cut = upload(client, manager, linear_rotation, "a.gb").json
    kinds = {row["accession"]: row["relation"] for row in cut["equivalents"]}
    assert numbers["linear"] not in kinds  # two linear molecules that a rotation would make equal
    assert kinds[numbers["first"]] == "rotation"
    page = client.get(f"/sequences/{numbers['first']}")
    assert page.status_code == 404


@pytest.mark.shared
def test_real_circles_are_recognised(manager: User, client: FlaskClient, shared_data: Path) -> None:
    folder = shared_data / "sequences"
    numbers = {}
    for name in (
        "circular/CaMV_rot7280_circ.gb",
        "circular/CaMV_rc_circ.gb",
        "circular/CaMV_rot7280_lin.gb",
        "insdc/CaMV_V00141.1.fa",
    ):
        path = folder / name
        numbers[name] = upload(client, manager, path.read_bytes(), path.name).json["accession"]
    found = {
        number: (kind, other)
        for number, kind, other in relations(client, numbers["circular/CaMV_rot7280_circ.gb"], manager)
    }
    assert found == {
        numbers["circular/CaMV_rc_circ.gb"]: ("rotated-reverse-complement", False),
        numbers["circular/CaMV_rot7280_lin.gb"]: ("same", True),
        numbers["insdc/CaMV_V00141.1.fa"]: ("rotation", False),
    }


@pytest.mark.req("A2", "A5")
def test_no_relation_tells_of_a_record_whose_bases_are_closed(laboratory: Laboratory) -> None:
    manager = make_actor(Role.MANAGER, laboratory=laboratory)
    analyst = make_actor(Role.ANALYST, laboratory=laboratory)
    stranger = make_actor(Role.MANAGER, laboratory=make_laboratory())
    sealed = make_sequence(manager, bases=BASES, visibility=Visibility.SEALED)
    forms = [
        BASES,
        reverse_complement(BASES),
        BASES[9:] + BASES[:9],
        reverse_complement(BASES)[9:] + reverse_complement(BASES)[:9],
    ]
    for bases in forms:
        guess = make_sequence(stranger, bases=bases, accession=f"G{bases[:5]}")
        assert sealed.accession not in {each.accession for each in queries.equivalents(stranger, guess)}
        own = make_sequence(analyst, bases=bases, accession=f"O{bases[:5]}")
        assert sealed.accession not in {each.accession for each in queries.equivalents(analyst, own)}
        assert queries.equivalents(analyst, sealed) == []
        assert sealed.accession in {each.accession for each in queries.equivalents(manager, own)}
    assert queries.equivalents(Actor(), sealed) == []


def test_older_records_are_filled(laboratory: Laboratory) -> None:
    manager = make_actor(Role.MANAGER, laboratory=laboratory)
    first = make_sequence(manager, bases=BASES)
    second = make_sequence(manager, bases=reverse_complement(BASES), accession="RC1")
    with transaction() as session:
        session.execute(
            update(ReferenceSequence).values(
                canonical_digest=None, reverse_digest=None, canonical_strand=None
            )
        )
    db.session.expire_all()
    assert queries.equivalents(manager, first) == []
    with transaction():
        assert commands.fill_marks() == 2
        assert commands.fill_marks() == 0
    db.session.expire_all()
    (found,) = queries.equivalents(manager, first)
    assert (found.accession, found.relation) == (second.accession, Relation.REVERSE_COMPLEMENT)
    assert first.state is SequenceState.DRAFT
