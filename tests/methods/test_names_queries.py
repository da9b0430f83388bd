"""Doubts about the names of a record, links found later, and the list of conflicts."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from labhub.accounts.actor import OPERATOR, VISITOR, Actor, Role
from labhub.db import db, transaction
from labhub.errors import NotAllowed
from labhub.lmos import commands as lmo_commands
from labhub.lmos.names_queries import read_register
from labhub.lmos.taxa_models import TaxonName, TaxonNameKind
from labhub.methods import commands, exchange, names_commands, names_queries, queries
from labhub.methods.models import MethodTarget
from labhub.methods.network_models import ConflictKind, NameConflict, TargetLink
from labhub.outbox import OutgoingMail
from tests.factories import (
    make_actor,
    make_element,
    make_laboratory,
    make_lmo,
    make_method,
    method_content,
)


def doubts(**fields: object) -> list[str]:
    content = exchange.check(method_content(**fields)).content
    return [str(text) for text in names_queries.doubts_of(content)]


def conflicts(actor: Actor | None = VISITOR) -> set[tuple[str, str]]:
    with transaction():
        names_commands.tidy_names()
    rows = db.session.execute(names_queries.list_conflicts(actor)).mappings()
    return {(row["kind"].value, row["name"]) for row in rows}


def make_taxon(scientific: str, *names: str) -> None:
    with transaction():
        for name in (scientific, *names):
            db.session.add(
                TaxonName(
                    scientific=scientific,
                    name=name,
                    name_key=name.casefold(),
                    kind=TaxonNameKind.SCIENTIFIC if name == scientific else TaxonNameKind.COMMON,
                )
            )


# Doubts --------------------------------------------------------------------------------------


def test_names_of_the_register_raise_no_doubt(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6", species={"scientific": "Zea mays", "common": "maize"})
    assert doubts() == []


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("targets", ["MON180"], "Did you mean MON810?"),
        ("targets", ["maize event MON810"], "Did you mean MON810?"),
        ("targets", ["quite another"], "does not know quite another."),
        ("lmo_unique_identifiers", ["MON-OO81O-6"], "letter O or I"),
        ("lmo_unique_identifiers", ["MON-00180-6"], "Is MON-ØØ81Ø-6 meant?"),
        ("lmo_unique_identifiers", ["MON-00810-7"], "should be 6"),
        ("taxon", {"scientific": "Zea may", "common": None}, "Did you mean Zea mays?"),
        ("taxon", {"scientific": "Oryza sativa", "common": None}, "Check its spelling."),
    ],
)
def test_a_doubtful_name_is_told_with_what_may_be_meant(
    app: Flask, field: str, text: Any, words: str
) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6", species={"scientific": "Zea mays", "common": "maize"})
    assert any(words in doubt for doubt in doubts(**{field: text}))


def test_a_name_of_several_lists_them(app: Flask) -> None:
    make_element("vip3Aa19", kind="gene", synonyms=["vip3A"])
    make_element("vip3Aa20", kind="gene", synonyms=["vip3A"])
    (doubt,) = doubts(specificity="screening", targets=["vip3A"], lmo_unique_identifiers=[], taxon=None)
    assert "vip3Aa19" in doubt and "vip3Aa20" in doubt


def test_identifier_and_target_of_different_lmos_are_told(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    make_lmo("NK603", unique_identifier="MON-00603-6")
    assert any("means MON810" in doubt and "NK603" in doubt for doubt in doubts(
        lmo_unique_identifiers=["MON-00603-6"]
    ))  # fmt: skip
    make_lmo("NK603 x MON810", stacked=True, parents=["NK603", "MON810"])
    assert not any("means MON810" in doubt for doubt in doubts(
        targets=["NK603 x MON810"], lmo_unique_identifiers=["MON-00603-6"]
    ))  # fmt: skip


def test_another_taxon_than_that_of_the_lmo_is_told(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6", species={"scientific": "Zea mays"})
    make_taxon("Glycine max", "soybean")
    make_taxon("Zea mays", "corn")
    assert any("is Zea mays" in doubt for doubt in doubts(taxon={"scientific": "Glycine max"}))
    assert doubts(taxon={"scientific": "corn"}) == []


def test_a_reference_gene_near_a_known_one_is_told(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6", species={"scientific": "Zea mays", "common": "maize"})
    make_method(state="published", reference_gene={"gene": "adh1", "verified": None, "source": None})
    gene = {"gene": "ahd1", "verified": None, "source": None}
    assert any("Did you mean adh1?" in doubt for doubt in doubts(reference_gene=gene))


def test_doubts_never_refuse_and_are_told_by_an_import(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6")
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    sent = exchange.to_csv([{**exchange.check(method_content(targets=["MON180"])).content}])
    with transaction():
        report = commands.import_sent(manager, sent, "own.csv")
    assert not report.is_refused
    assert any("Did you mean MON810?" in str(text) for text in report.rows[0].warnings)


# Links ---------------------------------------------------------------------------------------


def test_a_later_register_links_sealed_targets_beside_the_version(app: Flask) -> None:
    version = make_method(state="published", targets=["MON810"], lmo_unique_identifiers=["MON-00810-6"])
    seal = queries.seal_of(version)
    lmo = make_lmo("MON810", unique_identifier="MON-00810-6")
    with transaction():
        assert names_commands.relink_targets() == 2
        assert names_commands.relink_targets() == 0
    links = db.session.scalars(select(TargetLink)).all()
    assert {link.lmo_id for link in links} == {lmo.id}
    db.session.rollback()
    assert queries.seal_of(queries.find_version(VISITOR, version.method.code)) == seal


def test_links_of_a_draft_are_its_own_and_a_name_that_moved_is_corrected(app: Flask) -> None:
    make_method(targets=["Bt-maize"], lmo_unique_identifiers=[])
    make_method(state="published", targets=["Bt-maize"], lmo_unique_identifiers=[])
    first = make_lmo("MON810", other_names=["Bt-maize"])
    with transaction():
        assert names_commands.relink_targets() == 2
    drafted = db.session.scalars(select(MethodTarget.lmo_id).order_by(MethodTarget.id)).all()
    assert drafted == [first.id, None]
    with transaction():
        lmo_commands.change_lmo(OPERATOR, first.slug, {"other_names": []}, row_version=first.row_version)
    second = make_lmo("Bt176", other_names=["Bt-maize"])
    with transaction():
        names_commands.relink_targets()
    assert db.session.scalars(select(TargetLink.lmo_id)).all() == [second.id]


# Conflicts -----------------------------------------------------------------------------------


def test_each_kind_of_conflict_is_found(app: Flask) -> None:
    make_lmo("MON810", unique_identifier="MON-00810-6", species={"scientific": "Zea mays"},
             other_names=["YieldGard"])  # fmt: skip
    make_lmo("NK603", unique_identifier="MON-00603-7", other_names=["YieldGard"])
    make_element("vip3Aa19", kind="gene", synonyms=["vip3A"])
    make_element("vip3Aa20", kind="gene", synonyms=["vip3A"])
    reviewer = make_actor(Role.REVIEWER)
    make_method(state="published", title="A", taxon={"scientific": "Glycine max"})
    make_method(state="published", title="B", targets=["Bt99"], lmo_unique_identifiers=["MON-00810-7"])
    make_method(state="published", title="C", targets=["YieldGard"], lmo_unique_identifiers=[])
    make_method(state="published", title="D", targets=["MON810"], lmo_unique_identifiers=["MON-00603-7"])
    found = conflicts(reviewer)
    kinds = {kind for kind, _name in found}
    assert kinds == {kind.value for kind in ConflictKind}
    assert {
        ("unmatched-target", "Bt99"),
        ("ambiguous-name", "YieldGard"),
        ("check-digit", "MON-ØØ81Ø-7"),
        ("check-digit", "MON-ØØ6Ø3-7"),
        ("taxon", "Glycine max"),
        ("shared-synonym", "vip3A"),
        ("claimed-name", "YieldGard"),
    } <= found


@pytest.mark.req("A2")
def test_who_sees_which_conflict(app: Flask) -> None:
    laboratory = make_laboratory()
    manager = make_actor(Role.MANAGER, laboratory=laboratory)
    make_method(actor=manager, targets=["Drafted"], lmo_unique_identifiers=[])
    make_method(actor=manager, state="submitted", targets=["Handed in"], lmo_unique_identifiers=[])
    make_method(actor=manager, state="published", targets=["Published"], lmo_unique_identifiers=[])
    make_lmo("MON810", other_names=["YieldGard"])
    make_lmo("NK603", other_names=["YieldGard"])
    public = {"YieldGard"}
    seen = {
        VISITOR: public,
        make_actor(Role.MANAGER, laboratory=make_laboratory()): public,
        make_actor(Role.REVIEWER): public | {"Handed in", "Published"},
        make_actor(Role.SECRETARIAT): public | {"Handed in", "Published"},
        manager: public | {"Drafted", "Handed in", "Published"},
    }
    for actor, expected in seen.items():
        names = {name for kind, name in conflicts(actor) if kind != "same-oligos"}
        assert names == expected, actor.roles


@pytest.mark.req("A2")
def test_same_oligos_never_tell_of_another_laboratorys_draft(app: Flask) -> None:
    make_lmo("MON810")
    make_lmo("NK603")
    one = make_actor(Role.MANAGER, laboratory=make_laboratory())
    two = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=one, targets=["MON810"], lmo_unique_identifiers=[])
    make_method(actor=two, targets=["NK603"], lmo_unique_identifiers=[])
    assert conflicts(one) == conflicts(two) == set()
    make_method(actor=two, state="published", targets=["NK603"], lmo_unique_identifiers=[], title="Z")
    assert {kind for kind, _name in conflicts(one)} == {"same-oligos"}
    assert conflicts(two) == set()


def test_a_mended_conflict_goes_and_a_new_one_is_reported_once(app: Flask) -> None:
    make_actor(Role.SECRETARIAT, email="secretariat@example.org", language="ar")
    lmo = make_lmo("MON810", other_names=["YieldGard"])
    make_lmo("NK603", other_names=["YieldGard"])
    assert conflicts() == {("claimed-name", "YieldGard")}
    for expected in (1, 0):
        with transaction():
            assert names_commands.report_conflicts() == expected
    mails = db.session.scalars(
        select(OutgoingMail).where(OutgoingMail.recipient == "secretariat@example.org")
    ).all()
    assert [("YieldGard" in mail.body, "/methods/conflicts" in mail.body) for mail in mails[-1:]] == [
        (True, True)
    ]
    with transaction():
        lmo_commands.change_lmo(OPERATOR, lmo.slug, {"other_names": []}, row_version=lmo.row_version)
    assert conflicts() == set()
    assert db.session.scalar(select(NameConflict.gone_at)) is not None


def test_only_reviewers_and_the_secretariat_look_again(app: Flask) -> None:
    with pytest.raises(NotAllowed), transaction():
        names_commands.refresh_conflicts(make_actor(Role.MANAGER, laboratory=make_laboratory()))
    make_method(state="published", targets=["MON810"], lmo_unique_identifiers=[])
    with transaction():
        assert names_commands.refresh_conflicts(make_actor(Role.REVIEWER)) == 1


def test_many_unknown_names_are_not_all_looked_up(app: Flask) -> None:
    make_lmo("MON810")
    register = read_register()
    found = [register.suggestions(f"MON{number}") for number in range(811, 2000)]
    assert found[0] == ["MON810"]
    assert found[-1] == []
