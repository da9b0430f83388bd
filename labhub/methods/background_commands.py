"""Searching methods in background genomes: only what is missing, in steps that each end with a commit.

A step searches a part of a genome for all versions that stand at the same place, and writes what it found
together with the next place: a worker that dies loses one step, and nothing is written twice. A genome is
searched by one worker at a time; its claim runs out when it has made no step for 40 seconds.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import contains_eager

from labhub import audit, clock
from labhub.accounts.actor import OPERATOR
from labhub.db import db, transaction
from labhub.doctor import Diagnosis
from labhub.errors import Conflict
from labhub.methods.assays import assays_of
from labhub.methods.background_models import (
    BackgroundProduct,
    BackgroundResult,
    BackgroundWork,
    ProductKind,
)
from labhub.methods.background_queries import MOST_TRIES, RULE, is_stale, is_wanted
from labhub.methods.models import DetectionMethod, MethodVersion
from labhub.methods.queries import content_of, whole_version
from labhub.sequences import background_commands as genomes
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.background_queries import DAMAGED, genome_library
from labhub.sequences.background_search import products_of_part
from labhub.sequences.insilico import Assay, Products, Settings
from labhub.sequences.packed import PackedLibrary

log = structlog.get_logger("labhub.backgrounds")

SEARCH = Settings(max_mismatches=3, three_prime_exact=3, min_size=40, max_size=1500)
STEP_BASES = 1 << 24
"""Packed positions of one step: about a second of work at a thousand assays."""
CLAIM = timedelta(seconds=40)
"""With the look every 15 seconds a dead worker's genome is taken up within a minute."""
TURN_SECONDS = 5.0
"""After so long other jobs get their turn."""
PLANNED_AT_ONCE = 500
SEARCHED_AT_ONCE = 2_000
"""Versions of one step."""
MOST_KEPT = 500
"""Products of a version in a genome that are kept one by one; the number is that of all."""
KINDS = (ProductKind.BOTH, ProductKind.FORWARD_ONLY, ProductKind.REVERSE_ONLY)
"""By the numbers of ``insilico.Products.kind``."""


class Lost(Exception):
    """Another worker has taken the genome over, or it was removed."""


@dataclass
class Turn:
    """A claim that is handed from one job to the next."""

    genome_id: int
    worker: str


def work(folder: Path, turn: Turn | None = None, *, seconds: float | None = None) -> Turn | None:
    """Search for about so many seconds; return the turn to go on with when there is more to do.

    Without a turn the first genome is taken where something is missing and nobody works.
    """
    end = monotonic() + (TURN_SECONDS if seconds is None else seconds)
    turn = turn or _claim_next()
    while turn is not None:
        try:
            while _step(turn, folder):
                if monotonic() >= end:
                    return turn
            _release(turn)
        except Lost:
            db.session.rollback()
        turn = _claim_next()
    return None


def is_work_waiting() -> bool:
    """Whether something is to be searched that nobody searches now; no when the database does not answer."""
    try:
        now = clock.now()
        held = select(BackgroundWork.genome_id).where(
            or_(BackgroundWork.claimed_until > now, BackgroundWork.tries >= MOST_TRIES)
        )
        taken = set(db.session.scalars(held))
        return any(number not in taken and _has_work(number) for number in _genomes())
    except SQLAlchemyError as error:
        log.warning("look-for-backgrounds", error=type(error).__name__)
        return False
    finally:
        db.session.rollback()


def _missing(genome_id: Any) -> Any:
    """Select the versions that are not searched, or not as they are now, in a genome."""
    return (
        select(MethodVersion.id)
        .outerjoin(
            BackgroundResult,
            and_(BackgroundResult.version_id == MethodVersion.id, BackgroundResult.genome_id == genome_id),
        )
        .where(is_wanted(), is_stale())
    )


def _claim_next() -> Turn | None:
    """Claim a genome that has work and no worker; a claim that ran out counts as a try."""
    waiting = [number for number in _genomes() if _has_work(number)]
    db.session.rollback()
    for genome_id in waiting:
        with transaction():
            if db.session.get(BackgroundGenome, genome_id, with_for_update=True) is None:
                continue
            row = db.session.get(BackgroundWork, genome_id, with_for_update=True, populate_existing=True)
            if row is None:
                row = BackgroundWork(genome_id=genome_id, worker="", tries=0)
                db.session.add(row)
            now = clock.now()
            if row.worker:
                if row.claimed_until is not None and row.claimed_until > now:
                    continue
                row.tries += 1
                row.worker = ""
            if row.tries >= MOST_TRIES:
                continue
            row.worker = secrets.token_hex(8)
            row.claimed_until = now + CLAIM
            return Turn(genome_id, row.worker)
    return None


