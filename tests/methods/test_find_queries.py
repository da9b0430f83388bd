"""Finding methods on both databases: words, filters, counts, order, and who sees what."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from labhub.accounts import commands as accounts
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.db import db, transaction
from labhub.doctor import Diagnosis
from labhub.lmos import commands as lmos
from labhub.methods import commands, find_commands, find_queries, queries
from labhub.methods.find_models import MethodIndex, MethodText
from labhub.methods.models import MethodState
from tests.factories import make_actor, make_element, make_laboratory, make_lmo, make_method, method_content


def codes(q: str = "", actor: Actor | None = None, **filters: Any) -> list[str]:
    """Return the codes of what is found, in the order of the list."""
    return find_queries.find_codes(actor, q=q, **filters)


def counts(facet: str, actor: Actor | None = None, **filters: Any) -> dict[str, int]:
    """Return the counted values of a facet under the filters."""
    selection = find_queries.Selection(actor, find_queries.Search.of(filters))
    return dict(selection.counts(facet, 100)[0])


def oligo(role: str, name: str, sequence: str) -> dict[str, Any]:
    """Return an oligo as it is sent."""
    return {"role": role, "name": name, "sequence": sequence, "final_concentration_nanomolar": 300}


@pytest.fixture
def three(app: Flask) -> Flask:
    """Three published methods: LH-1 maize MON810, LH-2 soybean, LH-3 a Chinese title."""
    make_lmo(
        "MON810",
        unique_identifier="MON-00810-6",
        trade_name="YieldGard Corn",
        other_names=["Máximo maize"],
    )
    make_method(state="published", validation={"year": 2011, "lod_copies": 5}, rights=["open"])
    make_method(
        state="published",
        chemistry="SYBR Green",
        title="Construct-specific dPCR: soja génétiquement modifiée",
        specificity="construct",
        technique="dpcr",
        target="CTP2-CP4EPSPS",
        targets=["cp4-epsps"],
        taxon={"scientific": "Glycine max", "common": "soybean"},
        quantitative=False,
        lmo_unique_identifiers=[],
        validation={"lod_text": "10 copies"},
        sources=[{"title": "Report", "year": 2019, "url": None}],
        rights=["open", "patent-note"],
        matrices=["soy flour", "feed"],
        notes=["Tried with O'Brien's “fast” master-mix; see ISO 21569:2005."],
        oligos=[
            oligo("forward", "soyF", "GGGTCATCCCTTACGTCAGTG"),
            oligo("reverse", "soyR", "CATTTGGAGAGGACACGCTG"),
        ],
    )
    make_method(
        state="published",
        chemistry="SYBR Green",
        title="转基因玉米检测方法 Bt11",
        specificity="event",
        target="Bt11",
        targets=["Bt11"],
        lmo_unique_identifiers=["SYN-BT011-1"],
        oligos=[
            oligo("forward", "a", "TTTTTTTTTTAAAAACCCCC"),
            oligo("reverse", "b", "ACACACACACACACACACAC"),
        ],
        validation={"lod_text": "10 copies"},
    )
    return app


WRITTEN = [
    ("soybean", ["LH-2"]),
    ("GÉNÉTIQUEMENT", ["LH-2"]),
    ("genetiquement modifiee", ["LH-2"]),
    ("genetiq", ["LH-2"]),
    ("netiquement", ["LH-2"]),
    ("LH-1", ["LH-1"]),
    ("lh1", ["LH-1"]),
    ("810", ["LH-1"]),
    ("MON-ØØ81Ø-6", ["LH-1"]),
    ("mon008106", ["LH-1"]),
    ("yieldgard", ["LH-1"]),
    ("maximo", ["LH-1"]),
    ("epsps", ["LH-2"]),
    ("CTP2-CP4EPSPS", ["LH-2"]),
    ("ctp2cp4epsps", ["LH-2"]),
    ("21569", ["LH-2"]),
    ("o'brien", ["LH-2"]),
    ("soyF", ["LH-2"]),
    ("玉米检测", ["LH-3"]),
    ("玉米", ["LH-3"]),
    ("检", ["LH-3"]),
    ("TCATCCCTTACG", ["LH-2"]),
    ("cgtaagggatga", ["LH-2"]),
    ("GGGTCA", ["LH-2"]),
    ("GGGTCATCCCTTACGTCAGTGA", []),
    ("soybean 810", []),
    ("", ["LH-1", "LH-2", "LH-3"]),
]


def test_words_are_found_as_people_write_them(three: Flask) -> None:
    assert {q: codes(q) for q, _found in WRITTEN} == dict(WRITTEN)


HOSTILE = [
    '"', '""', "'", "*", "soybean*", "title:soybean", "AND", "OR", "NOT", "NEAR(a b)", "(", "^soy", "-soy",
    "{title}", "a:*", "\\", "' <-> '", "soy:A", "!soy", "&", "|", "%", "_", "\x00", "\ud7ff", "𝔐", "a" * 200,
    "--", "/*", ";", "N" * 120, "''''", "x AND title : y", "+", "soybean' OR 1=1",
]  # fmt: skip


@pytest.mark.req("C2")
@pytest.mark.parametrize("start", ["", "soy "])
def test_no_sign_of_a_query_reaches_the_language_of_the_index(three: Flask, start: str) -> None:
    for sign in HOSTILE:
        q = start + sign
        assert set(codes(q)) <= {"LH-1", "LH-2", "LH-3"}
        for name in ("target", "taxon", "lmo", "element", "laboratory", "matrix"):
            assert codes(**{name: q}) in ([], ["LH-1", "LH-2", "LH-3"])


def test_best_match_comes_first(app: Flask) -> None:
    make_method(state="published", title="Something else", notes=["compared with Starlink"], targets=["a1x"])
    make_method(state="published", title="Detection of Starlink maize", targets=["a2x"])
    make_method(state="published", title="Other", target="Starlink", targets=["Starlink"])
    assert codes("starlink") == ["LH-3", "LH-2", "LH-1"]
    selection = find_queries.Selection(None, find_queries.Search.of({"q": "starlink"}))
    rows = find_queries.find(selection, sort="-code", page_size=2).as_rows()
    assert [row["code"] for row in rows] == ["LH-3", "LH-2"]


def test_filters_of_one_facet_widen_and_of_several_narrow(three: Flask) -> None:
    assert codes(specificity=["event", "construct"]) == ["LH-1", "LH-2", "LH-3"]
    assert codes(specificity="event", year="2011") == ["LH-1"]
    assert codes(taxon="SOYBEAN") == ["LH-2"]
    assert codes(taxon="glycine MAX") == ["LH-2"]
    assert codes(quantitative="false") == ["LH-2"]
    assert codes(validated="true") == ["LH-1", "LH-2", "LH-3"]
    assert codes(rights="patent-note") == ["LH-2"]
    assert codes(matrix="Feed") == ["LH-2"]
    assert codes(year="2019") == ["LH-2"]
    assert codes(lmo="mon810") == codes(lmo="MON-ØØ81Ø-6")
    assert codes(lmo="MON-ØØ81Ø-6") == ["LH-1"]
    assert codes(lmo="SYN-BT011-1") == ["LH-3"]
    assert codes(element="CP4-EPSPS") == ["LH-2"]
    assert codes(target="cp4") == ["LH-2"]


def test_a_method_without_study_or_figures_is_not_validated(app: Flask) -> None:
    make_method(validation={})
    make_method(validation={"collaborative_trial": True})
    assert codes(actor=OPERATOR, validated="false") == ["LH-1"]
    assert codes(actor=OPERATOR, validated="true") == ["LH-2"]


def test_counts_are_those_under_the_other_choices(three: Flask) -> None:
    assert counts("specificity") == {"event": 2, "construct": 1}
    assert counts("specificity", specificity="event") == {"event": 2, "construct": 1}
    assert counts("technique", specificity="event") == {"qpcr": 2}
    assert counts("taxon", q="soybean") == {"Glycine max": 1}
    assert counts("rights") == {"open": 2, "free-for-regulators": 1, "patent-note": 1}
    assert counts("lmo") == {"MON-00810-6": 1}
    assert counts("validated") == {"true": 3}
    assert counts("matrix", rights="patent-note") == {"feed": 1, "soy flour": 1}
    assert counts("technique", technique="isothermal") == {"qpcr": 2, "dpcr": 1, "isothermal": 0}
    assert counts("accreditation") == {"false": 3}


def test_a_new_name_and_an_accreditation_are_found_at_once(three: Flask) -> None:
    assert codes("goldmais") == []
    with transaction():
        lmos.add_name(OPERATOR, "MON810", {"name": "Goldmais", "source": "a page"})
    assert codes("goldmais") == ["LH-1"]
    version = queries.find_published_version("LH-1")
    laboratory = version.method.laboratory
    assert laboratory is not None
    with transaction():
        accounts.change_laboratory(
            OPERATOR, laboratory.code, laboratory.row_version, accreditation="ISO/IEC 17025"
        )
    assert codes(accreditation="true") == ["LH-1"]
    assert counts("accreditation") == {"true": 1, "false": 2}


def test_an_element_is_counted_by_its_record(app: Flask) -> None:
    make_element("P-35S")
    make_method(state="published", targets=["p-35s"], lmo_unique_identifiers=[])
    assert counts("element") == {"P-35S": 1}
    assert codes(element="P-35S") == ["LH-1"]


@pytest.mark.req("A2")
def test_each_reader_finds_and_counts_what_is_due(app: Flask) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    make_method(actor=manager, title="Secret draft", target="hidden")
    make_method(actor=manager, state="submitted")
    make_method(actor=manager, state="published")
    everybody = [
        (None, ["LH-3"]),
        (make_actor(Role.MANAGER, laboratory=make_laboratory()), ["LH-3"]),
        (make_actor(Role.ADMINISTRATOR), ["LH-3"]),
        (make_actor(Role.REVIEWER), ["LH-2", "LH-3"]),
        (make_actor(Role.SECRETARIAT), ["LH-2", "LH-3"]),
        (manager, ["LH-1", "LH-2", "LH-3"]),
        (OPERATOR, ["LH-1", "LH-2", "LH-3"]),
    ]
    for actor, due in everybody:
        assert codes(actor=actor) == due
        assert sum(counts("specificity", actor).values()) == len(due)
        assert sum(counts("state", actor).values()) == len(due)
        assert codes("secret", actor) == codes("hidden", actor) == (["LH-1"] if "LH-1" in due else [])
        assert counts("state", actor, q="secret") == ({"draft": 1} if "LH-1" in due else {})
        seen = {version.id for version in db.session.scalars(queries.visible_versions(actor))}
        every_state = {"state": [state.value for state in MethodState]}
        found = find_queries.found_versions(actor, find_queries.Search.of(every_state))
        assert set(found.tolist()) == seen


def test_the_index_is_in_step_after_every_command(app: Flask) -> None:
    manager, reviewer = make_actor(Role.MANAGER, laboratory=make_laboratory()), make_actor(Role.REVIEWER)
    make_method(actor=manager, reviewer=reviewer, state="published", title="First", wished_code="QT-9")
    assert (codes("first"), codes("second", manager)) == (["QT-9"], [])
    with transaction():
        commands.new_version(manager, "QT-9", "Better primers")
    version = queries.find_version(manager, "QT-9", 2)
    with transaction():
        commands.change_draft(manager, "QT-9", {"title": "Second"}, expected=version.edition)
    assert (codes("second", manager), codes("second"), codes("first")) == (["QT-9"], [], ["QT-9"])
    with transaction():
        commands.submit(manager, "QT-9")
    with transaction():
        commands.return_to_laboratory(reviewer, "QT-9", "Say more.")
    with transaction():
        commands.submit(manager, "QT-9")
    with transaction():
        commands.publish(reviewer, "QT-9")
    assert (codes("second"), codes("first")) == (["QT-9"], [])
    assert codes("first", state="superseded") == ["QT-9"]
    with transaction():
        commands.withdraw(reviewer, "QT-9", "Cross-reaction")
    assert (codes("second"), codes("second", state="withdrawn")) == ([], ["QT-9"])
    assert find_commands.out_of_step() == []


def test_what_was_rolled_back_is_not_found(app: Flask) -> None:
    with pytest.raises(RuntimeError), transaction():
        commands.create_method(
            make_actor(Role.MANAGER, laboratory=make_laboratory()), method_content(title="Gone")
        )
        raise RuntimeError
    assert codes("gone", OPERATOR) == []
    make_method(state="published", title="Stays")
    assert codes("stays") == ["LH-1"]
    assert find_commands.out_of_step() == []


def test_doctor_says_when_the_index_differs_and_writes_it_anew(three: Flask) -> None:
    healthy = Diagnosis()
    find_commands.examine(healthy, fix=False)
    assert (healthy.problems, healthy.checked) == ([], {"versions in the index of methods": 3})
    with transaction():
        db.session.execute(text("DELETE FROM method_index WHERE version_id = 1"))
        db.session.execute(text("UPDATE method_text SET title = 'nonsense' WHERE version_id = 2"))
    ill = Diagnosis()
    find_commands.examine(ill, fix=False)
    assert ill.problems == ["the index of methods differs for versions 1, 2 (--fix writes it anew)"]
    mended = Diagnosis()
    find_commands.examine(mended, fix=True)
    assert (mended.problems, mended.mended) == ([], ["wrote the index of methods anew, 3 versions"])
    assert find_commands.out_of_step() == []
    assert codes("soybean") == ["LH-2"]


def test_versions_of_an_older_hub_are_indexed_when_it_is_initialised(three: Flask) -> None:
    with transaction():
        for table in (MethodIndex, MethodText):
            db.session.query(table).delete()
    with transaction():
        assert find_commands.fill_index() == 3
    with transaction():
        assert find_commands.fill_index() == 0
    assert codes("soybean") == ["LH-2"]
