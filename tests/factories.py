"""Plain functions that make valid records; a test names only what it is about."""

import re
from datetime import datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask, current_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from labhub import clock
from labhub.accounts import commands, queries
from labhub.accounts.actor import OPERATOR, VISITOR, Actor, Role, Scope
from labhub.accounts.models import Laboratory, Party, PartyStatus, StatusKind, User
from labhub.db import db, transaction
from labhub.file_kinds import FileKind
from labhub.forum import commands as forum
from labhub.forum.models import Discussion, Post, Topic
from labhub.lmos import commands as lmo_commands
from labhub.lmos import queries as lmo_queries
from labhub.lmos.models import Element, Lmo
from labhub.methods import capability_commands, verification_commands
from labhub.methods import commands as method_commands
from labhub.methods.models import (
    DetectionMethod,
    FileRole,
    MethodOrigin,
    MethodState,
    MethodVersion,
    Specificity,
    Technique,
)
from labhub.methods.network_models import Capability
from labhub.methods.review_models import MethodVerification
from labhub.samples import commands as samples
from labhub.samples.models import Case, Sample
from labhub.sequences import background_commands
from labhub.sequences import commands as sequence_commands
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.formats import read_records
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.storage import keep
from labhub.usage import commands as usage

_numbers = count(1)
PASSWORD = "correct horse battery 9"


def make_party(iso2: str = "KE", *, status: StatusKind = StatusKind.PARTY) -> Party:
    """Return the Party with this code, made on first use."""
    with transaction():
        party = db.session.query(Party).filter_by(iso2=iso2).one_or_none()
        if party is None:
            name = {"KE": "Kenya", "BR": "Brazil", "FR": "France"}.get(iso2, f"Party {iso2}")
            names = {f"name_{language}": name for language in ("en", "fr", "es", "zh", "ar", "ru")}
            party = Party(iso2=iso2, iso3=iso2 + "X", **names)
            party.statuses.append(PartyStatus(status=status))
            db.session.add(party)
    return party


def make_laboratory(code: str | None = None, *, party: Party | None = None) -> Laboratory:
    """Return a new laboratory of ``party`` (Kenya)."""
    party = party or make_party()
    code = code or f"LAB-{next(_numbers)}"
    with transaction():
        return commands.create_laboratory(OPERATOR, code=code, name=f"Laboratory {code}", party=party)


def make_user(
    *roles: Role,
    party: Party | None = None,
    laboratory: Laboratory | None = None,
    email: str | None = None,
    name: str | None = None,
    password: str | None = None,
    organisation: str = "",
    language: str = "en",
) -> User:
    """Return a new person with ``roles``, of ``party`` (Kenya) unless ``organisation`` is given."""
    number = next(_numbers)
    party = None if organisation else (party or make_party())
    with transaction():
        user = commands.create_user(
            OPERATOR,
            email=email or f"person{number}@example.org",
            name=name or f"Person {number}",
            party=party,
            organisation=organisation,
            language=language,
            password=password,
        )
        for role in roles:
            commands.grant_role(OPERATOR, user, role, laboratory=laboratory, party=party)
    return user


def make_actor(*roles: Role, **who: object) -> Actor:
    """Return the actor of a new person with ``roles``."""
    return queries.actor_of(make_user(*roles, **who))  # type: ignore[arg-type]


def make_token(user: User, scope: Scope = Scope.WRITE) -> str:
    """Return a new bearer token of ``user``."""
    with transaction():
        _row, secret = commands.create_token(OPERATOR, name="test", scope=scope, user=user)
    return secret


def bearer(user: User, scope: Scope = Scope.WRITE) -> dict[str, str]:
    """Return the request headers of a script that acts for ``user``."""
    return {"Authorization": f"Bearer {make_token(user, scope)}"}


def today() -> str:
    """Return the hub's present day."""
    return clock.now().date().isoformat()


def make_citable_version(
    code: str | None = None, number: int = 1, state: MethodState = MethodState.PUBLISHED
) -> MethodVersion:
    """Return a version of a compiled method that results can cite; the method is made on first use."""
    code = code or f"QT-EVE-ZM-{next(_numbers):03d}"
    with transaction():
        method = db.session.query(DetectionMethod).filter_by(code=code).one_or_none()
        if method is None:
            method = DetectionMethod(
                code=code,
                code_key=code.casefold(),
                source_code=code,
                origin=MethodOrigin.COMPILED,
                created_at=clock.now(),
            )
        version = MethodVersion(
            method=method,
            number=number,
            state=state,
            title=f"Quantification by {code}",
            specificity=next(iter(Specificity)),
            technique=next(iter(Technique)),
            quantitative=True,
            created_at=clock.now(),
            changed_at=clock.now(),
            published_at=clock.now(),
            content_hash="0" * 64,
        )
        db.session.add(version)
    return version


