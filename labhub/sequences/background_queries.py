"""Everything that reads background genomes: everybody may know of them, the operator changes them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import Select, or_, select

from labhub.db import db
from labhub.errors import Conflict, Invalid, NotFound
from labhub.i18n import N_, Message, _
from labhub.lmos.bch import register_key
from labhub.lmos.taxa_models import TaxonName
from labhub.names import name_key
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.packed import PackedLibrary, check_pack, open_pack

MISSING = N_("Its file is missing.")
DAMAGED = N_("Its file has changed since it was added.")
CHECKED_FOR_SECONDS = 600
"""A process that has read a file whole trusts it for so long while its size and times stay the same."""

LIST_COLUMNS = {
    "name": BackgroundGenome.name_key,
    "taxon": BackgroundGenome.taxon,
    "base_count": BackgroundGenome.base_count,
    "added_at": BackgroundGenome.added_at,
}
LIST_TIE = BackgroundGenome.id


def listed_genomes(q: str = "", taxon: str = "") -> Select[*tuple[Any, ...]]:
    """Select what the list shows of each genome; ``q`` looks in name, taxon and source."""
    query: Select[*tuple[Any, ...]] = select(
        BackgroundGenome.id,
        BackgroundGenome.name,
        BackgroundGenome.slug,
        BackgroundGenome.taxon,
        BackgroundGenome.source,
        BackgroundGenome.licence,
        BackgroundGenome.record_count,
        BackgroundGenome.circular_count,
        BackgroundGenome.base_count,
        BackgroundGenome.longest_record,
        BackgroundGenome.digest,
        BackgroundGenome.file_bytes,
        BackgroundGenome.from_file,
        BackgroundGenome.added_at,
        BackgroundGenome.verified_at,
        BackgroundGenome.problem,
    )
    if q.strip():
        query = query.where(
            or_(
                BackgroundGenome.name.icontains(q.strip(), autoescape=True),
                BackgroundGenome.taxon.icontains(q.strip(), autoescape=True),
                BackgroundGenome.source.icontains(q.strip(), autoescape=True),
            )
        )
    if taxon.strip():
        meant = scientific_names([taxon])[taxon]
        query = query.where(BackgroundGenome.taxon.in_(sorted(meant)))
    return query


def all_genomes() -> Sequence[BackgroundGenome]:
    """Return every genome, by name."""
    return db.session.scalars(select(BackgroundGenome).order_by(BackgroundGenome.name_key)).all()


def find_genome(name: str) -> BackgroundGenome:
    """Return a genome by its name, whatever the case, or by the name without blanks that the list shows."""
    wanted = name.strip()[:200]
    found = None
    if wanted.isprintable() and wanted:
        found = db.session.scalar(
            select(BackgroundGenome).where(
                or_(BackgroundGenome.name_key == name_key(wanted), BackgroundGenome.slug == wanted.casefold())
            )
        )
    if found is None:
        raise NotFound(_("There is no background genome %(name)s.", name=wanted))
    return found


def scientific_names(texts: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return for each name of a taxon the accepted scientific names that it may mean; itself when unknown."""
    keys = {text: register_key(text) for text in texts}
    known: dict[str, set[str]] = {}
    for scientific, key in db.session.execute(
        select(TaxonName.scientific, TaxonName.name_key).where(TaxonName.name_key.in_(set(keys.values())))
    ):
        known.setdefault(key, set()).add(scientific)
    return {text: frozenset(known.get(key, {text.strip()})) for text, key in keys.items()}


def short_bases(count: int) -> str:
    """Return a number of bases as people say it.

    >>> short_bases(999), short_bases(140_384), short_bases(9_999_999), short_bases(3_100_000_000)
    ('999 b', '140 kb', '10 Mb', '3.1 Gb')
    """
    for unit, size in (("Gb", 10**9), ("Mb", 10**6), ("kb", 1000)):
        if count >= size * 0.9995:
            value = count / size
            return f"{value:.1f} {unit}".replace(".0 ", " ") if value < 9.95 else f"{value:.0f} {unit}"
    return f"{count} b"


# Files ---------------------------------------------------------------------------------------

_checked: dict[Path, tuple[tuple[int, ...], float]] = {}


def unusable(genome: BackgroundGenome, problem: str) -> Message:
    """Return why a genome cannot be used, in words."""
    return _(
        "The background genome %(name)s cannot be used: %(problem)s Remove it and add it again.",
        name=genome.name,
        problem=_(problem),
    )


def file_problem(genome: BackgroundGenome, folder: Path) -> str:
    """Read the file of a genome whole and return why it cannot be used; empty when it can."""
    path = folder / genome.file_name
    _checked.pop(path, None)
    try:
        state = _state(path)
        library = check_pack(path)
    except FileNotFoundError:
        return MISSING
    except Invalid:
        return DAMAGED
    if library.digest != genome.digest:
        return DAMAGED
    _checked[path] = (state, monotonic())
    return ""


def genome_library(genome: BackgroundGenome, folder: Path) -> PackedLibrary:
    """Return the bases of a genome, mapped from its file after that was read whole and found unchanged.

    Raises ``Conflict`` when the file is missing or differs from what was added.
    """
    path = folder / genome.file_name
    trusted = _checked.get(path)
    is_fresh = (
        trusted is not None
        and path.exists()
        and trusted[0] == _state(path)
        and monotonic() - trusted[1] < CHECKED_FOR_SECONDS
    )
    if not is_fresh and (problem := file_problem(genome, folder)):
        raise Conflict(unusable(genome, problem))
    return open_pack(path)


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
