"""A08.2 from the ledger: cells of the day of the use, and who may see them."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask

from labhub import audit
from labhub.accounts.actor import OPERATOR, VISITOR, Role
from labhub.accounts.models import GroupKind, GroupMembership, PartyStatus, Region, StatusKind
from labhub.config import PROJECT_FOLDER
from labhub.db import db, transaction
from labhub.errors import NotAllowed
from labhub.indicators.commands import load_seeds
from labhub.indicators.definitions import Dimension, Period, make_period
from labhub.indicators.queries import (
    default_dimension,
    figure,
    indicator_table,
    record_rows,
    table_csv,
    with_verdicts,
)
from tests.factories import make_actor, make_party, make_use

ALL = Period()
MARCH = datetime(2026, 3, 2, 10, tzinfo=UTC)


def seed() -> int:
    with transaction():
        return load_seeds(PROJECT_FOLDER / "seeds")


def by(dimension: Dimension, period: Period = ALL) -> dict[str, int]:
    return dict(figure(OPERATOR, "A08.2", period, dimension)["by"])


def test_cells_by_party_hold_everybody_once(app: Flask) -> None:
    kenya, brazil = make_actor(), make_actor(party=make_party("BR"))
    stranger = make_actor(party=make_party("US", status=StatusKind.NON_PARTY))
    observer = make_actor(organisation="Observers")
    make_use(kenya, at=MARCH)
    make_use(kenya, at=MARCH, kind="sequence")
    for actor in (brazil, stranger, observer):
        make_use(actor, at=MARCH)
    make_use(at=MARCH)
    result = figure(OPERATOR, "A08.2", ALL, Dimension.PARTY)
    assert result["by"] == {"KE": 2, "BR": 1, "non-parties": 1, "organisations": 1, "unattributed": 1}
    assert sum(result["by"].values()) == result["value"] == 6


def test_people_of_the_eu_count_for_the_eu_only(app: Flask) -> None:
    make_use(make_actor(party=make_party("EU")), at=MARCH)
    make_use(make_actor(party=make_party("FR")), at=MARCH)
    assert by(Dimension.PARTY) == {"EU": 1, "FR": 1}


def test_status_is_that_of_the_day(app: Flask) -> None:
    party = make_party("BR")
    with transaction():
        party.statuses[0].from_on = date(2026, 3, 2)
        party.statuses.append(PartyStatus(status=StatusKind.NON_PARTY, until_on=date(2026, 3, 2)))
    actor = make_actor(party=party)
    make_use(actor, at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), item=1)
    make_use(actor, at=datetime(2026, 3, 2, 0, 0, 0, tzinfo=UTC), item=2)
    assert by(Dimension.PARTY) == {"BR": 1, "non-parties": 1}


def test_groups_are_those_of_the_day_and_may_overlap(app: Flask) -> None:
    party = make_party("KE")
    with transaction():
        party.groups.append(GroupMembership(group=GroupKind.LDC, until_on=date(2026, 1, 1)))
        party.groups.append(GroupMembership(group=GroupKind.SIDS))
    actor = make_actor(party=party)
    make_use(actor, at=datetime(2025, 12, 31, tzinfo=UTC))
    make_use(actor, at=MARCH)
    make_use(make_actor(party=make_party("BR")), at=MARCH)
    assert by(Dimension.GROUP) == {"ldc": 1, "sids": 2, "other-parties": 1}
    assert by(Dimension.GROUP, make_period(2026)) == {"sids": 1, "other-parties": 1}


def test_regions(app: Flask) -> None:
    party = make_party("KE")
    with transaction():
        party.region = Region.AFRICA
    make_use(make_actor(party=party), at=MARCH)
    make_use(make_actor(party=make_party("EU")), at=MARCH)
    assert by(Dimension.REGION) == {"African Group": 1, "no-region": 1}


def test_years_and_quarters_end_at_midnight_utc(app: Flask) -> None:
    make_use(at=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), item=1)
    make_use(at=datetime(2026, 1, 1, tzinfo=UTC), item=2)
    make_use(at=datetime(2026, 4, 1, tzinfo=UTC), item=3)
    assert by(Dimension.YEAR) == {"2025": 1, "2026": 2}
    assert by(Dimension.QUARTER) == {"2025-Q4": 1, "2026-Q1": 1, "2026-Q2": 1}
    assert by(Dimension.YEAR, make_period(2026)) == {"2026": 2}


def test_double_click_over_new_year_counts_in_the_new_year(app: Flask) -> None:
    make_use(at=datetime(2025, 12, 31, 23, 59, 50, tzinfo=UTC))
    make_use(at=datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC))
    assert figure(OPERATOR, "A08.2", make_period(2025), None)["value"] == 0
    assert figure(OPERATOR, "A08.2", make_period(2026), None)["value"] == 1


def test_only_methods_and_sequences_are_tools(app: Flask) -> None:
    make_use(at=MARCH, kind="material")
    assert figure(OPERATOR, "A08.2", ALL, None)["value"] == 0


def test_figure_has_the_shape_of_the_contract(app: Flask) -> None:
    make_use(make_actor(), at=MARCH)
    result = figure(OPERATOR, "A08.2", make_period(2026), Dimension.PARTY, gap=3)
    assert result == {
        "code": "A08.2",
        "value": 1,
        "unit": "requests",
        "by": {"KE": 1},
        "split_by": "party",
        "period": "2026",
        "rule_version": "counter-5.1/1",
        "status": "computed",
        "unique": 1,
        "machine": 0,
        "by_unique": {"KE": 1},
        "by_machine": {"KE": 0},
        "gap": 3,
    }


def test_figure_that_is_not_computed_is_unknown_and_not_zero(app: Flask) -> None:
    result = figure(VISITOR, "A13.1", ALL, None)
    assert result["value"] is None
    assert result["status"] == "not computed yet"


def test_who_sees_figures_by_party(app: Flask) -> None:
    kenya = make_party()
    make_use(make_actor(party=kenya), at=MARCH)
    make_use(make_actor(party=make_party("BR")), at=MARCH)
    focal_point = make_actor(Role.FOCAL_POINT, party=kenya)
    result = figure(focal_point, "A08.2", ALL, Dimension.PARTY)
    assert (result["by"], result["by_unique"], result["value"]) == ({"KE": 1}, {"KE": 1}, 2)
    assert figure(make_actor(Role.SECRETARIAT), "A08.2", ALL, Dimension.PARTY)["by"] == {"KE": 1, "BR": 1}
    for actor in (VISITOR, make_actor(Role.MODERATOR), make_actor(Role.ADMINISTRATOR)):
        with pytest.raises(NotAllowed):
            figure(actor, "A08.2", ALL, Dimension.PARTY)
        assert default_dimension(actor) is Dimension.YEAR


def test_table_has_every_indicator(app: Flask) -> None:
    assert seed() == 39
    make_use(make_actor(), at=MARCH)
    table = indicator_table(year=2026)
    assert [row["code"] for row in table] == sorted(row["code"] for row in table)
    assert len(table) == 25
    values = {row["code"]: (row["value"], row["by"]) for row in table}
    assert values.pop("A08.2") == (1, {"KE": 1})
    assert set(map(str, values.values())) == {"(None, {})"}
    lines = table_csv(table).decode().splitlines()
    assert len(lines) == 1 + 25 + 1
    assert any("A08.2" in line and "KE,1,1,0,requests" in line for line in lines)


def test_seeds_load_twice_without_change(app: Flask) -> None:
    assert seed() == 39
    assert seed() == 0


def test_rows_behind_the_figure_say_why_they_were_dropped(app: Flask) -> None:
    actor = make_actor()
    make_use(actor, at=MARCH)
    make_use(actor, at=MARCH.replace(second=20))
    make_use(at=MARCH.replace(second=30), agent="curl/8.14.1")
    make_use(actor, at=MARCH.replace(minute=30))
    query = record_rows("A08.2", make_period(2026)).order_by("at", "id")
    rows = with_verdicts(db.session.execute(query).mappings().all())
    assert [(row["verdict"], row["counts"], row["unique"], row["party"]) for row in rows] == [
        ("double-click", False, False, "KE"),
        ("counted", True, True, "KE"),
        ("robot", False, False, "unattributed"),
        ("counted", True, False, "KE"),
    ]
    page = with_verdicts(db.session.execute(query.limit(1).offset(3)).mappings().all())
    assert page == rows[3:]
    assert not {"user_key", "user_id", "address"} & set(rows[0])


def test_figure_that_is_kept_follows_the_ledger_and_the_parties(app: Flask) -> None:
    party = make_party("KE")
    actor = make_actor(party=party)
    make_use(actor, at=MARCH)
    assert by(Dimension.PARTY) == by(Dimension.PARTY) == {"KE": 1}
    make_use(actor, at=MARCH.replace(hour=8))
    assert by(Dimension.PARTY) == {"KE": 2}
    with transaction():
        party.statuses[0].status = StatusKind.NON_PARTY
        audit.record(OPERATOR, "party.change", "party", party.iso2)
    assert by(Dimension.PARTY) == {"non-parties": 2}