def _genomes() -> list[int]:
    return list(
        db.session.scalars(
            select(BackgroundGenome.id).where(BackgroundGenome.problem == "").order_by(BackgroundGenome.id)
        )
    )


def _has_work(genome_id: int) -> bool:
    unfinished = select(BackgroundResult.id).where(
        BackgroundResult.genome_id == genome_id, BackgroundResult.computed_at.is_(None)
    )
    return (
        db.session.scalar(_missing(genome_id).limit(1)) is not None
        or db.session.scalar(unfinished.limit(1)) is not None
    )


def _renew(turn: Turn) -> BackgroundGenome:
    """Lock the claim for the rest of the transaction and make it last longer."""
    row = db.session.get(BackgroundWork, turn.genome_id, with_for_update=True, populate_existing=True)
    genome = db.session.get(BackgroundGenome, turn.genome_id, populate_existing=True)
    if row is None or genome is None or row.worker != turn.worker:
        raise Lost
    row.claimed_until = clock.now() + CLAIM
    return genome


def _release(turn: Turn) -> None:
    with transaction():
        row = db.session.get(BackgroundWork, turn.genome_id, with_for_update=True, populate_existing=True)
        if row is not None and row.worker == turn.worker:
            row.worker, row.claimed_until, row.tries = "", None, 0


# One step ------------------------------------------------------------------------------------


def _step(turn: Turn, folder: Path) -> bool:
    """Plan what is new, or search one part of the genome; return whether there was anything to do."""
    with transaction():
        genome = _renew(turn)
        planned = _plan(genome)
        batch = _batch(genome)
        name, slug = genome.name, genome.slug
    if not batch:
        return planned
    try:
        library = genome_library(genome, folder)
    except Conflict:
        with transaction():
            genomes.note_check(OPERATOR, _renew(turn), DAMAGED)
        return False
    low = batch[0][1]
    high = min(low + STEP_BASES, library.size)
    assays = [assay for _result, _position, own in batch for assay in own]
    owners = [place for place, (_result, _position, own) in enumerate(batch) for _assay in own]
    part = products_of_part(assays, library, low, high, SEARCH)
    with transaction():
        _renew(turn)
        results = {
            result.id: result
            for result in db.session.scalars(
                select(BackgroundResult)
                .where(BackgroundResult.id.in_([number for number, _position, _own in batch]))
                .with_for_update()
                .execution_options(populate_existing=True)
            )
        }
        kept: list[dict[str, Any]] = []
        of_batch = [results.get(number) for number, _position, _own in batch]
        for line in range(len(part.products)):
            result = of_batch[owners[int(part.products.assay[line])]]
            if result is None or result.position != low:
                continue  # planned anew, or removed, since the step began
            if result.products < MOST_KEPT:
                kept.append(_row(result.id, assays, library, part.products, line))
            result.products += 1
        for result in of_batch:
            if result is not None and result.position == low:
                result.position = high
                if high >= library.size:
                    result.computed_at = clock.now()
        for place, message in part.refused:
            result = of_batch[owners[place]]
            if result is not None and low == 0:
                result.refused = [*result.refused, f"{assays[place].name}: {message}"[:400]]
        for place in part.truncated:
            result = of_batch[owners[place]]
            if result is not None:
                result.truncated = True
        if kept:
            db.session.execute(insert(BackgroundProduct), kept)
        if high >= library.size:
            audit.record(
                None,
                "background.search",
                "background",
                slug,
                after={"name": name, "versions": len(batch), "rule": RULE},
            )
        work_row = db.session.get(BackgroundWork, turn.genome_id)
        if work_row is not None:
            work_row.tries = 0
    return True


