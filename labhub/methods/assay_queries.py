"""The assays of the hub's methods, for in-silico PCR: of all published ones, or of some by their codes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import load_only, selectinload

from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.i18n import Message
from labhub.methods.assay_files import AssaysOfMethods, add_method
from labhub.methods.assays import assays_of, not_searched
from labhub.methods.exchange import Content
from labhub.methods.models import DetectionMethod, MethodState, MethodVersion
from labhub.methods.queries import content_of, find_version, visible_versions
from labhub.sequences.insilico import Assay


@dataclass(frozen=True)
class MethodAssay:
    """An assay with the version of the method that it comes from."""

    code: str
    version: int
    assay: Assay
    nanomolar: tuple[float | None, float | None] = (None, None)
    """Concentrations of forward and reverse primer in the reaction."""


@dataclass
class MethodAssays:
    """The assays of some methods, and what of them gives none."""

    assays: list[MethodAssay] = field(default_factory=list)
    not_searched: list[tuple[str, Message]] = field(default_factory=list)
    """Codes of methods, each with a reason."""
    methods: int = 0

    def add(self, code: str, version: int, content: Content) -> None:
        """Add what a version's content gives."""
        self.methods += 1
        amounts = {
            oligo["sequence"]: oligo["final_concentration_nanomolar"] for oligo in content["oligos"] or ()
        }
        self.assays += [
            MethodAssay(code, version, assay, (amounts.get(assay.forward), amounts.get(assay.reverse)))
            for assay in assays_of(content)
        ]
        self.not_searched += [(code, reason) for reason in not_searched(content)]


def assays_of_methods(actor: Actor | None, codes: Iterable[str]) -> MethodAssays:
    """Return the assays of methods by their codes: of the published version, else the newest one seen.

    Raises ``NotFound`` for a method that is not there, or not for this person.
    """
    found = MethodAssays()
    for code in dict.fromkeys(codes):
        version = find_version(actor, code)
        found.add(version.method.code, version.number, content_of(version))
    return found


def published_assays() -> MethodAssays:
    """Return the assays of every published method, by code."""
    found = MethodAssays()
    for code, number, content in _published():
        found.add(code, number, content)
    return found


def assays_for_files(actor: Actor, codes: Collection[str] = ()) -> AssaysOfMethods:
    """Return the assays of all published methods, or of some by their codes, as of a file of methods."""
    found = AssaysOfMethods()
    if codes:
        for code in dict.fromkeys(codes):
            version = find_version(actor, code)
            add_method(found, content_of(version), version.method.code)
    else:
        for code, _number, content in _published():
            add_method(found, content, code)
    return found


def _published() -> Iterator[tuple[str, int, Content]]:
    """Yield code, version and what is needed of the content of every published method, by code."""
    for version in _published_versions():
        content: Content = {
            "code": version.method.code,
            "technique": version.technique,
            "amplicon_bp": version.amplicon_bp,
            "oligos": [
                {
                    "set": oligo.set_name,
                    "role": oligo.role,
                    "name": oligo.name,
                    "sequence": oligo.sequence,
                    "final_concentration_nanomolar": oligo.final_concentration_nanomolar,
                }
                for oligo in version.oligos
            ],
        }
        yield version.method.code, version.number, content


def _published_versions() -> Sequence[MethodVersion]:
    return db.session.scalars(
        visible_versions(None)
        .where(MethodVersion.state == MethodState.PUBLISHED)
        .order_by(DetectionMethod.code)
        .options(
            load_only(MethodVersion.number, MethodVersion.technique, MethodVersion.amplicon_bp),
            selectinload(MethodVersion.oligos),
        )
    ).all()