def make_case(actor: Actor, **fields: object) -> Case:
    """Return a new case of Kenya that ``actor`` opens."""
    with transaction():
        given: dict[str, Any] = {"title": "Maize at the port", "party": "KE", **fields}
        return samples.open_case(actor, **given)


def make_sample(actor: Actor, case: Case, **fields: object) -> Sample:
    """Return a new sample of ``case``, taken an hour ago."""
    with transaction():
        given: dict[str, Any] = {
            "label": f"S-{next(_numbers)}",
            "taken_at": clock.now() - timedelta(hours=1),
            **fields,
        }
        return samples.register_sample(actor, case=case.id, **given)


# Sequences


def make_bases(length_bp: int = 300, *, seed: int = 1) -> str:
    """Return bases that no other seed gives, the same each time."""
    return "".join(Random(seed).choices("ACGT", k=length_bp))


def make_genbank(
    bases: str | None = None,
    *,
    accession: str = "AB123456",
    title: str = "P-35S of a vector",
    organism: str = "Cauliflower mosaic virus",
    topology: str = "circular",
) -> bytes:
    """Return a GenBank file of one record with two features, one across the origin where it is circular."""
    bases = bases or make_bases()
    far = f"join({len(bases) - 4}..{len(bases)},1..5)" if topology == "circular" else "1..5"
    lines = [
        f"LOCUS       {accession:<16} {len(bases):>11} bp    DNA     {topology:<8} SYN 01-JAN-2020",
        f"DEFINITION  {title}.",
        f"ACCESSION   {accession}",
        f"VERSION     {accession}.1",
        f"SOURCE      {organism}",
        f"  ORGANISM  {organism}",
        "FEATURES             Location/Qualifiers",
        "     promoter        11..60",
        '                     /label="P-35S"',
        f"     misc_feature    complement({far})",
        '                     /note="far end"',
        "ORIGIN",
    ]
    for start in range(0, len(bases), 60):
        row = bases[start : start + 60].lower()
        lines.append(
            f"{start + 1:>9} " + " ".join(row[place : place + 10] for place in range(0, len(row), 10))
        )
    return ("\n".join([*lines, "//"]) + "\n").encode()


def snapgene_packet(kind: int, content: bytes) -> bytes:
    """Return a packet of a SnapGene file."""
    return bytes([kind]) + len(content).to_bytes(4, "big") + content


def make_snapgene(
    bases: str | None = None,
    *,
    circular: bool = True,
    features: str = "",
    primers: str = "",
    notes: str = "",
    kind: int = 1,
) -> bytes:
    """Return a SnapGene file; ``features`` and ``primers`` are the XML inside of their packets."""
    letters = (make_bases() if bases is None else bases).encode("latin-1")
    packets = [
        (0x09, b"SnapGene" + kind.to_bytes(2, "big") + b"\0\x0f\0\x13"),
        (0x00, bytes([int(circular)]) + letters if letters else b""),
        (0x03, b"what no reader knows"),
    ]
    if features:
        packets.append((0x0A, f'<?xml version="1.0"?><Features>{features}</Features>'.encode()))
    if primers:
        packets.append((0x05, f'<?xml version="1.0"?><Primers>{primers}</Primers>'.encode()))
    if notes:
        packets.append((0x06, notes.encode()))
    return b"".join(snapgene_packet(number, content) for number, content in packets)


def make_sequence(
    actor: Actor,
    *,
    bases: str | None = None,
    visibility: Visibility = Visibility.PUBLIC,
    title: str = "P-35S of a vector",
    accession: str = "AB123456",
    lmo: str = "",
    element: str = "",
    **more: Any,
) -> ReferenceSequence:
    """Return a draft of the actor's laboratory; ``more`` are other ``Details``."""
    content = make_genbank(bases, accession=accession, title=title)
    with transaction():
        (made,) = sequence_commands.upload_sequences(
            actor,
            read_records(BytesIO(content), "genbank"),
            file_name="part.gb",
            file_kind="genbank",
            keep_file=None,
            details=sequence_commands.Details(visibility=visibility, lmo=lmo, element=element, **more),
        )
    return made


def make_published_sequence(manager: Actor, reviewer: Actor, **record: Any) -> ReferenceSequence:
    """Return a record that ``manager`` made and submitted and ``reviewer`` published."""
    made = make_sequence(manager, **record)
    with transaction():
        sequence_commands.submit_sequence(manager, made.accession)
    with transaction():
        return sequence_commands.publish_sequence(reviewer, made.accession)


