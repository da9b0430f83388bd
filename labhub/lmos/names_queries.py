"""The names of the register, read once: what a text means, what it may mean, and what is doubtful about it.

Doubts never stand in the way. A register of a few thousand names is held in dictionaries, so that a file
of many thousand rows costs no query for each.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import select

from labhub.db import db
from labhub.i18n import Text, _
from labhub.lmos import unique_identifier
from labhub.lmos.bch import record_number, register_key
from labhub.lmos.models import Element, ElementName, Lmo, LmoName
from labhub.lmos.near_names import nearest
from labhub.lmos.taxa_models import TaxonName
from labhub.names import name_key

MOST_SUGGESTED = 500
_IDENTIFIER = re.compile(r"[A-Z0-9]{2,3}-[A-Z0-9]{5,6}-[0-9]")


@dataclass(frozen=True)
class Meaning:
    """What a text means in the register."""

    lmos: tuple[int, ...] = ()
    elements: tuple[int, ...] = ()
    taxa: tuple[str, ...] = ()
    """Accepted scientific names."""

    @property
    def lmo_id(self) -> int | None:
        """The LMO, where it is only one."""
        return self.lmos[0] if len(self.lmos) == 1 else None

    @property
    def element_id(self) -> int | None:
        """The element, where it is only one."""
        return self.elements[0] if len(self.elements) == 1 else None

    @property
    def is_known(self) -> bool:
        """Whether the register knows the text at all."""
        return bool(self.lmos or self.elements or self.taxa)

    @property
    def is_ambiguous(self) -> bool:
        """Whether several LMOs, or several elements, have the name."""
        return len(self.lmos) > 1 or len(self.elements) > 1


@dataclass
class Register:
    """Every name of LMOs, elements and taxa."""

    events: dict[str, int] = field(default_factory=dict)
    identifiers: dict[str, int] = field(default_factory=dict)
    lmo_names: dict[str, set[int]] = field(default_factory=dict)
    trade_names: dict[str, set[int]] = field(default_factory=dict)
    """A line of products may share one: that is no conflict, but the name means none of them."""
    element_names: dict[str, int] = field(default_factory=dict)
    element_synonyms: dict[str, set[int]] = field(default_factory=dict)
    taxa: dict[str, set[str]] = field(default_factory=dict)
    lmo_labels: dict[int, str] = field(default_factory=dict)
    lmo_taxa: dict[int, str] = field(default_factory=dict)
    lmo_parents: dict[int, list[str]] = field(default_factory=dict)
    element_labels: dict[int, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    """How a key is written in the register."""
    known_identifiers: list[str] = field(default_factory=list)
    suggested: int = 0
    """How many texts were looked up for names that are near; a file of many unknown names gets the first."""

    def __post_init__(self) -> None:
        self.meaning: Callable[[str], Meaning] = lru_cache(100_000)(self._meaning)
        self._suggest: Callable[[str, bool], tuple[str, ...]] = lru_cache(20_000)(self._suggestions)
        self._identifier: Callable[[str], tuple[Text, ...]] = lru_cache(20_000)(self._check_identifier)

    def _meaning(self, text: str) -> Meaning:
        """Return what a text means: event, identifier and name of an element come before other names."""
        key = register_key(text)
        elements = (
            {self.element_names[key]} if key in self.element_names else self.element_synonyms.get(key, set())
        )
        taxa = self.taxa.get(key, set())
        return Meaning(tuple(sorted(self._lmos(text, key))), tuple(sorted(elements)), tuple(sorted(taxa)))

    def _lmos(self, text: str, key: str) -> set[int]:
        if key in self.events:
            return {self.events[key]}
        identifier = unique_identifier.key(text)
        if identifier and identifier in self.identifiers:
            return {self.identifiers[identifier]}
        return self.lmo_names.get(key, set()) | self.trade_names.get(key, set())

    def suggestions(self, text: str, *, taxa: bool = False) -> list[str]:
        """Return names of the register that look like a text, as the register writes them, at most three.

        A name that stands inside the text as whole words (``maize event MON810``) comes first.
        """
        return list(self._suggest(text, taxa))

    def _suggestions(self, text: str, taxa: bool) -> tuple[str, ...]:
        if self.suggested >= MOST_SUGGESTED:
            return ()
        self.suggested += 1
        known = self.taxa if taxa else self._names
        keys = [key for key in _parts(register_key(text)) if key in known] if not taxa else []
        keys += nearest(register_key(text), known)
        found = dict.fromkeys(self.shown.get(key, key) for key in keys)
        return tuple(found)[:3]

    @property
    def _names(self) -> dict[str, Any]:
        if not hasattr(self, "_all_names"):
            self._all_names: dict[str, Any] = {
                **self.trade_names,
                **self.lmo_names,
                **self.element_synonyms,
                **self.events,
                **self.element_names,
            }
        return self._all_names

    def names_of(self, meaning: Meaning) -> list[str]:
        """Return the labels of everything that a text means."""
        return [
            *(self.lmo_labels[number] for number in meaning.lmos),
            *(self.element_labels[number] for number in meaning.elements),
        ]

    def events_of(self, lmo_id: int) -> set[int]:
        """Return an LMO and, for a stack, the LMOs of its parents that the register knows."""
        found = {lmo_id}
        for parent in self.lmo_parents.get(lmo_id, ()):
            found |= set(self.meaning(parent).lmos)
        return found

    # Doubts -----------------------------------------------------------------------------------

    def identifier_doubts(self, text: str) -> list[Text]:
        """Return doubts about a unique identifier: digit, letters for digits, near misses, not known."""
        return list(self._identifier(text))

    def _check_identifier(self, text: str) -> tuple[Text, ...]:
        if record_number(text):
            return () if self.meaning(text).is_known else (_unknown(text, []),)
        meaning = self.meaning(text)
        letters = "O" in text.upper() or "I" in text.upper()
        # what the register holds is no misprint of its neighbour: only its digit and letters are looked at
        known = self.known_identifiers if letters or not meaning.lmos else ()
        doubts: list[Text] = list(unique_identifier.check(text, known))
        if meaning.is_ambiguous:
            doubts.append(self._ambiguous(text, meaning))
        elif not meaning.lmos and not doubts:
            doubts.append(_unknown(unique_identifier.display(text), []))
        return tuple(doubts)

    def name_doubts(self, text: str) -> list[Text]:
        """Return doubts about the name of a target: not known (with what may be meant), or of several."""
        meaning = self.meaning(text)
        if meaning.is_ambiguous:
            return [self._ambiguous(text, meaning)]
        if meaning.is_known:
            return []
        if _IDENTIFIER.fullmatch(unique_identifier.normalise(text)):
            return self.identifier_doubts(text)
        return [_unknown(text, self.suggestions(text))]

    def taxon_doubts(self, text: str) -> list[Text]:
        """Return doubts about the name of a taxon; an empty table of taxa doubts nothing."""
        if not self.taxa or not text.strip() or register_key(text) in self.taxa:
            return []
        near = self.suggestions(text, taxa=True)
        if near:
            return [
                _(
                    "The taxon %(name)s is not known. Did you mean %(suggestions)s?",
                    name=text[:100],
                    suggestions=_list(near),
                )
            ]
        return [_("The taxon %(name)s is not known. Check its spelling.", name=text[:100])]

    def same_taxon(self, first: str, second: str) -> bool:
        """Return whether two names mean the same taxon, as far as the table of taxa knows."""
        one, other = register_key(first), register_key(second)
        return one == other or bool(self.taxa.get(one, {one}) & self.taxa.get(other, {other}))

    def _ambiguous(self, text: str, meaning: Meaning) -> Text:
        return _(
            "%(name)s has several meanings: %(meanings)s. Name the one that is meant.",
            name=text[:100],
            meanings=_list(self.names_of(meaning)[:5]),
        )


def _unknown(text: str, near: list[str]) -> Text:
    if near:
        return _(
            "The register does not know %(name)s. Did you mean %(suggestions)s?",
            name=text[:100],
            suggestions=_list(near),
        )
    return _("The register does not know %(name)s.", name=text[:100])


def _list(names: Iterable[str]) -> str:
    return " / ".join(names)


def _parts(key: str, longest: int = 4) -> list[str]:
    """Return the runs of whole words inside a text, longest first: ``maize event mon810`` → ``mon810``."""
    words = key.split()[:12]
    return [
        " ".join(words[start : start + size])
        for size in range(min(longest, len(words) - 1), 0, -1)
        for start in range(len(words) - size + 1)
        if size > 1 or len(words[start]) > 3
    ]


def read_register() -> Register:
    """Return every name that there is now; six queries."""
    register = Register()

    def show(text: str) -> str:
        key = register_key(text)
        register.shown.setdefault(key, text)
        return key

    for number, event, identifier, parents, taxon in db.session.execute(
        select(Lmo.id, Lmo.event, Lmo.unique_identifier, Lmo.parents, Lmo.taxon_scientific)
    ):
        register.events[show(event)] = number
        register.lmo_labels[number] = event
        if identifier:
            register.identifiers[unique_identifier.key(identifier)] = number
            register.known_identifiers.append(identifier)
            register.lmo_labels[number] = f"{event} ({unique_identifier.display(identifier)})"
        if parents:
            register.lmo_parents[number] = list(parents)
        if taxon:
            register.lmo_taxa[number] = taxon
    for number, name in db.session.execute(select(LmoName.lmo_id, LmoName.name)):
        register.lmo_names.setdefault(show(name), set()).add(number)
    for number, trade_name in db.session.execute(
        select(Lmo.id, Lmo.trade_name).where(Lmo.trade_name.is_not(None))
    ):
        register.trade_names.setdefault(show(trade_name or ""), set()).add(number)
    for number, name, codes in db.session.execute(select(Element.id, Element.name, Element.codes)):
        register.element_names[show(name)] = number
        register.element_labels[number] = name
        for code in codes.values():
            if isinstance(code, str):
                register.element_synonyms.setdefault(show(code), set()).add(number)
    for number, name in db.session.execute(select(ElementName.element_id, ElementName.name)):
        register.element_synonyms.setdefault(show(name), set()).add(number)
    for scientific, name in db.session.execute(select(TaxonName.scientific, TaxonName.name)):
        register.taxa.setdefault(show(name), set()).add(scientific)
    for taxon, common in db.session.execute(select(Lmo.taxon_scientific, Lmo.taxon_common).distinct()):
        for taxon_name in (taxon, common):
            if taxon_name:
                register.taxa.setdefault(show(taxon_name), set()).add(taxon or name_key(taxon_name))
    return register
