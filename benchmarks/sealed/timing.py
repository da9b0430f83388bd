#!/usr/bin/env python3
"""Compare how long a free search takes with and without a hit: the whole request, and the search alone.

Sealed records of several sizes, questions that are all different, hit and miss by turns, so that what
else the machine does falls on both. Prints medians and their difference.

    .venv/bin/python benchmarks/sealed/timing.py [--questions 200]
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from labhub import alembic, create_app
from labhub.accounts.actor import Role
from labhub.config import load
from labhub.db import transaction
from labhub.sequences import sealed_commands as commands
from labhub.sequences import sealed_queries
from labhub.sequences import sealed_walks as walks
from labhub.sequences.models import Visibility
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.sealed_matching import SealedRecord, search
from labhub.sequences.sealed_models import SealedRight
from labhub.sequences.sealed_walks import Question
from tests.factories import bearer, make_actor, make_bases, make_laboratory, make_sequence, make_user

SIZES = (2_000, 8_000, 20_000)


def questions(bases: list[str], count: int) -> list[tuple[Question, Question]]:
    """Return pairs of questions, one that is found and one that is not, all of them different."""
    chance = Random(5)
    found = []
    for number in range(count):
        text = bases[number % len(bases)]
        start = 100 + 31 * number % (len(text) - 700)
        hit = Question(text[start : start + 20], reverse_complement(text[start + 300 : start + 320]))
        miss = Question("".join(chance.choices("ACGT", k=20)), "".join(chance.choices("ACGT", k=20)))
        found.append((hit, miss))
    return found


def report(what: str, hits: list[float], misses: list[float]) -> None:
    """Print medians and their difference."""
    one, other = statistics.median(hits), statistics.median(misses)
    difference = abs(one - other) / max(one, other) * 100
    print(f"{what}\t{one * 1000:.2f} ms with a hit\t{other * 1000:.2f} ms without\t{difference:.1f} % apart")


def main() -> None:
    """Measure the search alone and the whole request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200)
    count = parser.parse_args().questions
    bases = [make_bases(size, seed=size) for size in SIZES]
    records = [SealedRecord(text, False) for text in bases]
    times: tuple[list[float], list[float]] = ([], [])
    for number, pair in enumerate(questions(bases, 5 * count)):
        for place in (0, 1) if number % 2 else (1, 0):
            begin = time.perf_counter()
            search([pair[place]], records)
            times[place].append(time.perf_counter() - begin)
    report("search", *times)

    walks.A_DAY_AND_PERSON = walks.A_DAY_AND_LABORATORY = 10_000  # only here: one day holds all
    sealed_queries.A_DAY_AND_PERSON = sealed_queries.A_DAY_AND_LABORATORY = 10_000  # type: ignore[attr-defined]
    walks.is_walk = lambda *_given: False
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load({"LABHUB_INSTANCE": folder}, testing=True))
        with app.app_context():
            alembic.upgrade()
            owner = make_actor(Role.MANAGER, laboratory=make_laboratory())
            laboratory = make_laboratory()
            for number, text in enumerate(bases):
                made = make_sequence(
                    owner, bases=text, visibility=Visibility.SEALED, accession=f"SEALED{number}"
                )
                with transaction():
                    commands.grant(
                        owner,
                        made.accession,
                        SealedRight.USE,
                        commands.Grantee(laboratory=laboratory.code),
                        reason="measurement",
                    )
            headers = bearer(make_user(Role.ANALYST, laboratory=laboratory))
        client = app.test_client()
        times = ([], [])
        for number, pair in enumerate(questions(bases, count)):
            for place in (0, 1) if number % 2 else (1, 0):
                sent = {"forward": pair[place].forward, "reverse": pair[place].reverse}
                begin = time.perf_counter()
                response = client.post("/api/v1/sealed-searches", json=sent, headers=headers)
                times[place].append(time.perf_counter() - begin)
                if ('"found"' in response.text) is not (place == 0):
                    raise SystemExit(f"another answer than expected: {response.text}")
                size = len(response.data)
        report("request", *times)
        print(f"answer\t{size} bytes in either case")


if __name__ == "__main__":
    main()
