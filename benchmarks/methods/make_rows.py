#!/usr/bin/env python
"""Write a CSV of made-up methods with four oligos each, the same ones at each call.

    .venv/bin/python benchmarks/methods/make_rows.py 10000 rows.csv

The rows are compiled records in labhub's own CSV: `labhub import methods rows.csv` publishes them, with
`--as EMAIL` they become drafts. Sequences are random, so that no two methods are twins.
"""

import argparse
import random
from pathlib import Path

from labhub.methods.exchange import check, to_csv

TAXA = (
    ("Zea mays", "maize"),
    ("Glycine max", "soybean"),
    ("Gossypium hirsutum", "cotton"),
    ("Brassica napus", "oilseed rape"),
    ("Oryza sativa", "rice"),
    ("Solanum tuberosum", "potato"),
)
ELEMENTS = ("P-35S", "T-nos", "cp4-epsps", "cry1Ab", "pat", "bar", "nptII", "P-FMV")
EVENTS = ("MON810", "NK603", "GTS 40-3-2", "MON89788", "Bt11", "TC1507", "GT73", "MON531", "LL62")
SCOPES = ("event", "event", "event", "construct", "screening", "taxon")
TECHNIQUES = (
    ("qpcr", "TaqMan"),
    ("qpcr", "TaqMan"),
    ("qpcr", "SYBR"),
    ("dpcr", "TaqMan"),
    ("end-point", None),
)


def bases(chance: random.Random, length: int) -> str:
    """Return random bases."""
    return "".join(chance.choices("ACGT", k=length))


def record(number: int) -> dict[str, object]:
    """Return the method of this number."""
    chance = random.Random(number)
    scope, (technique, chemistry) = chance.choice(SCOPES), chance.choice(TECHNIQUES)
    scientific, common = chance.choice(TAXA)
    target = {"taxon": f"{common} gene {number % 97}", "screening": chance.choice(ELEMENTS)}.get(
        scope, chance.choice(EVENTS)
    )
    oligos = [
        {
            "role": role,
            "name": f"B{number}-{role[0].upper()}{place}",
            "sequence": bases(chance, chance.randint(18, 30)),
            "label5": chance.choice(("FAM", "VIC")) if role == "probe" else None,
            "label3": chance.choice(("TAMRA", "BHQ1")) if role == "probe" else None,
            "final_concentration_nanomolar": chance.choice((200, 300, 400, 900)),
        }
        for place, role in enumerate(("forward", "reverse", "probe", "other"), start=1)
    ]
    size = chance.randint(65, 180)
    return {
        "source_code": f"BENCH-{number:06d}",
        "title": f"{scope.capitalize()}-specific {technique} method {number} for {target} in {common}",
        "specificity": scope,
        "target": target,
        "targets": [target],
        "taxon": {"scientific": scientific, "common": common},
        "technique": technique,
        "chemistry": chemistry,
        "quantitative": technique in ("qpcr", "dpcr"),
        "oligos": oligos,
        "amplicon_bp": size,
        "amplicon_accession": f"AF{number:06d}",
        "reaction_microlitre": 25,
        "template_nanogram": 100,
        "thermal_profile": "95 °C 10 min; 45 cycles of 95 °C 15 s, 60 °C 60 s",
        "reagents": "Universal master mix, primers and probe as listed, water to volume.",
        "matrices": [f"{common} flour", "feed"],
        "licence": "CC BY 4.0",
        "rights": [chance.choice(("open", "free-for-regulators", "permission-needed"))],
        "validation": {
            "collaborative_trial": chance.random() < 0.4,
            "laboratories": chance.randint(8, 16),
            "year": chance.randint(2000, 2026),
            "lod_copies": chance.choice((5, 10, 20)),
            "slope": round(chance.uniform(-3.6, -3.1), 2),
            "r2": round(chance.uniform(0.98, 1), 3),
            "rsdr_percent": round(chance.uniform(5, 30), 1),
        },
        "sources": [{"title": f"Made-up source {number % 500}", "year": 2026}],
        "origin": "compiled",
    }


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--first", type=int, default=1, help="number of the first method")
    given = parser.parse_args()
    records = [check(record(given.first + place)).content for place in range(given.count)]
    given.file.write_bytes(to_csv(records))


if __name__ == "__main__":
    main()
