"""The rules of counting, on rows made here."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.usage.counting import Figures, Use, Verdict, counts, judge, tally
from labhub.usage.models import Access, AgentClass

DAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def use(
    at: datetime,
    file: str = "a",
    *,
    number: int = 0,
    user: str = "user",
    item: int = 1,
    version: str = "1",
    access: Access = Access.REGULAR,
    agent: AgentClass = AgentClass.BROWSER,
    party: int | None = None,
) -> Use:
    return Use(number, at, user, access, agent, "method", item, version, file, None, party)


def clicks(*seconds: float, file: str = "a") -> list[Use]:
    return [use(DAY + timedelta(seconds=second), file) for second in seconds]


def log() -> list[Use]:
    """Return the worked log of the domain guide, section 14."""
    return [
        use(DAY.replace(hour=10, minute=1, second=0)),
        use(DAY.replace(hour=10, minute=1, second=29)),
        use(DAY.replace(hour=10, minute=2, second=4)),
        use(DAY.replace(hour=10, minute=2, second=10), "b"),
        use(DAY.replace(hour=11, minute=0, second=30)),
    ]


@pytest.mark.req("H1")
def test_worked_log_counts_four_total_and_two_unique_requests() -> None:
    assert tally(log()).total == Figures(value=4, unique=2, machine=0)


@pytest.mark.req("H1")
def test_worked_log_keeps_the_later_click() -> None:
    verdicts = [judged.verdict for judged in judge(log())]
    assert verdicts == [Verdict.DOUBLE_CLICK] + [Verdict.COUNTED] * 4


@pytest.mark.req("H1")
def test_chain_of_clicks_is_one_request_at_its_end() -> None:
    judged = [entry for entry in judge(clicks(0, 20, 40)) if entry.verdict is Verdict.COUNTED]
    assert [entry.use.at for entry in judged] == [DAY + timedelta(seconds=40)]


@pytest.mark.req("H1")
@pytest.mark.parametrize(
    ("seconds", "total"), [((0, 30), 1), ((0, 30.000001), 2), ((0, 31), 2), ((0, 0), 1), ((0, 30, 60, 91), 2)]
)
def test_thirty_seconds_are_inside(seconds: tuple[float, ...], total: int) -> None:
    assert tally(clicks(*seconds)).total.value == total


@pytest.mark.parametrize(
    "other",
    [{"file": "b"}, {"version": "2"}, {"item": 2}, {"user": "other"}, {"access": Access.MACHINE}],
)
def test_another_address_user_or_access_is_no_double_click(other: dict[str, object]) -> None:
    rows = [use(DAY), use(DAY + timedelta(seconds=5), **other)]  # type: ignore[arg-type]
    assert tally(rows).double_clicks == 0


def test_two_versions_of_a_work_are_one_unique_request() -> None:
    rows = [use(DAY, version="1"), use(DAY + timedelta(minutes=5), version="2")]
    assert tally(rows).total == Figures(value=2, unique=1)


def test_session_ends_with_the_hour() -> None:
    rows = [use(DAY.replace(minute=59, second=0)), use(DAY.replace(hour=11, minute=0, second=0))]
    assert tally(rows).total == Figures(value=2, unique=2)


@pytest.mark.parametrize("agent", [AgentClass.ROBOT, AgentClass.SCRIPT, AgentClass.NONE])
def test_robots_do_not_count_and_drop_nobody(agent: AgentClass) -> None:
    rows = [use(DAY), use(DAY + timedelta(seconds=1), agent=agent)]
    result = tally(rows)
    assert (result.total.value, result.robots, result.double_clicks) == (1, 1, 0)


def test_unknown_agent_counts() -> None:
    assert tally([use(DAY, agent=AgentClass.UNKNOWN)]).total.value == 1


def test_token_is_machine_access_whatever_its_agent() -> None:
    rows = [use(DAY, access=Access.MACHINE, agent=AgentClass.SCRIPT)]
    assert tally(rows).total == Figures(value=0, unique=0, machine=1)


def test_row_after_the_period_only_decides_the_last_click() -> None:
    rows = clicks(0, 20)
    assert tally(rows, until=DAY + timedelta(seconds=10)).total.value == 0
    assert tally(rows[:1], until=DAY + timedelta(seconds=10)).total.value == 1


def test_wrong_order_is_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        list(judge(clicks(5, 0)))


@pytest.mark.parametrize(
    ("method", "status", "first_byte", "expected"),
    [
        ("GET", 200, 0, True),
        ("GET", 304, 0, True),
        ("GET", 206, 0, True),
        ("GET", 206, 1, False),
        ("HEAD", 200, 0, False),
        ("HEAD", 304, 0, False),
        ("POST", 200, 0, False),
        ("GET", 403, 0, False),
        ("GET", 404, 0, False),
        ("GET", 416, 0, False),
        ("GET", 503, 0, False),
    ],
)
def test_which_answers_are_downloads(method: str, status: int, first_byte: int, expected: bool) -> None:
    assert counts(method, status, first_byte) is expected


rows_strategy = st.lists(
    st.builds(
        use,
        st.integers(0, 7200).map(lambda second: DAY + timedelta(seconds=second)),
        st.sampled_from("ab"),
        user=st.sampled_from(["u", "v"]),
        item=st.integers(1, 2),
        access=st.sampled_from(list(Access)),
        agent=st.sampled_from(list(AgentClass)),
        party=st.sampled_from([None, 1, 2]),
    ),
    max_size=40,
).map(lambda rows: [row._replace(id=number) for number, row in enumerate(rows)])


def in_order(rows: list[Use]) -> list[Use]:
    return sorted(rows, key=lambda row: (row.at, row.id))


@given(rows_strategy)
def test_counts_by_party_add_up_to_the_total(rows: list[Use]) -> None:
    result = tally(in_order(rows), keys=lambda row: (str(row.party_id),))
    for name in ("value", "unique", "machine"):
        assert sum(getattr(cell, name) for cell in result.by.values()) == getattr(result.total, name)


@given(rows_strategy, st.integers())
def test_order_of_arrival_changes_no_figure(rows: list[Use], seed: int) -> None:
    shuffled = list(rows)
    Random(seed).shuffle(shuffled)
    assert tally(in_order(shuffled)).total == tally(in_order(rows)).total


@given(rows_strategy)
def test_every_row_gets_one_verdict_in_order(rows: list[Use]) -> None:
    judged = list(judge(in_order(rows)))
    assert [entry.use.id for entry in judged] == [row.id for row in in_order(rows)]


@given(rows_strategy, st.integers(7200, 9000))
def test_one_more_use_never_lowers_the_total(rows: list[Use], second: int) -> None:
    before = tally(in_order(rows)).total
    after = tally([*in_order(rows), use(DAY + timedelta(seconds=second), number=999)]).total
    assert after.value >= before.value
    assert after.machine == before.machine


@given(rows_strategy, st.integers(0, 7200))
def test_two_periods_add_up_to_the_whole(rows: list[Use], second: int) -> None:
    border = DAY + timedelta(seconds=second)
    ordered = in_order(rows)
    first = tally(ordered, until=border).total.value
    second_half = tally([row for row in ordered if row.at >= border]).total.value
    assert first + second_half == tally(ordered).total.value
