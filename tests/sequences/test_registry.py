"""The registry of sequences: formats and gzip at the door, what is left out, records of one molecule."""

import gzip
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from labhub.accounts.actor import Actor, Role
from labhub.accounts.models import Laboratory, User
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid
from labhub.lmos.taxa_models import TaxonName, TaxonNameKind
from labhub.names import name_key
from labhub.reports import Outcome
from labhub.sequences import commands, queries
from labhub.sequences.equivalence import Relation
from labhub.sequences.formats import read_records, to_embl
from labhub.sequences.models import ReferenceSequence, SequenceState, Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.usage.models import UsageEvent
from tests.factories import (
    bearer,
    make_actor,
    make_bases,
    make_element,
    make_genbank,
    make_laboratory,
    make_lmo,
    make_method,
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


# Links ----------------------------------------------------------------------------------------


def test_a_record_names_several_lmos_elements_and_methods(manager: User, client: FlaskClient) -> None:
    first, second = make_lmo(), make_lmo()
    one, other = make_element("P-35S"), make_element("T-nos")
    method = make_method(state="published").method
    answer = upload(
        client,
        manager,
        make_genbank(BASES),
        "a.gb",
        lmos=[first.event, second.event],
        elements=[one.name, other.name],
        methods=[method.code.lower()],
        source="Own sequencing",
    )
    assert answer.status_code == 201, answer.json
    record = answer.json
    assert (record["lmo"], record["element"]) == (first.slug, one.name)
    assert record["lmos"] == [first.slug, second.slug]
    assert record["elements"] == [one.name, other.name]
    assert record["methods"] == [method.code]
    assert record["source"] == "Own sequencing"
    address = f"/api/v1/sequences/{record['accession']}"
    for name, value in (("lmo", second.event), ("element", other.name), ("method", method.code)):
        listed = client.get(f"/api/v1/sequences?{name}={value}", headers=bearer(manager)).json
        assert [row["accession"] for row in listed] == [record["accession"]], name
    changed = client.patch(
        address,
        json={"lmos": [second.event, first.event, second.event], "elements": [], "methods": []},
        headers={**bearer(manager), "If-Match": answer.headers["ETag"]},
    )
    assert changed.status_code == 200, changed.json
    assert changed.json["lmos"] == [second.slug, first.slug]
    assert changed.json["lmo"] == second.slug
    assert (changed.json["element"], changed.json["elements"], changed.json["methods"]) == (None, [], [])
    one_again = client.patch(
        address,
        json={"lmo": first.event},
        headers={**bearer(manager), "If-Match": changed.headers["ETag"]},
    )
    assert one_again.json["lmos"] == [first.slug]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"lmos": ["no such event"]}, "lmos"),
        ({"elements": ["no such element"]}, "elements"),
        ({"methods": ["NO-SUCH"]}, "methods"),
        ({"methods": ["' OR 1=1"]}, "methods"),
        ({"lmos": ["x"] * 51}, "lmos"),
        ({"lmo": "a", "lmos": ["b"]}, "lmos"),
        ({"supersedes": "LHS-99"}, "supersedes"),
    ],
)
def test_a_link_to_nothing_is_refused(
    fields: dict[str, object], wrong: str, manager: User, client: FlaskClient
) -> None:
    answer = upload(client, manager, make_genbank(BASES), "a.gb", **fields)
    assert answer.status_code == 422
    assert any(name.startswith(wrong) for name in answer.json["errors"])
    assert not all_records()


@pytest.mark.req("A2")
def test_a_draft_of_a_method_is_not_told_to_others(
    laboratory: Laboratory, manager: User, client: FlaskClient
) -> None:
    draft = make_method(actor=make_actor(Role.MANAGER, laboratory=laboratory)).method
    stranger = make_user(Role.MANAGER, laboratory=make_laboratory())
    assert upload(client, stranger, make_genbank(BASES), "a.gb", methods=[draft.code]).status_code == 422
    record = upload(client, manager, make_genbank(BASES), "a.gb", methods=[draft.code]).json
    assert record["methods"] == [draft.code]
    number = publish(record["accession"], laboratory)
    assert client.get(f"/api/v1/sequences/{number}", headers=bearer(manager)).json["methods"] == [draft.code]
    assert client.get(f"/api/v1/sequences/{number}").json["methods"] == []
    assert draft.code not in client.get(f"/sequences/{number}").text