def make_background(
    app: Flask, path: Path, *, name: str = "Background", circular: bool = False, **known: str
) -> BackgroundGenome:
    """Return a background genome made of a file."""
    folder = app.extensions["labhub.config"].backgrounds
    with background_commands.packed_genome(folder, path, circular=circular) as packed, transaction():
        return background_commands.add_genome(OPERATOR, packed, folder=folder, name=name, **known).genome


# Discussions


def make_discussion(actor: Actor | None = None, **fields: object) -> Discussion:
    """Return a new discussion that opened an hour ago and closes in a week."""
    given: dict[str, Any] = {
        "title": "Detection of stacked events",
        "opens_at": clock.now() - timedelta(hours=1),
        "closes_at": clock.now() + timedelta(days=7),
        **fields,
    }
    with transaction():
        return forum.create_discussion(actor or OPERATOR, **given)


def make_topic(discussion: Discussion | None = None, actor: Actor | None = None, **fields: object) -> Topic:
    """Return a new topic with guiding questions by a new person of the Secretariat."""
    discussion = discussion or make_discussion()
    actor = actor or make_actor(Role.SECRETARIAT, organisation="Secretariat")
    given: dict[str, Any] = {"title": "Guiding questions", "text": "Which methods do you use?", **fields}
    with transaction():
        return forum.create_topic(actor, discussion.id, **given)


def make_post(topic: Topic | None = None, actor: Actor | None = None, **fields: object) -> Post:
    """Return a new post by a new participant; its text is no other post's."""
    topic = topic or make_topic()
    actor = actor or make_actor(Role.PARTICIPANT)
    given: dict[str, Any] = {"text": f"We use method {next(_numbers)}.", **fields}
    with transaction():
        return forum.create_post(actor, topic.id, **given)


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def make_use(
    actor: Actor = VISITOR,
    *,
    at: datetime | None = None,
    kind: str = "method",
    item: int = 1,
    version: str = "1",
    file: str = "json",
    agent: str = BROWSER,
    address: str = "192.0.2.1",
    status: int = 200,
) -> None:
    """Write one download of ``LH-1`` into the ledger."""
    visit = usage.Visit(actor, address, agent, "request-1")
    used = usage.UsedItem(kind, item, f"LH-{item}", version, file, None)
    spool = current_app.extensions["labhub.usage_spool"]
    assert usage.record_use(used, visit, status, secret="s" * 32, spool=spool, at=at)
    db.session.rollback()  # what was read before is read again


def make_element(name: str = "P-35S", *, kind: str = "promoter", **fields: object) -> Element:
    """Return a new element."""
    with transaction():
        return lmo_commands.create_element(OPERATOR, {"name": name, "kind": kind, **fields})


def make_lmo(event: str | None = None, **fields: object) -> Lmo:
    """Return a new LMO; ``fields`` have the shape of the export, elements of claims are made on first use."""
    for claim in fields.get("claims", []):  # type: ignore[attr-defined]
        if lmo_queries.match_element(claim["element"]) is None:
            make_element(claim["element"])
    with transaction():
        return lmo_commands.create_lmo(OPERATOR, {"event": event or f"EVENT{next(_numbers)}", **fields})


# Methods


def method_content(**fields: object) -> dict[str, Any]:
    """Return a method as it is sent: complete but for the SOP; ``fields`` replace its own."""
    return {
        "title": "Event-specific qPCR: maize event MON810",
        "specificity": "event",
        "target": "maize event MON810",
        "targets": ["MON810"],
        "taxon": {"scientific": "Zea mays", "common": "maize"},
        "technique": "qpcr",
        "chemistry": "TaqMan",
        "quantitative": True,
        "oligos": [
            {
                "role": role,
                "name": f"oligo-{role}",
                "sequence": sequence,
                "label5": "FAM" if role == "probe" else None,
                "label3": "TAMRA" if role == "probe" else None,
                "final_concentration_nanomolar": 300,
            }
            for role, sequence in (
                ("forward", "TCGAAGGACGAAGGACTCTAACG"),
                ("reverse", "GCCACCTTCCTTTTCCACTATCTT"),
                ("probe", "AACATCCTTTGCCATTGCCCAGC"),
            )
        ],
        "amplicon_bp": 92,
        "amplicon_accession": "AF434709",
        "reference_method": "QT-TAX-ZM-002",
        "calibrant": "ERM-BF413, JRC",
        "reaction_microlitre": 25,
        "template_nanogram": 100,
        "thermal_profile": "95 °C 10 min; 45 cycles of 95 °C 15 s, 60 °C 60 s",
        "reagents": "Universal master mix",
        "matrices": ["maize flour"],
        "licence": "CC BY 4.0",
        "rights": ["free-for-regulators"],
        "validation": {"lod_percent": 0.02, "slope": -3.4, "r2": 0.998},
        "lmo_unique_identifiers": ["MON-00810-6"],
        **fields,
    }


