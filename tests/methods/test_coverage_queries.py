"""The coverage map."""

from datetime import timedelta
from typing import Any

from flask import Flask

from labhub.accounts.actor import VISITOR, Role
from labhub.db import db, transaction
from labhub.lmos.models import Lmo
from labhub.methods import capability_commands, commands, coverage_queries
from labhub.methods.coverage_queries import Gap, LmoCoverage, Way, coverage, coverage_of, methods_detecting
from labhub.methods.models import MethodVersion
from tests.conftest import FakeClock
from tests.factories import (
    make_actor,
    make_capability,
    make_laboratory,
    make_lmo,
    make_method,
    make_party,
)


def has(element: str, sign: str = "has", *, source: str = "A", verified: bool = True) -> dict[str, Any]:
    return {"element": element, "sign": sign, "source": source, "verified": verified}


def make_event_method(lmo: Lmo, **fields: object) -> MethodVersion:
    return make_method(
        state="published",
        **{
            "targets": [lmo.event],
            "lmo_unique_identifiers": [],
            "specificity": "event",
            **fields,
        },
    )


def make_screening(element: str, **fields: object) -> MethodVersion:
    return make_event_method(Lmo(event=element), specificity="screening", **fields)


def row_of(lmo: Lmo, party: str = "") -> LmoCoverage:
    return coverage_of(VISITOR, lmo, party=party)


def test_an_lmo_without_method_is_a_blind_spot(app: Flask) -> None:
    row = row_of(make_lmo("MON810"))
    assert row.gaps == [Gap.NO_EVENT_METHOD, Gap.NO_CLAIMS]
    assert row.best is None


def test_an_event_specific_method_without_laboratory_is_another(app: Flask) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S", verified=False)])
    make_event_method(lmo)
    row = row_of(lmo)
    assert row.gaps == [Gap.NO_LABORATORY, Gap.UNVERIFIED]
    assert (row.reach[Way.EVENT].methods, row.reach[Way.EVENT].quantitative) == (1, 1)


def test_who_runs_a_method_today_covers_its_lmo(app: Flask, fake_clock: FakeClock) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S")])
    method = make_event_method(lmo).method
    make_capability(
        method.code,
        make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-K", party=make_party("KE"))),
    )
    row = row_of(lmo)
    assert (row.gaps, row.best) == ([], Way.EVENT)
    assert (row.reach[Way.EVENT].laboratories, row.reach[Way.EVENT].parties) == ({"LAB-K"}, {"KE"})
    assert row_of(lmo, "BR").gaps == [Gap.NO_LABORATORY]
    assert row_of(lmo, "ke").gaps == []
    fake_clock.forward(days=366)
    assert row_of(lmo).gaps == [Gap.NO_LABORATORY]


def test_a_laboratory_that_is_not_listed_does_not_count_for_others(app: Flask) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S")])
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-K"))
    make_capability(make_event_method(lmo).method.code, manager)
    with transaction():
        capability_commands.set_listed(manager, "LAB-K", listed=False, expected=None)
    assert row_of(lmo).gaps == [Gap.NO_LABORATORY]
    assert coverage_of(manager, lmo).gaps == []


def test_only_undisputed_positive_elements_count(app: Flask) -> None:
    make_screening("P-35S")  # before the element is known: linked by the next look at names
    sure = make_lmo("SURE", claims=[has("P-35S")])
    disputed = make_lmo("DISPUTED", claims=[has("P-35S"), has("P-35S", "lacks", source="B")])
    silent = make_lmo("SILENT", claims=[has("bar")])
    lacking = make_lmo("LACKING", claims=[has("P-35S", "lacks")])
    make_screening("P-35S", title="A second one")
    for lmo, screened in ((sure, 1), (disputed, 0), (silent, 0), (lacking, 0)):
        row = row_of(lmo)
        assert (row.reach[Way.ELEMENT].methods, row.elements_screened) == (screened, screened), lmo.event


