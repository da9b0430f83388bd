"""Methods and sequences whose pairs are known, for tests of living specificity."""

from random import Random
from typing import Any

from sqlalchemy import select

from labhub.db import db
from labhub.methods import specificity_commands
from labhub.methods.specificity_commands import Done
from labhub.methods.specificity_models import SpecificityChange, SpecificityHit
from labhub.sequences.oligos import reverse_complement
from tests.factories import make_bases

FORWARD = "TCGAAGGACGAAGGACTCTAACG"
REVERSE = "GCCACCTTCCTTTTCCACTATCTT"
PROBE = "AACATCCTTTGCCATTGCCCAGC"
"""The oligos of ``factories.method_content``, whose product is published with 92 bp."""


def changed(oligo: str, *places: int) -> str:
    """Return an oligo with other bases at places that count from 1 at the 5' end."""
    letters = list(oligo)
    for place in places:
        letters[place - 1] = "ACGT"[("ACGT".index(letters[place - 1]) + 1) % 4]
    return "".join(letters)


def amplicon(*, size: int = 92, forward: str = FORWARD, reverse: str = REVERSE, probe: str = PROBE) -> str:
    """Return a product of the method, with sites as given."""
    rest = size - len(forward) - len(reverse) - len(probe)
    filler = "".join(Random(7).choices("ACGT", k=rest))
    return forward + filler[: rest // 2] + probe + filler[rest // 2 :] + reverse_complement(reverse)


def target(*, seed: int = 1, **product: Any) -> str:
    """Return bases of a record with one product of the method inside, at base 201."""
    return make_bases(200, seed=seed) + amplicon(**product) + make_bases(150, seed=seed + 500)


def other_oligos() -> list[dict[str, str]]:
    """Return primers that find the same product with one mismatch each, far from the 3' end."""
    return [
        {"role": "forward", "sequence": changed(FORWARD, 5)},
        {"role": "reverse", "sequence": changed(REVERSE, 5)},
    ]


def run(*, whole: bool = False) -> Done:
    """Do everything that waits, and tell the owners."""
    done = specificity_commands.work(whole=whole)
    assert not done.busy
    return done


def hits() -> dict[tuple[int, int], SpecificityHit]:
    """Return the table by version and sequence."""
    db.session.rollback()
    return {(hit.version_id, hit.sequence_id): hit for hit in db.session.scalars(select(SpecificityHit))}


def changes() -> list[SpecificityChange]:
    """Return what was found to be new, oldest first."""
    db.session.rollback()
    return list(db.session.scalars(select(SpecificityChange).order_by(SpecificityChange.id)))


def searched(done: Done) -> list[tuple[int, int]]:
    """Return how many assays were looked for in how many records, search by search; empty ones left out."""
    return [(assays, records) for assays, records, _bases in done.searches if assays and records]