def make_sop(actor: Actor, code: str, *, name: str = "sop.pdf", content: bytes = b"%PDF-1.4\n%%EOF\n") -> int:
    """Add an SOP to the draft ``code`` and return the number of the file."""
    incoming = current_app.extensions["labhub.incoming"]
    path, stored = incoming.receive(BytesIO(content), 1 << 20)
    with transaction():
        row = keep(current_app.extensions["labhub.store"], path, stored)
        file = method_commands.ReceivedFile(row, name, FileKind.PDF)
        made = method_commands.add_file(actor, code, file, FileRole.SOP)
    path.unlink()
    return made.id


def make_method(
    *, actor: Actor | None = None, state: str = "draft", reviewer: Actor | None = None, **fields: object
) -> MethodVersion:
    """Return a new method of the laboratory of ``actor`` (a new manager), brought to ``state``."""
    actor = actor or make_actor(Role.MANAGER, laboratory=make_laboratory())
    with transaction():
        version = method_commands.create_method(actor, method_content(**fields))
    code = version.method.code
    if state != "draft":
        make_sop(actor, code)
        with transaction():
            version = method_commands.submit(actor, code)
    if state in ("in-review", "published"):
        reviewer = reviewer or make_actor(Role.REVIEWER)
        with transaction():
            version = method_commands.start_review(reviewer, code)
    if state == "published":
        assert reviewer is not None
        with transaction():
            version = method_commands.publish(reviewer, code)
    return version


def make_second_version(actor: Actor, code: str, **fields: object) -> MethodVersion:
    """Publish the next version of a method of the actor's laboratory, with other ``fields``."""
    with transaction():
        draft = method_commands.new_version(actor, code, "Better words")
    with transaction():
        method_commands.change_draft(actor, code, fields, expected=draft.edition)
    with transaction():
        method_commands.submit(actor, code)
    with transaction():
        return method_commands.publish(make_actor(Role.REVIEWER), code)


def csrf_token(client: FlaskClient) -> str:
    """Return the token that the forms of this browser carry now."""
    page = client.get("/account" if client.get("/account").status_code == 200 else "/sign-in").text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def submit(client: FlaskClient, path: str, **fields: object) -> TestResponse:
    """Submit a form of the site as this browser."""
    return client.post(path, data={"csrf_token": csrf_token(client), **fields})


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD) -> TestResponse:
    """Sign this browser in through the page."""
    return submit(client, "/sign-in", email=email, password=password)


def browser_of(app: Flask, user: User) -> FlaskClient:
    """Return a browser in which ``user`` (who has ``PASSWORD``) is signed in."""
    client = app.test_client()
    assert sign_in(client, user.email).status_code == 303
    return client


def verification_content(**fields: object) -> dict[str, Any]:
    """Return a verification as it is sent; ``fields`` replace those of its study."""
    study = {
        "year": 2026,
        "unit": "% m/m",
        "slope": -3.4,
        "r2": 0.995,
        "lod_copies": 8,
        "levels": [{"label": "1 %", "assigned": 1, "mean": 1.1, "bias_percent": 10, "rsdr_percent": 12}],
        **fields,
    }
    return {
        "outcome": "performs-as-validated",
        "matrices": ["maize flour", "seed"],
        "instrument": "QuantStudio 5",
        "study": study,
    }


def make_verification(
    version: MethodVersion, *, manager: Actor | None = None, state: str = "published", **fields: object
) -> MethodVerification:
    """Return a verification of a published version by the laboratory of ``manager`` (a new one)."""
    manager = manager or make_actor(Role.MANAGER, laboratory=make_laboratory())
    with transaction():
        row = verification_commands.create_verification(
            manager, version.method.code, verification_content(**fields), number=version.number
        )
    if state == "published":
        with transaction():
            row = verification_commands.publish_verification(manager, version.method.code, row.id)
    return row


def make_capability(method: str, actor: Actor | None = None, **fields: object) -> Capability:
    """Return the entry of a laboratory (a new one, of a new manager) that it runs a published method."""
    actor = actor or make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = queries.own_laboratories(actor)[0].code
    with transaction():
        return capability_commands.add_capability(actor, code, {"method": method, **fields})
