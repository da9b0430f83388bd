"""What identification reads of the hub: its library, and what is annotated on the records that were found."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from labhub.accounts.actor import OPERATOR, Actor
from labhub.db import db
from labhub.sequences.covered import Feature
from labhub.sequences.library_queries import HubLibrary, hub_library, is_in_library
from labhub.sequences.models import ReferenceSequence, SequenceFeature
from labhub.sequences.packed import PackedLibrary
from labhub.sequences.queries import is_visible


@dataclass(frozen=True)
class HubReferences:
    """The hub's records as a library for the operator's command line."""

    library: HubLibrary

    @property
    def packed(self) -> PackedLibrary:
        """The packed records."""
        return self.library.packed

    def features_of(self, record: int) -> Sequence[Feature]:
        """Return the feature table of a record."""
        number = self.library.ids[record]
        return features_of_records(OPERATOR, [number]).get(number, [])


def references_of_hub() -> HubReferences:
    """Return every record of the hub that is neither sealed nor withdrawn."""
    return HubReferences(hub_library())


def features_of_records(actor: Actor | None, numbers: Collection[int]) -> dict[int, list[Feature]]:
    """Return feature tables by the number of the record, of those whose bases ``actor`` may see."""
    found: dict[int, list[Feature]] = {}
    rows = db.session.execute(
        select(
            SequenceFeature.sequence_id,
            SequenceFeature.kind,
            SequenceFeature.label,
            SequenceFeature.start_bp,
            SequenceFeature.end_bp,
            SequenceFeature.strand,
        )
        .join(ReferenceSequence, ReferenceSequence.id == SequenceFeature.sequence_id)
        .where(SequenceFeature.sequence_id.in_(numbers), is_visible(actor), is_in_library())
        .order_by(SequenceFeature.sequence_id, SequenceFeature.position)
    )
    for number, kind, label, start, end, strand in rows:
        found.setdefault(number, []).append(Feature(kind, label, start, end, strand))
    return found
