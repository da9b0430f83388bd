"""Work out what published methods find in sealed records; one of three words is kept for each pair."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from labhub import clock
from labhub.db import db
from labhub.methods import queries, sealed_queries
from labhub.methods.assays import assays_of
from labhub.methods.models import MethodState, MethodVersion
from labhub.methods.sealed_models import SealedMethodAnswer
from labhub.methods.sealed_queries import Due
from labhub.sequences import insilico
from labhub.sequences.insilico import Assay, Settings
from labhub.sequences.models import ReferenceSequence, Visibility
from labhub.sequences.packed import pack
from labhub.sequences.sealed_models import SealedAnswer

SETTINGS = Settings(max_mismatches=2, three_prime_exact=3, min_size=40, max_size=1500)
"""The hub's rules for every method; who reads the answers does not choose (``sealed_queries.RULES``)."""
MOST_RECORDS = 20
"""Records that one run of the job works on."""


@dataclass(frozen=True)
class Answered:
    """The answers of methods for one record, ready to be stored."""

    sequence_id: int
    answers: dict[int, SealedAnswer]
    made_from: dict[int, str]


def work_out(wanted: Iterable[Due]) -> list[Answered]:
    """Search the records for what every method due would amplify. Reads only, and keeps no base."""
    found = []
    for each in wanted:
        versions = sealed_queries.versions_by_id(each.versions)
        assays: list[Assay] = []
        of: list[int] = []
        answers = {}
        for version in versions:
            mine = assays_of(queries.content_of(version))
            answers[version.id] = SealedAnswer.NOT_FOUND if mine else SealedAnswer.NOT_DECIDED
            assays += mine
            of += [version.id] * len(mine)
        if assays:
            library = pack([sealed_queries.bases_of(each.sequence)])
            result = insilico.search(assays, library, SETTINGS)
            refused = {name for name, _reason in result.refused}
            for assay, version_id in zip(assays, of, strict=True):
                if assay.name in refused:
                    answers[version_id] = SealedAnswer.NOT_DECIDED
            products = result.products
            hit = products.probe_mm >= 0
            for place in set(products.assay[hit].tolist()):
                answers[of[place]] = SealedAnswer.FOUND
            for place in set(products.assay[~hit].tolist()):
                if not assays[place].probe:
                    answers[of[place]] = SealedAnswer.FOUND
        found.append(Answered(each.sequence.id, answers, dict(each.versions)))
    return found


def store(found: Iterable[Answered]) -> int:
    """Keep answers in place of older ones; return how many."""
    count = 0
    for each in found:
        if not each.answers:
            continue
        db.session.execute(
            delete(SealedMethodAnswer).where(
                SealedMethodAnswer.sequence_id == each.sequence_id,
                SealedMethodAnswer.version_id.in_(list(each.answers)),
            )
        )
        db.session.execute(
            insert(SealedMethodAnswer),
            [
                {
                    "version_id": version_id,
                    "sequence_id": each.sequence_id,
                    "answer": answer,
                    "made_from": each.made_from[version_id],
                    "computed_at": clock.now(),
                }
                for version_id, answer in each.answers.items()
            ],
        )
        count += len(each.answers)
    return count


def tidy() -> int:
    """Remove answers of versions that are no longer the published ones and of records that are not sealed."""
    current = select(MethodVersion.id).where(MethodVersion.state == MethodState.PUBLISHED)
    sealed = select(ReferenceSequence.id).where(ReferenceSequence.visibility == Visibility.SEALED)
    gone = db.session.execute(
        delete(SealedMethodAnswer).where(
            SealedMethodAnswer.version_id.not_in(current) | SealedMethodAnswer.sequence_id.not_in(sealed)
        )
    )
    return int(gone.rowcount)  # type: ignore[attr-defined]