def test_taxon_is_reconciled_and_found_by_every_name(manager: User, client: FlaskClient) -> None:
    with transaction() as session:
        for name, kind in (("Zea mays", "scientific"), ("maize", "common")):
            session.add(
                TaxonName(scientific="Zea mays", name=name, name_key=name_key(name), kind=TaxonNameKind(kind))
            )
    content = make_genbank(BASES, organism="Zea mays cultivar B73")
    answer = upload(client, manager, content, "a.gb")
    assert (answer.json["organism"], answer.json["taxon"]) == ("Zea mays cultivar B73", "Zea mays")
    for taxon in ("maize", "Zea mays", "B73", "MAIZE"):
        found = client.get(f"/api/v1/sequences?taxon={taxon}", headers=bearer(manager)).json
        assert len(found) == 1, taxon
    address = f"/api/v1/sequences/{answer.json['accession']}"
    version = {**bearer(manager), "If-Match": answer.headers["ETag"]}
    refused = client.patch(address, json={"taxon": "Zea maize"}, headers=version)
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["taxon"])
    changed = client.patch(address, json={"organism": "Unknown plant"}, headers=version).json
    assert (changed["organism"], changed["taxon"]) == ("Unknown plant", "")
    version["If-Match"] = client.get(address, headers=bearer(manager)).headers["ETag"]
    given = client.patch(address, json={"taxon": "Maize", "molecule_type": "ds-DNA"}, headers=version).json
    assert (given["taxon"], given["molecule_type"]) == ("Zea mays", "ds-DNA")
    version["If-Match"] = client.get(address, headers=bearer(manager)).headers["ETag"]
    assert client.patch(address, json={"molecule_type": "mRNA"}, headers=version).status_code == 422


# Versions -------------------------------------------------------------------------------------


def publish(accession: str, laboratory: Laboratory) -> str:
    with transaction():
        commands.submit_sequence(make_actor(Role.MANAGER, laboratory=laboratory), accession)
    with transaction():
        commands.publish_sequence(make_actor(Role.REVIEWER), accession)
    return accession


@pytest.mark.req("G4")
def test_a_new_record_replaces_a_published_one(
    laboratory: Laboratory, manager: User, client: FlaskClient
) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    old = publish(make_sequence(actor, bases=BASES).accession, laboratory)
    draft = upload(client, manager, make_genbank(BASES + "A"), "b.gb", supersedes=old).json
    assert (draft["supersedes"], draft["superseded_by"]) == (old, None)
    before = client.get(f"/api/v1/sequences/{old}").json
    assert (before["state"], before["superseded_by"]) == ("published", None)
    new = publish(draft["accession"], laboratory)
    after = client.get(f"/api/v1/sequences/{old}")
    assert (after.status_code, after.json["state"], after.json["superseded_by"]) == (200, "superseded", new)
    assert client.get(f"/api/v1/sequences/{new}").json["supersedes"] == old
    assert client.get(f"/api/v1/sequences/{old}/download").status_code == 200
    assert new in client.get(f"/sequences/{old}").text
    assert "Superseded" in client.get(f"/sequences/{old}").text
    assert old in client.get(f"/sequences/{new}").text
    assert client.get("/api/v1/sequences/AB123456").json["accession"] == new
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "sequence.publish")).all()[-1]
    assert f'"supersedes":"{old}"' in entry.after


def test_a_record_is_replaced_once(laboratory: Laboratory) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    old = publish(make_sequence(actor, bases=BASES).accession, laboratory)
    drafts = []
    for number in range(2):
        draft = make_sequence(actor, bases=BASES + "A" * (number + 1))
        with transaction():
            commands.change_sequence(
                actor, draft.accession, {"supersedes": old}, expected_version=draft.row_version
            )
        drafts.append(draft.accession)
    publish(drafts[0], laboratory)
    with pytest.raises(Conflict, match="no longer published"):
        publish(drafts[1], laboratory)
    db.session.expire_all()
    states = {row.accession: row.state for row in all_records()}
    assert states[old] is SequenceState.SUPERSEDED
    assert states[drafts[1]] is SequenceState.SUBMITTED


def test_only_a_published_record_of_the_same_laboratory_is_replaced(laboratory: Laboratory) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    other_laboratory = make_laboratory()
    stranger = make_actor(Role.MANAGER, laboratory=other_laboratory)
    theirs = publish(make_sequence(stranger, bases=BASES).accession, other_laboratory)
    own_draft = make_sequence(actor, bases=BASES + "C").accession
    draft = make_sequence(actor, bases=BASES + "G")
    for wrong in (theirs, own_draft, draft.accession, "LHS-999"):
        with pytest.raises(Invalid), transaction():
            commands.change_sequence(
                actor, draft.accession, {"supersedes": wrong}, expected_version=draft.row_version
            )


@pytest.mark.req("A2")
def test_a_successor_that_the_reader_may_not_see_is_not_named(
    laboratory: Laboratory, manager: User, client: FlaskClient
) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    old = publish(make_sequence(actor, bases=BASES).accession, laboratory)
    draft = upload(
        client, manager, make_genbank(BASES + "A"), "b.gb", supersedes=old, visibility="laboratory"
    ).json
    publish(draft["accession"], laboratory)
    shown = client.get(f"/api/v1/sequences/{old}").json
    assert (shown["state"], shown["superseded_by"]) == ("superseded", None)
    assert draft["accession"] not in client.get(f"/sequences/{old}").text


# Downloads of a selection, and maps -----------------------------------------------------------