def test_a_withdrawn_method_covers_nothing_and_is_told(app: Flask) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S")])
    version = make_event_method(lmo)
    with transaction():
        commands.withdraw(make_actor(Role.REVIEWER), version.method.code, "Primers fail.")
    row = row_of(lmo)
    assert row.gaps == [Gap.WITHDRAWN]
    assert methods_detecting(VISITOR, lmo)[Way.EVENT].rows == []


def test_drafts_cover_nothing(app: Flask) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S")])
    make_method(targets=["MON810"], lmo_unique_identifiers=[])
    assert row_of(lmo).gaps == [Gap.NO_EVENT_METHOD]


def test_a_stack_is_the_set_of_its_events(app: Flask) -> None:
    first = make_lmo("NK603", claims=[has("P-act1")])
    second = make_lmo("MON810", claims=[has("P-35S")])
    stack = make_lmo("NK603 x MON810", stacked=True, parents=["NK603", "MON810"])
    one = make_event_method(first, title="NK603").method
    row = row_of(stack)
    assert (row.missing, row.gaps, row.elements) == (["MON810"], [Gap.NO_EVENT_METHOD], 2)
    two = make_event_method(second, title="MON810").method
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-K"))
    make_capability(one.code, manager)
    assert row_of(stack).gaps == [Gap.NO_LABORATORY]
    make_capability(two.code, manager)
    assert row_of(stack).gaps == []
    assert row_of(stack).reach[Way.EVENT].laboratories == {"LAB-K"}


def test_the_methods_of_an_lmo_come_by_way_with_elements_and_runners(app: Flask) -> None:
    lmo = make_lmo("MON810", species={"scientific": "Zea mays"}, claims=[has("P-35S")])
    event = make_event_method(lmo).method
    make_screening("P-35S", title="P-35S")
    make_method(
        state="published",
        specificity="taxon",
        title="adh1",
        targets=["Zea mays"],
        lmo_unique_identifiers=[],
    )
    make_capability(event.code, make_actor(Role.MANAGER, laboratory=make_laboratory("LAB-K")))
    found = methods_detecting(VISITOR, lmo)
    assert [found[way].total for way in Way] == [1, 0, 1, 1]
    assert found[Way.EVENT].rows[0]["runners"][0]["code"] == "LAB-K"
    assert [element["name"] for element in found[Way.ELEMENT].rows[0]["via"]] == ["P-35S"]


def test_figures_count_lmos_and_gaps_and_csv_has_a_row_each(app: Flask) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S")])
    make_lmo("GT73")
    make_event_method(lmo)
    rows = coverage(VISITOR)
    figures = coverage_queries.summary(rows)
    assert (figures.lmos, figures.with_method[Way.EVENT], figures.not_today) == (2, 1, 2)
    assert (figures.gaps[Gap.NO_EVENT_METHOD], figures.gaps[Gap.NO_LABORATORY]) == (1, 1)
    assert [row.lmo["event"] for row in coverage(VISITOR, gap=Gap.NO_EVENT_METHOD)] == ["GT73"]
    assert [row.lmo["event"] for row in coverage(VISITOR, q="mon")] == ["MON810"]
    lines = coverage_queries.to_csv(rows).decode().splitlines()
    assert len(lines) == 3 and lines[0].startswith("event,unique_identifier")


def test_entries_expire_after_their_last_day(app: Flask, fake_clock: FakeClock) -> None:
    lmo = make_lmo("MON810", claims=[has("P-35S")])
    until = fake_clock().date() + timedelta(days=10)
    make_capability(make_event_method(lmo).method.code, valid_until=until)
    fake_clock.forward(days=10)
    assert row_of(lmo).gaps == []
    fake_clock.forward(days=1)
    assert row_of(lmo).gaps == [Gap.NO_LABORATORY]
    assert db.session.query(Lmo).count() == 1
