"""What methods find in background genomes, for pages. Who sees a version sees what was found for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from labhub.db import db
from labhub.i18n import Text, _
from labhub.methods.background_models import (
    BackgroundProduct,
    BackgroundResult,
    BackgroundWork,
    ProductKind,
)
from labhub.methods.models import MethodState, MethodVersion, Specificity
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.background_queries import scientific_names, short_bases

RULE = "2026-1"
"""Version of what is searched for; another one makes every result be computed anew."""
MOST_TRIES = 5
SHOWN_PRODUCTS = 50
"""Products of one genome on a page; all that are kept are in the API."""
NOT_SEARCHED = (MethodState.SUPERSEDED, MethodState.WITHDRAWN)
"""What was computed for such versions stays; nothing new is computed."""


def is_wanted() -> ColumnElement[bool]:
    """Return the condition that a version is to be searched in every genome."""
    return MethodVersion.state.not_in(NOT_SEARCHED)


def is_stale() -> ColumnElement[bool]:
    """Return the condition that a result (outer-joined, perhaps none) is not that of its version now."""
    return or_(
        BackgroundResult.id.is_(None),
        BackgroundResult.row_version != MethodVersion.row_version,
        BackgroundResult.rule != RULE,
    )


@dataclass(frozen=True)
class Standing:
    """How far the methods have been searched in one genome."""

    done: int
    all: int
    percent: int
    """Of the bases, for those that are in work now."""
    stopped: bool


def standing(genome_ids: Collection[int]) -> dict[int, Standing]:
    """Return for each genome how many versions were searched, of how many."""
    if not genome_ids:
        return {}
    total = db.session.scalar(select(func.count()).select_from(MethodVersion).where(is_wanted())) or 0
    done = dict(
        db.session.execute(
            select(BackgroundResult.genome_id, func.count())
            .join(MethodVersion, MethodVersion.id == BackgroundResult.version_id)
            .where(
                BackgroundResult.genome_id.in_(genome_ids),
                BackgroundResult.computed_at.is_not(None),
                is_wanted(),
                ~is_stale(),
            )
            .group_by(BackgroundResult.genome_id)
        ).all()
    )
    under_way = dict(
        db.session.execute(
            select(BackgroundResult.genome_id, func.max(BackgroundResult.position))
            .where(BackgroundResult.genome_id.in_(genome_ids), BackgroundResult.computed_at.is_(None))
            .group_by(BackgroundResult.genome_id)
        ).all()
    )
    sizes = dict(
        db.session.execute(
            select(BackgroundGenome.id, BackgroundGenome.base_count).where(
                BackgroundGenome.id.in_(genome_ids)
            )
        ).all()
    )
    stopped = set(
        db.session.scalars(select(BackgroundWork.genome_id).where(BackgroundWork.tries >= MOST_TRIES))
    )
    return {
        number: Standing(
            done.get(number, 0),
            total,
            min(99, 100 * under_way.get(number, 0) // max(sizes.get(number, 1), 1)),
            number in stopped,
        )
        for number in genome_ids
    }


@dataclass(frozen=True)
class Place:
    """A product as it is shown."""

    assay: str
    record: str
    start: int
    end: int
    size: int
    strand: str
    kind: ProductKind
    forward_mismatches: int
    reverse_mismatches: int
    probe_mismatches: int | None
    wraps: bool


@dataclass
class Row:
    """One genome in the table of a version."""

    name: str
    slug: str
    taxon: str
    bases: str
    usable: bool
    is_done: bool
    computed_at: Any
    """When the search ended; empty while it has not."""
    percent: int
    stopped: bool
    is_expected: bool
    """Whether a product is what the method is for: it detects this taxon."""
    is_judged: bool
    """Whether that can be said: not of a taxon-specific method that names no taxon."""
    products: int
    max_mismatches: int
    refused: list[str]
    truncated: bool
    places: list[Place] = field(default_factory=list)
    statement: Text = ""


@dataclass
class BackgroundTable:
    """What the page of a version says about background genomes."""

    rows: list[Row]
    has_assays: bool
    """Whether there is anything to search: protein tests have no primers."""

    @property
    def unexpected(self) -> int:
        """Genomes with products that nobody wants."""
        return sum(1 for row in self.rows if row.products and row.is_judged and not row.is_expected)


def background_table(version: MethodVersion) -> BackgroundTable:
    """Return what was found of a version in each background genome; four queries.

    A product is expected where a taxon-specific method is searched in a genome of its own taxon.
    """
    found = db.session.execute(
        select(BackgroundGenome, BackgroundResult, BackgroundWork.tries)
        .outerjoin(
            BackgroundResult,
            and_(
                BackgroundResult.genome_id == BackgroundGenome.id, BackgroundResult.version_id == version.id
            ),
        )
        .outerjoin(BackgroundWork, BackgroundWork.genome_id == BackgroundGenome.id)
        .order_by(BackgroundGenome.name_key)
    ).all()
    if not found:
        return BackgroundTable([], has_assays=bool(version.oligos))
    own = _own_taxa(version, [genome.taxon for genome, _result, _tries in found if genome.taxon])
    places = _places([result.id for _genome, result, _tries in found if result is not None])
    rows = []
    has_assays = False
    for genome, result, tries in found:
        is_current = (
            result is not None
            and result.rule == RULE
            and (result.row_version == version.row_version or version.state in NOT_SEARCHED)
        )
        if is_current and result.searched:
            has_assays = True
        is_done = is_current and result.computed_at is not None
        if not is_done and version.state in NOT_SEARCHED:
            continue
        row = Row(
            name=genome.name,
            slug=genome.slug,
            taxon=genome.taxon,
            bases=short_bases(genome.base_count),
            usable=not genome.problem,
            is_done=is_done,
            computed_at=result.computed_at if is_done else None,
            percent=min(99, 100 * result.position // genome.base_count) if is_current else 0,
            stopped=(tries or 0) >= MOST_TRIES,
            is_expected=genome.taxon in own,
            is_judged=version.specificity is not Specificity.TAXON or bool(_taxon_of(version)),
            products=result.products if is_done else 0,
            max_mismatches=result.settings.get("max_mismatches", 0) if is_current else 0,
            refused=list(result.refused) if is_done else [],
            truncated=result.truncated if is_done else False,
            places=places.get(result.id, []) if is_done else [],
        )
        row.statement = _statement(row)
        rows.append(row)
    waits = bool(version.oligos) and any(not row.is_done for row in rows)
    return BackgroundTable(rows, has_assays or waits)


def _statement(row: Row) -> Text:
    if not row.is_done:
        return ""
    if row.products:
        return ""
    return _(
        "No product in %(genome)s (%(bases)s) with up to %(mismatches)s mismatches.",
        genome=row.name,
        bases=row.bases,
        mismatches=row.max_mismatches,
    )


def _taxon_of(version: MethodVersion) -> str:
    return version.taxon_scientific or version.taxon_common or ""


def _own_taxa(version: MethodVersion, taxa: Collection[str]) -> set[str]:
    """Return those taxa of genomes in which a product is what the method is for."""
    given = _taxon_of(version)
    if version.specificity is not Specificity.TAXON or not given:
        return set()
    meant = scientific_names({given, *taxa})
    return {taxon for taxon in taxa if meant[taxon] & meant[given]}


def _places(result_ids: Collection[int]) -> Mapping[int, list[Place]]:
    numbered = (
        select(
            BackgroundProduct,
            func.row_number()
            .over(partition_by=BackgroundProduct.result_id, order_by=BackgroundProduct.id)
            .label("place"),
        )
        .where(BackgroundProduct.result_id.in_(result_ids))
        .subquery()
    )
    found: dict[int, list[Place]] = {}
    for row in db.session.execute(
        select(numbered).where(numbered.c.place <= SHOWN_PRODUCTS).order_by(numbered.c.id)
    ).mappings():
        found.setdefault(row["result_id"], []).append(
            Place(
                assay=row["assay"],
                record=row["record"],
                start=row["start_bp"],
                end=row["end_bp"],
                size=row["size_bp"],
                strand="+" if row["strand"] > 0 else "-",
                kind=ProductKind(row["kind"]),
                forward_mismatches=row["forward_mismatches"],
                reverse_mismatches=row["reverse_mismatches"],
                probe_mismatches=row["probe_mismatches"],
                wraps=row["end_bp"] < row["start_bp"],
            )
        )
    return found