def test_the_whole_selection_is_one_file(laboratory: Laboratory, client: FlaskClient) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    numbers = [
        publish(make_sequence(actor, bases=make_bases(90, seed=seed)).accession, laboratory)
        for seed in (1, 2, 3)
    ]
    make_sequence(actor, bases=make_bases(90, seed=4))
    sealed = make_sequence(actor, bases=make_bases(90, seed=5), visibility=Visibility.SEALED)
    for form in ("genbank", "embl", "fasta"):
        answer = client.get(f"/api/v1/sequences/download?format={form}&q=P-35S")
        assert answer.status_code == 200
        assert [record.accession for record in read_records(BytesIO(answer.data), form)] == numbers
    assert db.session.scalar(select(func.count()).select_from(UsageEvent)) == 9
    assert client.get("/api/v1/sequences/download?q=nothing-like-it").status_code == 404
    manager = make_user(Role.MANAGER, laboratory=laboratory)
    own = client.get("/api/v1/sequences/download", headers=bearer(manager))
    assert (own.headers["X-Records"], own.headers["X-Left-Out"]) == ("4", "1")
    assert sealed.accession not in own.text
    assert make_bases(90, seed=5)[:12] not in own.text.upper().replace("\n", "")


def test_too_large_a_selection_is_refused(
    laboratory: Laboratory, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    for seed in (1, 2):
        publish(make_sequence(actor, bases=make_bases(90, seed=seed)).accession, laboratory)
    monkeypatch.setattr(queries, "MOST_IN_ONE_FILE", 1)
    assert client.get("/api/v1/sequences/download").status_code == 413


FORWARD, REVERSE = BASES[100:120], reverse_complement(BASES[200:222])
PROBE = BASES[150:172]


def make_pcr_method() -> str:
    oligos = [
        {
            "role": role,
            "name": role,
            "sequence": sequence,
            "label5": "FAM" if role == "probe" else None,
            "label3": "TAMRA" if role == "probe" else None,
            "final_concentration_nanomolar": 300,
        }
        for role, sequence in (("forward", FORWARD), ("reverse", REVERSE), ("probe", PROBE))
    ]
    made = make_method(state="published", amplicon_bp=122, amplicon=BASES[100:222], oligos=oligos)
    return made.method.code


def test_map_shows_features_and_products_of_chosen_methods(
    laboratory: Laboratory, client: FlaskClient
) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    number = publish(make_sequence(actor, bases=BASES).accession, laboratory)
    code = make_pcr_method()
    for address in (f"/api/v1/sequences/{number}/map.svg", f"/sequences/{number}/map.svg"):
        plain = client.get(address)
        assert plain.status_code == 200
        assert plain.content_type.startswith("image/svg+xml")
        assert "sandbox" in plain.headers["Content-Security-Policy"]
        assert "P-35S: promoter, 11 to 60" in plain.text
        assert "Product of" not in plain.text
        with_method = client.get(f"{address}?methods={code}&width=340")
        assert f"Product of {code}: 101 to 222, 122 bp, strand +" in with_method.text
        assert 'width="340"' in with_method.text
        assert client.get(f"{address}?methods=NO-SUCH").status_code == 422
        assert client.get(f"{address}?methods={','.join(f'M{n}' for n in range(21))}").status_code == 422
    page = client.get(f"/sequences/{number}?methods={code}").text
    assert 'href="#product-1"' in page
    assert 'id="product-1"' in page
    assert 'href="#feature-1"' in page
    assert 'id="feature-1"' in page
    wrong = client.get(f"/sequences/{number}?methods=NO-SUCH")
    assert wrong.status_code == 422
    assert "There is no method NO-SUCH" in wrong.text
    assert 'href="#feature-1"' in wrong.text


def test_linked_methods_are_on_the_map_of_the_page(
    laboratory: Laboratory, manager: User, client: FlaskClient
) -> None:
    code = make_pcr_method()
    record = upload(client, manager, make_genbank(BASES), "a.gb", methods=[code]).json
    number = publish(record["accession"], laboratory)
    assert f"Product of {code}" in client.get(f"/sequences/{number}").text
    assert f"Product of {code}" not in client.get(f"/sequences/{number}?methods=").text


@pytest.mark.req("A5")
def test_sealed_records_have_no_map_for_others(
    laboratory: Laboratory, manager: User, client: FlaskClient
) -> None:
    actor = make_actor(Role.MANAGER, laboratory=laboratory)
    sealed = make_sequence(actor, bases=BASES, visibility=Visibility.SEALED).accession
    code = make_pcr_method()
    analyst = make_user(Role.ANALYST, laboratory=laboratory)
    stranger = make_user(Role.MANAGER, laboratory=make_laboratory())
    address = f"/api/v1/sequences/{sealed}/map.svg?methods={code}"
    assert client.get(address).status_code == 404
    assert client.get(address, headers=bearer(stranger)).status_code == 404
    assert client.get(address, headers=bearer(analyst)).status_code == 403
    assert client.get(address, headers=bearer(manager)).status_code == 200
