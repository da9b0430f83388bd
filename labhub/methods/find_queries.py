"""Finding methods: the list with its filters, full text, counts of each facet, saved searches.

What the list shows lies in memory (``catalogue.py``), read from ``method_index`` and kept in step by the
head of the audit trail (``changes.py``). Full text is asked of the database: FTS5 or PostgreSQL. Who may
see what is ``queries.visible_versions`` here as everywhere.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import func, select, text

from labhub import changes
from labhub.accounts.actor import Actor
from labhub.accounts.models import Laboratory
from labhub.changes import Stamp, Watch
from labhub.db import db
from labhub.errors import NotFound, Refusal
from labhub.i18n import _
from labhub.lmos import unique_identifier
from labhub.lmos.models import Element, ElementName, Lmo, LmoName
from labhub.lmos.queries import match_element, match_lmo
from labhub.methods import queries, search_text
from labhub.methods.catalogue import (
    SORTS,
    Catalogue,
    Entry,
    Mask,
    Values,
    natural_key,
    packed_bits,
)
from labhub.methods.find_models import MethodIndex, MethodText, SavedSearch
from labhub.methods.models import (
    OPEN_STATES,
    PUBLIC_STATES,
    MethodState,
    MethodTarget,
    MethodVersion,
    Oligo,
)

MOST_WORDS = 8
"""Words of a query that are looked for; further ones are left out."""
FACETS = (
    "specificity", "taxon", "element", "lmo", "technique", "quantitative", "validated", "rights",
    "accreditation", "year", "laboratory", "origin", "matrix", "state",
)  # fmt: skip
"""Filters that are counted, in the order of the page."""
MOST_VALUES = 100
IRRELEVANT = frozenset(
    {"session", "token", "password", "user", "role", "join", "person", "post", "topic", "discussion"}
    | {"case", "sample", "custody", "analysis", "indicator", "audit", "saved-search", "sequence"}
)
"""First words of actions in the audit trail that change nothing of the list."""

# What a search asks for ----------------------------------------------------------------------


@dataclass(frozen=True)
class Search:
    """What is looked for: words, chosen values by facet (any of them), and a part of the target."""

    q: str = ""
    target: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Search":
        """Return the search of filters as the address or a saved search has them."""
        chosen: dict[str, tuple[str, ...]] = {}
        for name in FACETS:
            values = given.get(name) or ()
            values = (values,) if isinstance(values, str) else values
            kept = tuple(dict.fromkeys(value for value in map(_plain, values) if value))
            if kept:
                chosen[name] = kept
        return cls(_plain(given.get("q") or ""), _plain(given.get("target") or ""), chosen)

    def as_filters(self) -> dict[str, Any]:
        """Return the filters by name, as they are kept and written into an address."""
        words = {name: value for name, value in (("q", self.q), ("target", self.target)) if value}
        return words | {name: list(values) for name, values in self.chosen.items()}

    def as_query(self) -> str:
        """Return the filters as the query of an address."""
        return urlencode(self.as_filters(), doseq=True)

    def in_words(self) -> str:
        """Return the values that are looked for, for a person to recognise."""
        texts = [self.q, self.target, *(value for values in self.chosen.values() for value in values)]
        return ", ".join(text for text in texts if text)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.q or self.target or self.chosen)


def _plain(value: str) -> str:
    return value.replace("\x00", "").strip()


# The catalogue in step with the database -----------------------------------------------------

FACET_VALUES: dict[str, Callable[[Entry], Values]] = {
    "specificity": lambda entry: entry.row["specificity"],
    "technique": lambda entry: entry.row["technique"],
    "quantitative": lambda entry: "true" if entry.row["quantitative"] else "false",
    "validated": lambda entry: "true" if entry.row["validated"] else "false",
    "taxon": lambda entry: entry.row["taxon_scientific"],
    "taxon_common": lambda entry: entry.row["taxon_common"],
    "origin": lambda entry: entry.row["origin"],
    "state": lambda entry: entry.row["state"],
    "laboratory": lambda entry: entry.row["laboratory"],
    "year": lambda entry: None if entry.row["year"] is None else str(entry.row["year"]),
    "rights": lambda entry: entry.row["rights"],
    "matrix": lambda entry: entry.facets["matrix"],
    "element": lambda entry: entry.facets["element"],
    "lmo": lambda entry: entry.facets["lmo"],
    "word": lambda entry: entry.facets["word"],
}
"""Values of each facet. LMOs and elements of the hub stand by their numbers (``#12``), so that a new name
changes nothing here; ``word`` has the words of targets that are no record of the hub."""


@dataclass(frozen=True)
class Names:
    """What LMOs, elements and laboratories are called now."""

    lmos: Mapping[str, str]
    """``#12`` to unique identifier or event."""
    elements: Mapping[str, str]
    by_label: Mapping[tuple[str, str], str]
    """(facet, label in lower case) to ``#12``."""
    spellings: Sequence[tuple[str, str, str]]
    """(facet, ``#12``, a name, folded)."""
    accredited: frozenset[str]
    """Codes of laboratories that state an accreditation."""


@dataclass
class _State:
    """What one process keeps: the catalogue and names with the stamp at which they were read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    watch: Watch = field(default_factory=lambda: Watch(IRRELEVANT))
    read_at: tuple[Stamp, Stamp] | None = None
    """Stamp that counts, and the head of the trail, when the catalogue was read."""
    catalogue: Catalogue | None = None
    names: Names | None = None
    words: OrderedDict[str, NDArray[np.uint8]] = field(default_factory=OrderedDict)
    """How well each version fits a word; emptied when the catalogue changes."""


_state = _State()
WORDS_KEPT = 200


def list_stamp() -> Stamp:
    """Return the place in the audit trail of the last change that may concern the list."""
    return _state.watch.stamp()


def catalogue(stamp: Stamp | None = None) -> tuple[Catalogue, Names]:
    """Return the list of methods in memory and the names of today, read again where something changed.

    ``stamp`` is ``list_stamp()`` where the caller has just asked for it.
    """
    stamp = stamp or list_stamp()
    found, names = _state.catalogue, _state.names
    if found is not None and names is not None and _state.read_at and _state.read_at[0] == stamp:
        return found, names
    with _state.lock:
        head = changes.head()
        before = _state.read_at[1] if _state.read_at else None
        known = _state.catalogue if before and changes.is_before(before, head) else None
        fresh = _read_catalogue(known, before.seq if before else 0)
        _state.catalogue, _state.names = fresh, _read_names()
        _state.words = OrderedDict()
        _state.read_at = (stamp, head)
        return _state.catalogue, _state.names


def _read_catalogue(known: Catalogue | None, since: int) -> Catalogue:
    query = select(MethodIndex.version_id, MethodIndex.row, MethodIndex.facets)
    if known is not None:
        changed = db.session.execute(query.where(MethodIndex.generation > since)).all()
        updated = known.updated([_entry(row) for row in changed], FACET_VALUES) if changed else known
        if updated is not None:
            return updated
    rows = db.session.execute(query.order_by(MethodIndex.version_id))
    return Catalogue.of((_entry(row) for row in rows), FACET_VALUES)


def _entry(row: Any) -> Entry:
    return Entry(row[0], row[1].encode(), orjson.loads(row[1]), orjson.loads(row[2]))


def _read_names() -> Names:
    lmos: dict[str, str] = {}
    elements: dict[str, str] = {}
    spellings: list[tuple[str, str, str]] = []

    def spell(facet: str, number: int, *names: str | None) -> None:
        spellings.extend((facet, f"#{number}", search_text.pieces(name)) for name in names if name)

    for number, identifier, event, trade in db.session.execute(
        select(Lmo.id, Lmo.unique_identifier, Lmo.event, Lmo.trade_name)
    ):
        lmos[f"#{number}"] = identifier or event
        spell("lmo", number, identifier, event, trade)
    for number, name in db.session.execute(select(LmoName.lmo_id, LmoName.name)):
        spell("lmo", number, name)
    for number, name in db.session.execute(select(Element.id, Element.name)):
        elements[f"#{number}"] = name
        spell("element", number, name)
    for number, name in db.session.execute(select(ElementName.element_id, ElementName.name)):
        spell("element", number, name)
    labels = [("lmo", lmos), ("element", elements)]
    return Names(
        lmos,
        elements,
        {(facet, label.casefold()): value for facet, names in labels for value, label in names.items()},
        spellings,
        frozenset(db.session.scalars(select(Laboratory.code).where(Laboratory.accreditation != ""))),
    )


# Who sees what -------------------------------------------------------------------------------

_PUBLIC = tuple(state.value for state in PUBLIC_STATES)
_SHOWN = tuple(state.value for state in (MethodState.PUBLISHED, *OPEN_STATES))
"""States that are listed unless one asks for others."""


def _visible(actor: Actor | None, found: Catalogue) -> Mask:
    """Return the versions that the actor may see: the published ones, and what the one rule adds."""
    public = found.mask("state", _PUBLIC)
    if actor is None or (actor.user_id is None and not actor.operator):
        return public
    mask = public.copy()
    others = queries.visible_versions(actor).where(MethodVersion.state.not_in(PUBLIC_STATES))
    mask[found.places(db.session.scalars(others.with_only_columns(MethodVersion.id)).all())] = True
    return mask


# Filters -------------------------------------------------------------------------------------


class Selection:
    """The versions that fit a search: all together, and apart from the choice in one facet."""

    def __init__(self, actor: Actor | None, search: Search, stamp: Stamp | None = None) -> None:
        self.catalogue, self.names = catalogue(stamp)
        self.search = search
        self.base = _visible(actor, self.catalogue)
        self.scores: NDArray[np.int16] | None = None
        if search.target:
            self.base = self.base & self.catalogue.mask_of(_with_target(search.target))
        if search.q:
            self.scores = np.zeros(len(self.catalogue), dtype=np.int16)
            for word in search.q.split()[:MOST_WORDS]:
                scores = self._word(word)
                self.base = self.base & (scores > 0)
                self.scores += scores
        self.masks = {name: self._choice(name, values) for name, values in search.chosen.items()}
        if "state" not in self.masks:
            self.masks["state"] = self.catalogue.mask("state", _SHOWN)
        self.mask = self.without("")
        self.packed = packed_bits(self.mask)

    def without(self, facet: str) -> Mask:
        """Return the versions that fit everything but the choice in one facet."""
        mask = self.base
        for name, each in self.masks.items():
            if name != facet:
                mask = mask & each
        return mask

    def _choice(self, facet: str, values: tuple[str, ...]) -> Mask:
        found = self.catalogue
        if facet == "taxon":
            return found.mask("taxon", values) | found.mask("taxon_common", values)
        if facet in ("lmo", "element"):
            numbers = [self._number(facet, value) for value in values]
            mask = found.mask(facet, [number for number in numbers if number])
            spelled = [unique_identifier.normalise(v) for v in values] if facet == "lmo" else values
            return mask | found.mask("word", spelled)
        if facet == "accreditation":
            mask = found.mask("laboratory", self.names.accredited)
            wanted = {value.casefold() for value in values}
            return (mask if "true" in wanted else found.none()) | (
                ~mask if "false" in wanted else found.none()
            )
        return found.mask(facet, values)

    def _number(self, facet: str, value: str) -> str | None:
        number = self.names.by_label.get((facet, value.casefold()))
        if number is None:
            record = match_lmo(value) if facet == "lmo" else match_element(value)
            number = f"#{record.id}" if record is not None else None
        return number

    # Counts ----------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many versions fit."""
        return int(np.count_nonzero(self.mask))

    def counts(self, facet: str, most: int) -> tuple[list[tuple[str, int]], int]:
        """Return the commonest values of a facet with their numbers under the other choices, and how
        many values there are; chosen values are always among them."""
        apart = facet in self.masks
        mask = self.without(facet) if apart else self.mask
        if facet == "accreditation":
            return self._accreditation(mask)
        found, number = self.catalogue.facets[facet].counts(mask, MOST_VALUES, None if apart else self.packed)
        if facet in ("lmo", "element"):
            labels = self.names.lmos if facet == "lmo" else self.names.elements
            found = [(labels.get(value, value), count) for value, count in found]
        chosen = self.chosen_values(facet)
        kept = found[:most] + [pair for pair in found[most:] if pair[0].casefold() in chosen]
        present = {value.casefold() for value, _count in kept}
        kept += [(value, 0) for value in self.search.chosen.get(facet, ()) if value.casefold() not in present]
        if facet == "year":
            kept.sort(reverse=True)
        return kept, max(number, len(kept))

    def chosen_values(self, facet: str) -> frozenset[str]:
        """Return the chosen values of a facet, in lower case."""
        return frozenset(value.casefold() for value in self.search.chosen.get(facet, ()))

    def _accreditation(self, mask: Mask) -> tuple[list[tuple[str, int]], int]:
        total = int(np.count_nonzero(mask))
        yes = int(np.count_nonzero(mask & self.catalogue.mask("laboratory", self.names.accredited)))
        pairs = [(value, number) for value, number in (("true", yes), ("false", total - yes)) if number]
        return pairs, len(pairs)

    # Full text -------------------------------------------------------------------------------

    def _word(self, word: str) -> NDArray[np.uint8]:
        """Return how well each version fits a word: 0 not at all, 16 by its very code."""
        words = _state.words
        found = words.get(word)
        if found is None:
            found = self._look_for(word)
            found.flags.writeable = False
            if self.catalogue is _state.catalogue:
                words[word] = found
                if len(words) > WORDS_KEPT:
                    words.popitem(last=False)
        return found

    def _look_for(self, word: str) -> NDArray[np.uint8]:
        scores = np.zeros(len(self.catalogue), dtype=np.uint8)

        def note(version_ids: Sequence[int], score: int) -> None:
            if len(version_ids):
                places = self.catalogue.places(version_ids)
                scores[places] = np.maximum(scores[places], score)

        for score, column in ((1, "body"), (3, "title"), (5, "names")):
            note(_begun(column, word), score)
        bare = search_text.fold(word)
        is_short = len(bare) < search_text.PIECE_LETTERS and bare.isascii()
        if not scores.any() or (search_text.needs_pieces(bare) and not is_short):
            note(_inside(bare), 2)
            short = search_text.compact(word)
            if short and short != bare:
                note(_inside(short), 2)
        for facet in ("lmo", "element"):
            numbers = self._named(facet, word)
            if numbers:
                np.maximum(scores, 5, out=scores, where=self.catalogue.mask(facet, numbers))
        for bases in search_text.strands(word):
            note(_with_bases(bases), 5)
        scores[self.catalogue.codes.get(natural_key(word), [])] = 16
        return scores

    def _named(self, facet: str, word: str) -> list[str]:
        bare, short = search_text.fold(word), search_text.compact(word)
        return [
            number
            for kind, number, spelling in self.names.spellings
            if kind == facet and (bare in spelling or (short and short in spelling))
        ]


def _with_target(target: str) -> Sequence[int]:
    """Return versions whose target has this text in it."""
    pattern = "%" + target.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
    found = select(MethodVersion.id).where(func.lower(MethodVersion.target).like(pattern, escape="!"))
    parts = select(MethodTarget.version_id).where(func.lower(MethodTarget.text).like(pattern, escape="!"))
    return db.session.scalars(found.union(parts)).all()


# Questions to the database -------------------------------------------------------------------

_FTS_WORDS = "SELECT rowid FROM search_method_words WHERE search_method_words MATCH ?"
_FTS_PIECES = "SELECT rowid FROM search_method_pieces WHERE search_method_pieces MATCH ?"
WEIGHTS = {"names": "A", "title": "B", "body": "D"}
"""Weights by which PostgreSQL tells the columns of its one index apart."""
_PG_WORDS = text(
    "SELECT version_id FROM method_text WHERE (setweight(to_tsvector('simple', names), 'A') || "
    "setweight(to_tsvector('simple', title), 'B') || setweight(to_tsvector('simple', body), 'D')) "
    "@@ CAST(:query AS tsquery)"
)
_PG_SEEDS = text(
    "SELECT version_id FROM method_text WHERE to_tsvector('simple', seeds) @@ CAST(:query AS tsquery)"
)


def _is_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


def _matching(question: str, query: str) -> Sequence[int]:
    """Ask FTS5; straight through the driver, because a word costs three such questions."""
    with db.session.connection().exec_driver_sql(question, (query,)) as answer:
        return [row[0] for row in answer.cursor.fetchall()]


def _begun(column: str, word: str) -> Sequence[int]:
    """Return versions with a word that begins like this in a column."""
    found = search_text.words(word)
    if not found:
        return []
    if _is_sqlite():
        return _matching(_FTS_WORDS, search_text.fts5_prefix(column, found))
    return db.session.scalars(_PG_WORDS, {"query": search_text.tsquery_prefix(WEIGHTS[column], found)}).all()


def _inside(word: str) -> Sequence[int]:
    """Return versions with these letters anywhere in code, title or target."""
    if not word:
        return []
    if not _is_sqlite():
        query = select(MethodText.version_id).where(MethodText.pieces.contains(word, autoescape=True))
    elif len(word) >= search_text.PIECE_LETTERS:
        return _matching(_FTS_PIECES, search_text.fts5_phrase(word))
    else:
        query = select(MethodText.version_id).where(func.instr(MethodText.pieces, word) > 0)
    return db.session.scalars(query).all()


def _with_bases(bases: str) -> Sequence[int]:
    """Return versions with these bases in an oligo; the index of seeds leaves few to look at."""
    query = select(Oligo.version_id).where(Oligo.sequence.contains(bases, autoescape=True)).distinct()
    seeds = search_text.seeds(bases)
    if seeds:
        chosen = dict.fromkeys((seeds[0], seeds[len(seeds) // 2], seeds[-1]))
        if _is_sqlite():
            phrases = " AND ".join(search_text.fts5_phrase(seed) for seed in chosen)
            near = _matching(_FTS_WORDS, f"seeds : ({phrases})")
        else:
            near = db.session.scalars(_PG_SEEDS, {"query": " & ".join(f"'{s}'" for s in chosen)}).all()
        if not near:
            return []
        if len(near) <= 500:
            query = query.where(Oligo.version_id.in_(near))
    return db.session.scalars(query).all()


# Lists ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundPage:
    """One page of what was found: rows as JSON, and where it stands among all."""

    rows: list[bytes]
    total: int
    page: int
    page_size: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.page_size))

    def as_rows(self) -> list[dict[str, Any]]:
        """Return the rows as data."""
        return [orjson.loads(row) for row in self.rows]


RELEVANCE = "relevance"
SORT_NAMES = (*SORTS, RELEVANCE)


def find(selection: Selection, *, sort: str = "", page: int = 1, page_size: int = 50) -> FoundPage:
    """Return one page of a selection; words are answered with the best match first unless sorted."""
    found = selection.catalogue
    if sort and sort.removeprefix("-") not in SORT_NAMES:
        raise Refusal(
            _(
                "This list cannot be sorted by %(sort)s. Choose among: %(names)s.",
                sort=sort,
                names=", ".join(SORT_NAMES),
            ),
            field="sort",
        )
    if sort == f"-{RELEVANCE}":
        sort = RELEVANCE
    if selection.scores is not None and sort in ("", RELEVANCE):
        places = found.best(selection.mask, selection.scores, page, page_size)
    else:
        places = found.page(selection.mask, "code" if sort in ("", RELEVANCE) else sort, page, page_size)
    return FoundPage([found.rows[place] for place in places], selection.total, page, page_size)


def find_codes(actor: Actor | None, **filters: Any) -> list[str]:
    """Return the codes of everything that fits, in the order of the list."""
    page = find(Selection(actor, Search.of(filters)), page_size=1_000_000)
    return [row["code"] for row in page.as_rows()]


def found_versions(actor: Actor | None, search: Search) -> NDArray[np.int64]:
    """Return the numbers of the versions that fit a search."""
    selection = Selection(actor, search)
    numbers: NDArray[np.int64] = selection.catalogue.ids[selection.mask]
    return numbers


def rows_of(selection: Selection, version_ids: Collection[int]) -> list[dict[str, Any]]:
    """Return the rows of those of a selection that are among some versions, by code."""
    found = selection.catalogue
    mask = selection.mask & found.mask_of(sorted(version_ids))
    return [orjson.loads(found.rows[place]) for place in found.page(mask, "code", 1, 1_000_000)]


# Saved searches ------------------------------------------------------------------------------


def saved_searches(actor: Actor) -> list[SavedSearch]:
    """Return one's saved searches by name."""
    if actor.user_id is None:
        return []
    query = select(SavedSearch).where(SavedSearch.user_id == actor.user_id)
    return list(db.session.scalars(query.order_by(SavedSearch.name_key)))


def find_saved_search(actor: Actor, number: int) -> SavedSearch:
    """Return one of one's own saved searches; those of others answer like missing ones."""
    row = db.session.get(SavedSearch, number)
    if row is None or actor.user_id is None or row.user_id != actor.user_id:
        raise NotFound(_("There is no saved search %(number)s.", number=number))
    return row
