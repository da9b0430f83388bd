#!/usr/bin/env python3
"""Play the walking attack on a hidden 3,000-base insert in memory, with and without the guard.

Four accounts of one laboratory ask 200 questions a day for 30 days (6,000), knowing every rule; flanks
of 1,450 bases on both sides are public. Prints bases gained, by number of questions.

    .venv/bin/python benchmarks/sealed/walk.py [--runs 5]
"""

import argparse
import statistics
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from labhub.sequences.sealed_matching import SealedRecord, search
from labhub.sequences.sealed_walks import A_DAY_AND_LABORATORY, Question
from tests.sequences.walkers import Guard, both_ends

FLANK, INSERT, DAYS = 1_450, 3_000, 30


def play(seed: int, *, guarded: bool, most: int) -> tuple[int, float]:
    """Return questions asked and bases gained."""
    chance = Random(seed)
    left, hidden, right = ("".join(chance.choices("ACGT", k=size)) for size in (FLANK, INSERT, FLANK))
    record = SealedRecord(left + hidden + right, circular=False)
    guard = Guard() if guarded else None

    def ask(question: Question) -> bool:
        return search([question], [record])[0][0][0]

    walkers = list(both_ends(left, right, ask, seed=seed, guard=guard))
    for turn in range(most):
        if not any(walker.step() for walker in walkers[turn % 2 :] + walkers[: turn % 2][:1]):
            break
        if sum(walker.asked for walker in walkers) >= most:
            break
    return sum(walker.asked for walker in walkers), sum(walker.gained for walker in walkers)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print("guard\tquestions\tbases gained (median)\tmost")
    for guarded, most in ((False, 400), (True, A_DAY_AND_LABORATORY * DAYS)):
        rows = [play(seed, guarded=guarded, most=most) for seed in range(runs)]
        gained = [bases for _asked, bases in rows]
        asked = statistics.median(number for number, _bases in rows)
        print(
            f"{'on' if guarded else 'off'}\t{asked:.0f}\t{statistics.median(gained):.1f}\t{max(gained):.1f}"
        )


if __name__ == "__main__":
    main()
