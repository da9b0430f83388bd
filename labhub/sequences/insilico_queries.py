"""In-silico PCR on the hub's records or on a file that somebody brings: what it costs, and what it finds.

Records that the person may not see are searched along (the library is one), and left out before anything is
counted or told; where they could show in what was cut off, the search is done again without them.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.errors import Invalid
from labhub.i18n import Message, Text, _
from labhub.sequences.insilico import Aligned, Assay, Found, Products, Settings, aligned_primers, search
from labhub.sequences.insilico_pictures import probe_in
from labhub.sequences.library_queries import (
    HubLibrary,
    bases_to_pack,
    has_index,
    hub_library,
    is_in_library,
    part_of,
    searched_records,
    visible_records,
)
from labhub.sequences.melting import Conditions, of_products
from labhub.sequences.models import ReferenceSequence, SequenceState, Visibility
from labhub.sequences.oligos import IUPAC, read_oligo
from labhub.sequences.packed import PackedLibrary, pack
from labhub.sequences.queries import is_visible

MOST_ASSAYS = 2_000
"""Assays of one request."""
MOST_RECORDS = 500
"""Accessions that one request names."""
MOST_UPLOADED_BASES = 20_000_000
LONGEST_SIZE = 20_000
"""The largest product, bp."""
LEAST_BITS = 20.0
"""What the letters of an oligo must say together: two bits a plain base, none an N. Ten plain bases."""
FEW_ASSAYS = 50
"""With so many an index is faster than reading everything."""
MOST_MELTED = 1_000
"""Products of one answer with melting temperatures, where they are asked for."""
MOST_WORDS = 256
"""Plain sequences of a primer beyond which it is compared with every place."""
MOST_MELTED_WORDS = 8
"""Plain sequences of a primer beyond which melting temperatures are left to a job."""
MOST_LISTED = 50_000
"""Products of one answer."""
MOST_DETAILED = 5_000
"""Products with their sites; the others are listed without."""
SHORT_SECONDS = 1.0
"""What takes longer becomes a job."""
MOST_SECONDS = 900.0
"""What takes longer is refused."""

KINDS = ("FR", "FF", "RR")


@dataclass(frozen=True)
class Asked:
    """An assay of a request, and the method that it comes from."""

    name: str
    forward: str
    reverse: str
    probe: str = ""
    method: str = ""
    version: int = 0
    forward_nanomolar: float | None = None
    reverse_nanomolar: float | None = None


@dataclass(frozen=True)
class Question:
    """What is searched, where, and how."""

    assays: tuple[Asked, ...]
    settings: Settings = field(default_factory=Settings)
    accessions: tuple[str, ...] = ()
    """Hub records that were chosen; none: all that the person may see."""
    records: tuple[tuple[str, str, bool], ...] | None = None
    """Name, bases and topology of records that the person brought; they are not kept."""
    conditions: Conditions | None = None
    """What melting temperatures are computed for; none: they are not."""
    not_searched: tuple[tuple[str, Text], ...] = ()
    """Methods that give no assay, each with the reason."""

    def as_payload(self) -> dict[str, Any]:
        """Return the question as what a job needs."""
        return {
            "assays": [asdict(assay) for assay in self.assays],
            "settings": asdict(self.settings),
            "accessions": list(self.accessions),
            "records": None if self.records is None else [list(record) for record in self.records],
            "conditions": None if self.conditions is None else asdict(self.conditions),
            "not_searched": [list(each) for each in self.not_searched],
        }

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "Question":
        """Return the question of a job."""
        records = payload["records"]
        return cls(
            assays=tuple(Asked(**assay) for assay in payload["assays"]),
            settings=Settings(**payload["settings"]),
            accessions=tuple(payload["accessions"]),
            records=None if records is None else tuple((n, b, c) for n, b, c in records),
            conditions=None if payload["conditions"] is None else Conditions(**payload["conditions"]),
            not_searched=tuple((name, reason) for name, reason in payload["not_searched"]),
        )


def settings_for(assays: int, **given: Any) -> Settings:
    """Return settings whose limits of sites and products keep many assays within memory; checked."""
    settings = Settings(
        **given,
        most_sites=max(2_000, min(1_000_000, 2_000_000 // max(assays, 1))),
        most_products=max(500, min(50_000, 1_000_000 // max(assays, 1))),
    )
    settings.check()
    return settings


# What is searched -----------------------------------------------------------------------------


def checked_accessions(actor: Actor | None, accessions: Iterable[str]) -> tuple[str, ...]:
    """Return the accessions of records that can be searched; raises ``Invalid`` naming one that cannot."""
    wanted = list(dict.fromkeys(accession.strip().upper() for accession in accessions))
    if len(wanted) > MOST_RECORDS:
        raise Invalid(_("Name at most %(most)s sequences.", most=MOST_RECORDS), field="references")
    rows = db.session.execute(
        select(ReferenceSequence.accession, ReferenceSequence.state, ReferenceSequence.visibility).where(
            is_visible(actor), ReferenceSequence.accession.in_(wanted)
        )
    )
    known = {accession: (state, visibility) for accession, state, visibility in rows}
    for accession in wanted:
        if accession not in known:
            raise Invalid(
                _("There is no sequence %(accession)s.", accession=accession[:200]), field="references"
            )
        state, visibility = known[accession]
        if visibility is Visibility.SEALED:
            raise Invalid(
                _("%(accession)s is sealed: it is never searched here.", accession=accession),
                field="references",
            )
        if state is SequenceState.WITHDRAWN:
            raise Invalid(
                _("%(accession)s is withdrawn and is not searched.", accession=accession), field="references"
            )
    return tuple(wanted)


def count_of_records(actor: Actor | None) -> int:
    """Return how many records of the hub a search by this person looks at."""
    query = (
        select(func.count())
        .select_from(ReferenceSequence)
        .where(is_visible(actor), is_in_library(), ReferenceSequence.state != SequenceState.SUPERSEDED)
    )
    return db.session.scalar(query) or 0


def _chosen(actor: Actor | None, library: HubLibrary, accessions: Sequence[str]) -> NDArray[np.bool_]:
    """Say of each record of the library whether it is searched: seen by the actor, and chosen or current."""
    if accessions:
        numbers = select(ReferenceSequence.id).where(ReferenceSequence.accession.in_(accessions))
        return visible_records(actor, library) & library.places(db.session.scalars(numbers))
    return searched_records(actor, library)


def _too_vague(assay: Asked) -> Message | None:
    """Return why an assay would match nearly everywhere; the search itself refuses what cannot be read."""
    for text in (assay.forward, assay.reverse):
        try:
            bases = read_oligo(text).bases
        except Invalid:
            return None
        if sum(2 - math.log2(len(IUPAC[letter])) for letter in bases) < LEAST_BITS:
            return _(
                "%(oligo)s is too short or too ambiguous: it must say as much as %(bases)s plain bases.",
                oligo=bases,
                bases=int(LEAST_BITS // 2),
            )
    return None


# What it costs --------------------------------------------------------------------------------


def estimated_seconds(question: Question) -> float:
    """Return about how long a search takes, with the packing before it; too long is refused.

    Measured on the machine of ``docs/performance.md``: packing 60 ns a base, one pass over the text
    25 ns a base and 0.06 ns a base and assay, four times that with more than 3 mismatches, and
    20 ns a base for each oligo that is so ambiguous that it is compared with every place.
    """
    if question.records is not None:
        bases = sum(len(letters) for _name, letters, _circular in question.records)
        packing = bases
    else:
        bases = _library_bases()
        packing = bases_to_pack()
    words = [_words(text) for assay in question.assays for text in (assay.forward, assay.reverse)]
    ambiguous = sum(number > MOST_WORDS for number in words)
    factor = 4 if question.settings.max_mismatches > 3 else 1
    if question.records is None and not packing and has_index() and len(question.assays) <= FEW_ASSAYS:
        a_base = 0.4 * len(question.assays) * factor
    else:
        a_base = (25 + 0.06 * len(question.assays)) * factor
    seconds = 1e-9 * (60 * packing + bases * (a_base + 40 * ambiguous)) + 1e-4 * len(question.assays)
    if question.conditions is not None and max(words, default=1) > MOST_MELTED_WORDS:
        seconds += 10  # 22 µs for each plain sequence of a primer on each of its sites
    if seconds > MOST_SECONDS:
        raise Invalid(_("This search is too large for the hub. Search fewer assays or sequences at a time."))
    return seconds


def _library_bases() -> int:
    total = select(func.coalesce(func.sum(ReferenceSequence.length_bp), 0)).where(is_in_library())
    return int(db.session.scalar(total) or 0)


def _words(text: str) -> int:
    """Return how many plain sequences the letters of a primer stand for."""
    words = 1
    for letter in text.upper()[:400]:
        words *= len(IUPAC.get("N" if letter == "I" else letter, "x"))
    return words


# Searching ------------------------------------------------------------------------------------


def find(
    actor: Actor | None, question: Question, progress: Callable[[float], object] | None = None
) -> dict[str, Any]:
    """Return what the assays make of the records, and exactly what was searched."""
    refused: list[tuple[str, Text]] = list(question.not_searched)
    searched: list[Asked] = []
    for asked in question.assays:
        vague = _too_vague(asked)
        if vague is None:
            searched.append(asked)
        else:
            refused.append((asked.name, vague))
    assays = [Assay(asked.name, asked.forward, asked.reverse, asked.probe) for asked in searched]

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress(0.9 * done / max(total, 1))

    if question.records is not None:
        library = pack((name, bases, circular) for name, bases, circular in question.records)
        found = search(assays, library, question.settings, progress=told)
        records, bases = len(library), library.total_bases
    else:
        hub = hub_library()
        seen = _chosen(actor, hub, question.accessions)
        library, found = _search_hub(assays, hub, seen, question.settings, told)
        records, bases = int(seen.sum()), int(hub.packed.lengths[seen].sum())
    refused += found.refused
    unread = {name for name, _reason in found.refused}
    products = found.products
    order = _sorted_rows(searched, library, products)[:MOST_LISTED]
    rows = [
        _row(searched, assays, library, products, row, with_sites=place < MOST_DETAILED)
        for place, row in enumerate(order)
    ]
    if question.conditions is not None:
        first = products.take(np.array(order[:MOST_MELTED], np.int64))
        _melt(question.conditions, searched, assays, library, first, rows)
    return {
        "searched": {
            "assays": len(searched) - len(found.refused),
            "records": records,
            "bases": bases,
            "references": "file"
            if question.records is not None
            else "chosen"
            if question.accessions
            else "hub",
        },
        "settings": {
            name: value
            for name, value in asdict(question.settings).items()
            if name not in ("most_sites", "most_products")
        },
        "conditions": None if question.conditions is None else asdict(question.conditions),
        "assays": [_read(asked) for asked in searched if asked.name not in unread],
        "refused": [{"name": name, "reason": reason} for name, reason in refused],
        "truncated": [{"name": name, "reason": reason} for name, reason in found.truncated],
        "products_found": len(products),
        "products": rows,
    }


def _search_hub(
    assays: Sequence[Assay],
    hub: HubLibrary,
    seen: NDArray[np.bool_],
    settings: Settings,
    told: Callable[[int, int], object],
) -> tuple[PackedLibrary, Found]:
    """Return the library that was searched and what was found, in records that are seen only."""
    lengths = hub.packed.lengths
    by_index = hub.index is not None and len(assays) <= FEW_ASSAYS
    if not by_index and 3 * int(lengths[seen].sum()) < hub.packed.total_bases:
        part = part_of(hub.packed, seen)
        return part, search(assays, part, settings, progress=told)
    found = search(assays, hub.packed, settings, index=hub.index, progress=told)
    if found.truncated and not seen.all():  # what was cut off could tell of others' records
        part = part_of(hub.packed, seen)
        return part, search(assays, part, settings, progress=told)
    found.products = (
        found.products.take(seen[found.products.record]) if len(found.products) else found.products
    )
    return hub.packed, found


def _sorted_rows(asked: Sequence[Asked], library: PackedLibrary, products: Products) -> list[int]:
    """Return the rows by name of assay, name of reference, start and size."""
    if not len(products):
        return []
    assay_rank = _ranks([each.name for each in asked])
    used = np.unique(products.record)
    record_rank = np.zeros(len(library), np.int64)
    record_rank[used] = _ranks([library.names[place] for place in used.tolist()])
    order = np.lexsort(
        (
            products.kind,
            -products.strand,
            products.size,
            products.start,
            record_rank[products.record],
            assay_rank[products.assay],
        )
    )
    found: list[int] = order.tolist()
    return found


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([places[name] for name in names], np.int64)


def _row(
    asked: Sequence[Asked],
    assays: Sequence[Assay],
    library: PackedLibrary,
    products: Products,
    row: int,
    *,
    with_sites: bool,
) -> dict[str, Any]:
    """Return one product; coordinates are 1-based on the plus strand of the record as written."""
    number, record = int(products.assay[row]), int(products.record[row])
    start, size, length = int(products.start[row]), int(products.size[row]), int(library.lengths[record])
    strand = "+" if products.strand[row] > 0 else "-"
    probe_mm = int(products.probe_mm[row])
    found: dict[str, Any] = {
        "assay": asked[number].name,
        "reference": library.names[record],
        "start": start + 1,
        "end": (start + size - 1) % length + 1,
        "size": size,
        "strand": strand,
        "pair": KINDS[int(products.kind[row])],
        "mm_f": int(products.mm_f[row]),
        "mm_r": int(products.mm_r[row]),
        "probe_mm": None if probe_mm < 0 else probe_mm,
        "wraps": start + size > length,
        "tm_f": None,
        "tm_r": None,
        "sites": None,
    }
    if with_sites:
        left, right = aligned_primers(assays[number], library, products, row)
        sites: dict[str, Any] = {"left": _site(left), "right": _site(right)}
        if probe_mm >= 0:
            sites["probe"] = probe_in(
                read_oligo(assays[number].probe).bases, library.bases(record, start, size), probe_mm
            )
        found["sites"] = sites
    return found


def _melt(
    conditions: Conditions,
    asked: Sequence[Asked],
    assays: Sequence[Assay],
    library: PackedLibrary,
    products: Products,
    rows: Sequence[dict[str, Any]],
) -> None:
    """Write the melting temperatures of the primers on their sites into the first rows, in degC."""
    amounts = {each.name: (each.forward_nanomolar, each.reverse_nanomolar) for each in asked}
    columns = of_products(assays, library, products, conditions, amounts)
    for row, forward, reverse in zip(rows, *columns, strict=False):
        row["tm_f"], row["tm_r"] = forward or None, reverse or None


def _site(aligned: Aligned) -> dict[str, Any]:
    return {"oligo": aligned.oligo, "site": aligned.site, "mismatches": list(aligned.mismatches)}


def _read(asked: Asked) -> dict[str, Any]:
    """Return an assay as it was searched."""
    return {
        "name": asked.name,
        "forward": read_oligo(asked.forward).bases,
        "reverse": read_oligo(asked.reverse).bases,
        "probe": read_oligo(asked.probe).bases if asked.probe.strip() else "",
        "method": asked.method or None,
        "version": asked.version or None,
    }


# Reading a result later -----------------------------------------------------------------------

AT_ONCE = 500


def readable_now(actor: Actor, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without the records that ``actor`` may not see any more."""
    if result["searched"]["references"] == "file":
        return result
    names = sorted({row["reference"] for row in result["products"]})
    seen: set[str] = set()
    for begin in range(0, len(names), AT_ONCE):
        seen.update(
            db.session.scalars(
                select(ReferenceSequence.accession).where(
                    is_visible(actor),
                    ReferenceSequence.visibility != Visibility.SEALED,
                    ReferenceSequence.accession.in_(names[begin : begin + AT_ONCE]),
                )
            )
        )
    if len(seen) == len(names):
        return result
    products = [row for row in result["products"] if row["reference"] in seen]
    gone = len(result["products"]) - len(products)
    return {**result, "products": products, "products_found": result["products_found"] - gone}


def titles_of(actor: Actor | None, accessions: Iterable[str]) -> dict[str, str]:
    """Return the titles of hub records by accession, of those that ``actor`` may see."""
    wanted = sorted(set(accessions))[:AT_ONCE]
    rows = db.session.execute(
        select(ReferenceSequence.accession, ReferenceSequence.title).where(
            is_visible(actor), ReferenceSequence.accession.in_(wanted)
        )
    )
    return {row.accession: row.title for row in rows}