def _batch(genome: BackgroundGenome) -> list[tuple[int, int, list[Assay]]]:
    """Return result, place and assays of unfinished searches that stand at the lowest place."""
    unfinished = (
        BackgroundResult.genome_id == genome.id,
        BackgroundResult.computed_at.is_(None),
    )
    lowest = db.session.scalar(
        select(BackgroundResult.position).where(*unfinished).order_by(BackgroundResult.position).limit(1)
    )
    if lowest is None:
        return []
    rows = db.session.execute(
        select(BackgroundResult.id, BackgroundResult.position, BackgroundResult.searched)
        .where(*unfinished, BackgroundResult.position == lowest)
        .order_by(BackgroundResult.id)
        .limit(SEARCHED_AT_ONCE)
    ).all()
    return [
        (
            number,
            position,
            [Assay(name, forward, reverse, probe) for name, forward, reverse, probe in searched],
        )
        for number, position, searched in rows
    ]


def _plan(genome: BackgroundGenome) -> bool:
    """Write a row for versions that have none, and begin anew where what is searched has changed."""
    wanted = db.session.scalars(_missing(genome.id).order_by(MethodVersion.id).limit(PLANNED_AT_ONCE)).all()
    if not wanted:
        return False
    versions = db.session.scalars(
        select(MethodVersion)
        .where(MethodVersion.id.in_(wanted))
        .join(DetectionMethod, DetectionMethod.id == MethodVersion.method_id)
        .options(contains_eager(MethodVersion.method), *whole_version())
        .execution_options(populate_existing=True)
    ).all()
    present = {
        result.version_id: result
        for result in db.session.scalars(
            select(BackgroundResult).where(
                BackgroundResult.genome_id == genome.id, BackgroundResult.version_id.in_(wanted)
            )
        )
    }
    now = clock.now()
    for version in versions:
        searched = _searched(version)
        digest = sha256(json.dumps([RULE, asdict(SEARCH), searched]).encode()).hexdigest()
        result = present.get(version.id)
        if result is None:
            result = BackgroundResult(genome_id=genome.id, version_id=version.id, products=0)
            db.session.add(result)
        elif result.digest == digest:
            result.row_version, result.rule = version.row_version, RULE
            continue
        else:
            db.session.execute(delete(BackgroundProduct).where(BackgroundProduct.result_id == result.id))
        result.row_version = version.row_version
        result.rule, result.digest = RULE, digest
        result.searched = searched
        result.refused = []
        result.settings = {
            name: getattr(SEARCH, name)
            for name in ("max_mismatches", "three_prime_exact", "min_size", "max_size")
        }
        result.position, result.products, result.truncated = 0, 0, False
        result.computed_at = None if searched else now
    db.session.flush()
    return True


def _searched(version: MethodVersion) -> list[list[str]]:
    """Return the assays of a version, each oligo as it is searched."""
    assays = assays_of(content_of(version))
    return [[assay.name, assay.forward, assay.reverse, assay.probe] for assay in assays]


def _row(
    result_id: int, assays: Sequence[Assay], library: PackedLibrary, products: Products, line: int
) -> dict[str, Any]:
    record = int(products.record[line])
    start, size = int(products.start[line]), int(products.size[line])
    length = int(library.lengths[record])
    end = start + size
    probe = int(products.probe_mm[line])
    return {
        "result_id": result_id,
        "assay": assays[int(products.assay[line])].name[:300],
        "record": library.names[record][:200],
        "start_bp": start + 1,
        "end_bp": end if end <= length else end - length,
        "size_bp": size,
        "strand": int(products.strand[line]),
        "kind": KINDS[int(products.kind[line])],
        "forward_mismatches": int(products.mm_f[line]),
        "reverse_mismatches": int(products.mm_r[line]),
        "probe_mismatches": probe if probe >= 0 else None,
    }


# The operator's ------------------------------------------------------------------------------


def forgive(genome_id: int) -> None:
    """Let a genome be searched again whose search has failed too often."""
    row = db.session.get(BackgroundWork, genome_id, with_for_update=True, populate_existing=True)
    if row is not None and row.tries:
        row.tries = 0


def examine(diagnosis: Diagnosis) -> None:
    """Say for ``labhub doctor`` which genomes are not searched any more because it failed too often."""
    stopped = db.session.scalars(
        select(BackgroundGenome.name)
        .join(BackgroundWork, BackgroundWork.genome_id == BackgroundGenome.id)
        .where(BackgroundWork.tries >= MOST_TRIES)
        .order_by(BackgroundGenome.name_key)
    ).all()
    for name in stopped:
        diagnosis.problems.append(
            f"background genome {name}: its search has failed {MOST_TRIES} times in a row "
            f"(labhub sequences background verify {name!r} lets it begin again)"
        )
    db.session.rollback()
