"""Who sees which reference sequence, and who sees its bases."""

from io import BytesIO

import pytest
from flask import Flask

from labhub.accounts.actor import Actor, Role
from labhub.db import db, transaction
from labhub.errors import NotFound
from labhub.sequences import commands, queries
from labhub.sequences.formats import ParsedRecord, read_records
from labhub.sequences.models import ReferenceSequence, SequenceState, Visibility
from labhub.sequences.records import DownloadFormat, shown_message, stored_message, written
from tests.factories import make_actor, make_genbank, make_laboratory, make_published_sequence, make_sequence

PEOPLE = (
    "visitor",
    "participant",
    "analyst",
    "manager",
    "other-analyst",
    "focal-point",
    "reviewer",
    "moderator",
    "secretariat",
    "administrator",
)
NETWORK = {"analyst", "manager", "other-analyst", "focal-point", "reviewer", "secretariat"}
OWN = {"analyst", "manager"}
DRAFT, SUBMITTED, PUBLISHED, WITHDRAWN = (
    SequenceState.DRAFT,
    SequenceState.SUBMITTED,
    SequenceState.PUBLISHED,
    SequenceState.WITHDRAWN,
)


@pytest.fixture
def people(app: Flask) -> dict[str, Actor]:
    laboratory = make_laboratory()
    found = {
        name: make_actor(Role(name))
        for name in ("participant", "focal-point", "reviewer", "moderator", "secretariat", "administrator")
    }
    return {
        "visitor": Actor(),
        "analyst": make_actor(Role.ANALYST, laboratory=laboratory),
        "manager": make_actor(Role.MANAGER, laboratory=laboratory),
        "other-analyst": make_actor(Role.ANALYST, laboratory=make_laboratory()),
        **found,
    }


def make_in_state(
    people: dict[str, Actor], visibility: Visibility, state: SequenceState
) -> ReferenceSequence:
    manager, reviewer = people["manager"], people["reviewer"]
    if state is DRAFT:
        return make_sequence(manager, visibility=visibility)
    if state is SUBMITTED:
        made = make_sequence(manager, visibility=visibility)
        with transaction():
            return commands.submit_sequence(manager, made.accession)
    made = make_published_sequence(manager, reviewer, visibility=visibility)
    if state is WITHDRAWN:
        with transaction():
            commands.withdraw_sequence(manager, made.accession, "Old.")
    return made


@pytest.mark.req("A2")
@pytest.mark.parametrize(
    ("visibility", "state", "who"),
    [
        (Visibility.PUBLIC, DRAFT, OWN),
        (Visibility.NETWORK, DRAFT, OWN),
        (Visibility.LABORATORY, DRAFT, OWN),
        (Visibility.SEALED, DRAFT, OWN),
        (Visibility.PUBLIC, SUBMITTED, OWN | {"reviewer", "secretariat"}),
        (Visibility.NETWORK, SUBMITTED, OWN | {"reviewer", "secretariat"}),
        (Visibility.LABORATORY, SUBMITTED, OWN | {"reviewer", "secretariat"}),
        (Visibility.PUBLIC, PUBLISHED, set(PEOPLE)),
        (Visibility.NETWORK, PUBLISHED, NETWORK),
        (Visibility.LABORATORY, PUBLISHED, OWN),
        (Visibility.PUBLIC, WITHDRAWN, set(PEOPLE)),
        (Visibility.NETWORK, WITHDRAWN, NETWORK),
        (Visibility.LABORATORY, WITHDRAWN, OWN),
    ],
)
def test_record_is_seen_by(
    visibility: Visibility, state: SequenceState, who: set[str], people: dict[str, Actor]
) -> None:
    made = make_in_state(people, visibility, state)
    for name in PEOPLE:
        actor = people[name]
        listed = db.session.execute(queries.listed_sequences(actor)).all()
        assert (len(listed) == 1) == (name in who), name
        if name in who:
            assert queries.find_sequence(actor, made.accession).id == made.id
            open_to = visibility is not Visibility.SEALED or name == "manager"
            assert queries.may_see_bases(actor, made) == open_to
        else:
            with pytest.raises(NotFound):
                queries.find_sequence(actor, made.accession)


def test_missing_accession_is_not_found_whatever_it_holds(app: Flask) -> None:
    for accession in ("LHS-1", "", " ", "a\x00b", "ﬀ", "x" * 500, "%", "1.", ".1", "A.b"):
        with pytest.raises(NotFound):
            queries.find_sequence(None, accession)


def test_ends_are_the_first_and_last_bases(people: dict[str, Actor]) -> None:
    bases = "A" * 150 + "C" * 50 + "G" * 150
    made = make_sequence(people["manager"], bases=bases)
    assert queries.ends_of(people["analyst"], made) == ("A" * 120, "G" * 120)
    short = make_sequence(people["manager"], bases="ACGT" * 20)
    assert queries.ends_of(people["analyst"], short) == ("ACGT" * 20, "")


def test_remarks_of_the_reader_are_shown_in_words() -> None:
    content = make_genbank(topology="linear").replace(b" linear ", b"        ")
    (record,) = read_records(BytesIO(content), "genbank")
    (message,) = record.warnings
    assert str(shown_message(stored_message(message))) == str(message)


@pytest.mark.parametrize("form", list(DownloadFormat))
def test_long_words_and_other_scripts_are_written_and_read_back(form: DownloadFormat) -> None:
    record = ParsedRecord(
        "LHS-7", "", "LHS-7", "玉米 border of maïs", "circular", "DNA", "Zea mays", (), "ACGTN" * 30
    )
    text = written(record, form, ["word " * 40, "x" * 200])
    (back,) = read_records(BytesIO(text.encode()), form.value)
    assert (back.accession, back.bases, back.topology) == ("LHS-7", record.bases, "circular")
    assert back.description.startswith("玉米 border of maïs")
