#!/usr/bin/env python3
"""One assay in a warm hub: CPU of a request and of the search in it, on a library of 18 Mb.

Usage: .venv/bin/python benchmarks/insilico/bench_web.py [--records 2000] [--rounds 30]

Makes a hub of its own in a temporary folder with seeded random records (60 % circular, mosaics of 300 shared
elements) and asks POST /api/v1/insilico again and again, each time with another assay. Times are CPU
seconds of this process: the machine may be busy with other things.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from labhub import alembic, create_app
from labhub.accounts import commands as accounts
from labhub.accounts.actor import OPERATOR, Scope
from labhub.accounts.queries import find_party
from labhub.config import load
from labhub.db import db, transaction
from labhub.sequences import library_queries
from labhub.sequences.formats import refget_digest
from labhub.sequences.insilico import Assay, Settings, search
from labhub.sequences.models import (
    ReferenceSequence,
    SequenceBases,
    SequenceState,
    Topology,
    Visibility,
)
from labhub.sequences.oligos import reverse_complement

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def records(number: int, seed: int) -> list[str]:
    """Return plasmid-like records of 4 to 14 kb: random bases with shared elements, some letters changed."""
    rng = random.Random(seed)

    def letters(size: int) -> str:
        return "".join(rng.choices("ACGT", k=size))

    elements = [letters(rng.randint(200, 2_000)) for _each in range(300)]
    found = []
    for _each in range(number):
        parts: list[str] = []
        size, wanted = 0, rng.randint(4_000, 14_000)
        while size < wanted:
            part = rng.choice(elements) if rng.random() < 0.6 else letters(rng.randint(200, 1_500))
            parts.append(part)
            size += len(part)
        bases = list("".join(parts))
        for place in rng.sample(range(len(bases)), len(bases) // 100):
            bases[place] = rng.choice("ACGT")
        found.append("".join(bases))
    return found


def fill(bases: list[str], laboratory_id: int) -> None:
    """Store records as published ones, row by row of the tables: the upload is not what is measured."""
    now = datetime.now(UTC)
    with transaction() as session:
        for number, text in enumerate(bases, start=1):
            made = session.execute(
                insert(ReferenceSequence).returning(ReferenceSequence.id),
                {
                    "accession": f"LHS-{number}",
                    "laboratory_id": laboratory_id,
                    "source_accession": f"B{number}",
                    "name": f"B{number}",
                    "title": f"Benchmark record {number}",
                    "topology": Topology.CIRCULAR if number % 5 < 3 else Topology.LINEAR,
                    "molecule_type": "DNA",
                    "length_bp": len(text),
                    "digest": refget_digest(text),
                    "visibility": Visibility.PUBLIC,
                    "state": SequenceState.PUBLISHED,
                    "file_kind": "fasta",
                    "created_at": now,
                    "changed_at": now,
                    "published_at": now,
                    "row_version": 1,
                },
            ).scalar_one()
            session.execute(insert(SequenceBases), {"sequence_id": made, "bases": text})


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that a piece of work takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print a table of the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    bases = records(given.records, 1)
    total = sum(map(len, bases))
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load({"LABHUB_INSTANCE": folder}, testing=True))
        with app.app_context():
            alembic.upgrade()
            db.session.rollback()
            with transaction():
                accounts.load_seeds(SEEDS)
                party = find_party("KE")
                laboratory = accounts.create_laboratory(OPERATOR, code="BENCH", name="Bench", party=party)
                user = accounts.create_user(OPERATOR, email="bench@example.org", name="Bench", party=party)
                _row, token = accounts.create_token(OPERATOR, name="bench", scope=Scope.WRITE, user=user)
            fill(bases, laboratory.id)
            lines = [("pack the library", cpu(library_queries.hub_library))]
            lines.append(("make its index", cpu(library_queries.renew_library)))
            library = library_queries.hub_library()
            if library.index is None:
                sys.exit("no index was made")
            rng = random.Random(2)
            assays = []
            for _each in range(given.rounds):
                text = rng.choice(bases)
                at = rng.randrange(len(text) - 400)
                assays.append(Assay("one", text[at : at + 21], reverse_complement(text[at + 180 : at + 201])))
            for name, index in (("with the index", library.index), ("without", None)):
                times, sizes = [], []
                for assay in assays:
                    begun = time.process_time()
                    found = search([assay], library.packed, Settings(max_mismatches=2), index=index)
                    times.append(time.process_time() - begun)
                    sizes.append(len(found.products))
                if min(sizes) < 1:
                    sys.exit("an assay has not found its own product")
                lines.append((f"one assay, engine {name}, median", statistics.median(times)))
                lines.append((f"one assay, engine {name}, most", max(times)))
            db.session.rollback()
        client = app.test_client()
        headers = {"Authorization": f"Bearer {token}"}
        times = []
        for assay in assays:
            body = {"assays": [{"forward": assay.forward, "reverse": assay.reverse}]}
            begun = time.process_time()
            answer = client.post("/api/v1/insilico", json=body, headers=headers)
            times.append(time.process_time() - begun)
            if answer.status_code != 200 or answer.json["products_found"] < 1:
                sys.exit(answer.text)
        lines.append(("one assay, whole request, median", statistics.median(times[1:])))
        lines.append(("one assay, whole request, most", max(times[1:])))
        print(f"{given.records} records, {total / 1e6:.1f} Mb; {given.rounds} assays")
        for name, seconds in lines:
            print(f"| {name} | {1000 * seconds:.1f} ms |")


if __name__ == "__main__":
    main()
