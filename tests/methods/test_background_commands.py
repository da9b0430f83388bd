"""Methods are searched in background genomes in steps: only what is missing, once, whoever dies."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from labhub import clock
from labhub.accounts.actor import OPERATOR, Role
from labhub.audit import AuditEntry
from labhub.db import db, transaction
from labhub.doctor import Diagnosis
from labhub.methods import background_commands as commands
from labhub.methods import background_queries as queries
from labhub.methods import commands as method_commands
from labhub.methods.assays import assays_of
from labhub.methods.background_models import BackgroundProduct, BackgroundResult, BackgroundWork
from labhub.methods.models import MethodVersion
from labhub.methods.queries import content_of
from labhub.sequences import background_commands
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.background_queries import genome_library
from labhub.sequences.insilico import search
from labhub.sequences.oligos import reverse_complement
from tests.conftest import FakeClock
from tests.factories import make_actor, make_background, make_laboratory, make_method, make_second_version

FORWARD, REVERSE = "TCGAAGGACGAAGGACTCTAACG", "GCCACCTTCCTTTTCCACTATCTT"
PROBE = "AACATCCTTTGCCATTGCCCAGC"
AMPLICON = FORWARD + "TTGCATTCGGATCACGAAGG" + PROBE + "ATTCAGG" + reverse_complement(REVERSE)


def bases(size: int, seed: int = 3) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=size))


@pytest.fixture
def genome(app: Flask, tmp_path: Path) -> Callable[..., BackgroundGenome]:
    def make(*records: str, name: str = "Zea mays chloroplast", **known: Any) -> BackgroundGenome:
        path = tmp_path / "genome.fa"
        path.write_text("".join(f">chr{number}\n{each}\n" for number, each in enumerate(records, 1)))
        return make_background(app, path, name=name, **known)

    return make


def folder_of(app: Flask) -> Path:
    return Path(app.extensions["labhub.config"].backgrounds)


def work(app: Flask, **how: Any) -> commands.Turn | None:
    found = commands.work(folder_of(app), **how)
    db.session.rollback()
    return found


def result_of(version: MethodVersion, genome: BackgroundGenome) -> BackgroundResult:
    db.session.expire_all()
    return db.session.scalars(
        select(BackgroundResult).where(
            BackgroundResult.version_id == version.id, BackgroundResult.genome_id == genome.id
        )
    ).one()


def test_a_product_is_found_with_chromosome_place_size_and_mismatches(app: Flask, genome: Any) -> None:
    wrong = AMPLICON[:3] + ("A" if AMPLICON[3] != "A" else "C") + AMPLICON[4:]
    made = genome(bases(400), bases(1000) + reverse_complement(wrong) + bases(500, 4), taxon="Zea mays")
    version = make_method(state="published")
    assert work(app) is None
    result = result_of(version, made)
    assert (result.products, result.truncated, result.refused) == (1, False, [])
    assert result.computed_at is not None
    (product,) = result.found
    assert (product.record, product.start_bp, product.end_bp) == ("chr2", 1001, 1000 + len(AMPLICON))
    assert (product.size_bp, product.strand) == (len(AMPLICON), -1)
    assert (product.forward_mismatches, product.reverse_mismatches, product.probe_mismatches) == (1, 0, 0)
    assert product.assay == version.method.code


def test_a_product_over_the_origin_ends_before_it_begins(app: Flask, genome: Any) -> None:
    made = genome(AMPLICON[50:] + bases(2000) + AMPLICON[:50], circular=True)
    version = make_method(state="published")
    work(app)
    (product,) = result_of(version, made).found
    rest = len(AMPLICON) - 50
    assert (product.start_bp, product.end_bp, product.size_bp) == (2001 + rest, rest, len(AMPLICON))


@pytest.mark.parametrize("step", [512, 1000, 100_000])
def test_steps_find_what_one_search_finds(
    app: Flask, genome: Any, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STEP_BASES", step)
    made = genome(
        bases(700) + AMPLICON + bases(400, 5) + reverse_complement(AMPLICON),
        AMPLICON + bases(3000, 6),
    )
    version = make_method(state="published")
    work(app)
    library = genome_library(made, folder_of(app))
    whole = search(assays_of(content_of(version)), library, commands.SEARCH)
    result = result_of(version, made)
    assert result.products == len(whole.products) == 3
    assert [(each.record, each.start_bp) for each in result.found] == [
        (library.names[record], start + 1)
        for record, start in zip(whole.products.record.tolist(), whole.products.start.tolist(), strict=True)
    ]
    assert result.position == library.size


def test_only_what_is_missing_is_searched(app: Flask, genome: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[list[str]] = []
    real = commands.products_of_part

    def noted(assays: Any, *rest: Any) -> Any:
        searched.append([assay.name for assay in assays])
        return real(assays, *rest)

    monkeypatch.setattr(commands, "products_of_part", noted)
    genome(bases(900))
    first = make_method(state="published")
    work(app)
    work(app)
    assert searched == [[first.method.code]]
    second = make_method(title="Another")
    work(app)
    assert searched[1:] == [[second.method.code]]
    genome(bases(700, 9), name="another")
    work(app)
    assert searched[2:] == [[first.method.code, second.method.code]]
    work(app)
    assert len(searched) == 3


def test_a_changed_draft_is_searched_anew_and_one_whose_oligos_stay_is_not(app: Flask, genome: Any) -> None:
    made = genome(bases(300) + AMPLICON + bases(300, 7))
    actor = make_actor(Role.MANAGER, laboratory=make_laboratory())
    version = make_method(actor=actor)
    work(app)
    first = result_of(version, made)
    assert first.products == 1
    computed_at = first.computed_at
    code = version.method.code
    with transaction():
        version = method_commands.change_draft(actor, code, {"title": "New words"}, expected=version.edition)
    work(app)
    again = result_of(version, made)
    assert (again.computed_at, again.row_version) == (computed_at, version.row_version)
    oligos = [
        {"role": "forward", "name": "f", "sequence": bases(20, 11)},
        {"role": "reverse", "name": "r", "sequence": bases(20, 12)},
    ]
    with transaction():
        method_commands.change_draft(actor, code, {"oligos": oligos}, expected=version.edition)
    work(app)
    result = result_of(version, made)
    assert (result.products, list(result.found)) == (0, [])
    assert db.session.scalar(select(func.count()).select_from(BackgroundProduct)) == 0


def test_superseded_versions_keep_what_was_found(app: Flask, genome: Any) -> None:
    made = genome(AMPLICON + bases(300, 7))
    actor = make_actor(Role.MANAGER, laboratory=make_laboratory())
    old = make_method(actor=actor, state="published")
    work(app)
    new = make_second_version(actor, old.method.code, title="Better")
    work(app)
    assert result_of(new, made).products == 1
    db.session.refresh(old)
    assert old.state.value == "superseded"
    (row,) = queries.background_table(old).rows
    assert (row.is_done, row.products) == (True, 1)


def test_methods_without_primers_have_nothing_to_search(app: Flask, genome: Any) -> None:
    made = genome(bases(300))
    version = make_method(technique="protein", oligos=[], analyte="Cry1Ab", amplicon_bp=None)
    work(app)
    assert result_of(version, made).computed_at is not None
    assert not queries.background_table(version).has_assays


@pytest.mark.req("F14")
def test_a_killed_worker_is_followed_by_another_that_goes_on(
    app: Flask, genome: Any, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STEP_BASES", 1000)
    made = genome(AMPLICON + bases(2500) + AMPLICON + bases(2000, 8) + AMPLICON + bases(100, 9))
    version = make_method(state="published")
    real = commands.products_of_part
    calls: list[int] = []

    class Killed(BaseException):
        pass

    def until_killed(assays: Any, library: Any, low: int, high: int, settings: Any) -> Any:
        calls.append(low)
        if len(calls) == 4:
            raise Killed
        return real(assays, library, low, high, settings)

    monkeypatch.setattr(commands, "products_of_part", until_killed)
    with pytest.raises(Killed):
        work(app)
    db.session.rollback()
    half = result_of(version, made)
    assert (half.position, half.products, half.computed_at) == (3000, 2, None)
    (row,) = queries.background_table(version).rows
    assert not row.is_done and 0 < row.percent < 100
    assert work(app) is None  # the claim of the dead one still holds
    assert result_of(version, made).position == 3000
    fake_clock.forward(seconds=41)
    assert work(app) is None
    result = result_of(version, made)
    assert calls[:5] == [0, 1000, 2000, 3000, 3000]
    assert result.products == 3
    assert [each.start_bp for each in result.found] == [1, 2501 + len(AMPLICON), 4501 + 2 * len(AMPLICON)]


def test_a_worker_that_was_taken_for_dead_writes_nothing(
    app: Flask, genome: Any, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = genome(AMPLICON + bases(500))
    version = make_method(state="published")
    real = commands.products_of_part
    slow: list[bool] = [True]

    def overtaken(*given: Any) -> Any:
        found = real(*given)
        if slow.pop() if slow else False:
            fake_clock.forward(seconds=41)
            assert commands.work(folder_of(app)) is None
        return found

    monkeypatch.setattr(commands, "products_of_part", overtaken)
    assert work(app) is None
    result = result_of(version, made)
    assert (result.products, len(result.found)) == (1, 1)
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "background.search")).all()
    assert len(entries) == 1


@pytest.mark.req("F14")
def test_a_search_that_always_fails_stops_after_five_tries_and_doctor_says_so(
    app: Flask, genome: Any, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = genome(bases(500), name="poison")
    version = make_method(state="published")
    tried: list[int] = []

    def fails(*_given: Any) -> Any:
        tried.append(1)
        raise MemoryError

    monkeypatch.setattr(commands, "products_of_part", fails)
    for _ in range(8):
        try:
            work(app)
        except MemoryError:
            db.session.rollback()
        fake_clock.forward(seconds=41)
    assert len(tried) == 5
    assert queries.standing([made.id])[made.id].stopped
    assert queries.background_table(version).rows[0].stopped
    diagnosis = Diagnosis()
    commands.examine(diagnosis)
    assert len(diagnosis.problems) == 1 and "poison" in diagnosis.problems[0]
    monkeypatch.undo()
    with transaction():
        commands.forgive(made.id)
    work(app)
    assert result_of(version, made).computed_at is not None


def test_long_work_is_done_in_turns(app: Flask, genome: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "STEP_BASES", 1000)
    made = genome(bases(4000))
    version = make_method(state="published")
    turn = work(app, seconds=0)
    assert turn is not None
    assert work(app) is None  # somebody has the turn
    steps = 1
    while turn is not None:
        turn = work(app, turn=turn, seconds=0)
        steps += 1
    assert steps >= 4
    assert result_of(version, made).computed_at is not None
    assert db.session.scalars(select(BackgroundWork.worker)).all() == [""]


def test_a_damaged_genome_is_not_searched(app: Flask, genome: Any) -> None:
    made = genome(AMPLICON + bases(500))
    version = make_method(state="published")
    path = folder_of(app) / made.file_name
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(bytes(content))
    assert work(app) is None
    assert result_of(version, made).computed_at is None
    (row,) = queries.background_table(version).rows
    assert not row.usable and not row.is_done


def test_a_removed_genome_takes_its_results_along(app: Flask, genome: Any) -> None:
    made = genome(AMPLICON + bases(500))
    make_method(state="published")
    work(app)
    with transaction():
        background_commands.remove_genome(OPERATOR, db.session.merge(made), folder=folder_of(app))
    for table in (BackgroundResult, BackgroundProduct, BackgroundWork):
        assert db.session.scalar(select(func.count()).select_from(table)) == 0


def test_many_products_are_counted_and_the_first_ones_kept(
    app: Flask, genome: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MOST_KEPT", 2)
    made = genome((AMPLICON + bases(1600)) * 5)
    version = make_method(state="published")
    work(app)
    result = result_of(version, made)
    assert (result.products, len(result.found)) == (5, 2)
    (row,) = queries.background_table(version).rows
    assert (row.products, len(row.places)) == (5, 2)


def test_the_job_of_the_hub_looks_for_work_and_does_it(
    app: Flask, genome: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = genome(AMPLICON + bases(2500))
    version = make_method(state="published")
    monkeypatch.setattr(commands, "STEP_BASES", 1000)
    monkeypatch.setattr(commands, "TURN_SECONDS", 0)
    (look,) = [
        each
        for each in app.extensions["labhub.jobs"].watches
        if each.__module__ == "labhub.methods.background_views"
    ]
    look()
    db.session.rollback()
    assert result_of(version, made).computed_at is not None
    assert not commands.is_work_waiting()


# What pages say


def test_a_clean_genome_is_said_to_be_clean(app: Flask, genome: Any, fake_clock: FakeClock) -> None:
    genome(bases(140_384))
    version = make_method(state="published")
    fake_clock.forward(hours=1)
    work(app)
    (row,) = queries.background_table(version).rows
    assert str(row.statement) == "No product in Zea mays chloroplast (140 kb) with up to 3 mismatches."
    assert row.computed_at == clock.now()
    assert clock.now() - version.created_at >= timedelta(hours=1)


@pytest.mark.parametrize(
    ("specificity", "taxon", "expected"),
    [("taxon", "Zea mays", True), ("taxon", "Oryza sativa", False), ("event", "Zea mays", False)],
)
def test_products_are_expected_in_the_own_taxon_of_taxon_specific_methods(
    app: Flask, genome: Any, specificity: str, taxon: str, expected: bool
) -> None:
    genome(AMPLICON + bases(500), taxon=taxon)
    version = make_method(specificity=specificity, reference_method=None)
    work(app)
    table = queries.background_table(version)
    (row,) = table.rows
    assert row.is_expected is expected
    assert table.unexpected == (0 if expected else 1)


def test_a_taxon_specific_method_without_taxon_is_not_judged(app: Flask, genome: Any) -> None:
    genome(AMPLICON + bases(500), taxon="Zea mays")
    version = make_method(specificity="taxon", taxon=None, reference_method=None)
    work(app)
    table = queries.background_table(version)
    (row,) = table.rows
    assert (row.products, row.is_judged, table.unexpected) == (1, False, 0)


def test_the_page_of_a_method_says_what_was_found(app: Flask, genome: Any, client: FlaskClient) -> None:
    genome(bases(500) + AMPLICON, taxon="Oryza sativa", name="Rice <x>")
    version = make_method(state="published")
    address = f"/methods/{version.method.code}"
    assert "waits for its search" in client.get(address).text
    genome(bases(900, 21), name="Clean")
    work(app)
    page = " ".join(client.get(address).text.split())  # the kept page of before is not shown again
    count = 500 + len(AMPLICON)
    assert f"1 product in Rice &lt;x&gt; ({count} b) with up to 3 mismatches." in page
    assert "unexpected" in page
    assert "No product in Clean (900 b) with up to 3 mismatches." in page
    assert f"501–{count}" in page
    assert "waits for its search" not in page


def test_the_list_says_how_many_methods_were_searched(app: Flask, genome: Any, client: FlaskClient) -> None:
    genome(bases(500))
    make_method(state="published")
    make_method(title="Second")
    assert "0 of 2" in client.get("/sequences/backgrounds").text
    work(app)
    assert "2 of 2" in client.get("/sequences/backgrounds").text
