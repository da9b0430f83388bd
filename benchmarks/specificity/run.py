"""Compare all methods of ../shared with all sequences of ../shared in a scratch hub, and time it.

    .venv/bin/python benchmarks/specificity/run.py FOLDER [--data ../shared/data]

Makes a hub in FOLDER (which must be empty or not there), imports everything as a laboratory does, publishes
it with a reviewer, and runs what `labhub specificity refresh` runs. Serve it afterwards with
`LABHUB_INSTANCE=FOLDER labhub serve`. Prints one line a step: CPU seconds of this process, and counts.
"""

import argparse
import gzip
import os
import time
import warnings
from io import BytesIO, StringIO
from pathlib import Path

from Bio import SeqIO
from Bio.Seq import UndefinedSequenceError
from sqlalchemy import select

from labhub import create_app
from labhub.accounts import commands as accounts
from labhub.accounts import queries as account_queries
from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.cli import initialise
from labhub.config import load
from labhub.db import db, transaction
from labhub.errors import Refusal
from labhub.methods import commands as methods
from labhub.methods import specificity_commands, specificity_queries
from labhub.sequences import commands as sequences
from labhub.sequences.formats import ParsedRecord
from labhub.sequences.models import ReferenceSequence, SequenceState

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Do everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    given = parser.parse_args()
    os.environ["LABHUB_INSTANCE"] = str(given.folder.resolve())
    given.folder.mkdir(parents=True, exist_ok=True)
    app = create_app(load())
    with app.app_context():
        initialise()
        db.session.rollback()
        manager, reviewer = people()
        step("methods", lambda: import_methods(given.data / "methods.json"))
        step("sequences", lambda: import_sequences(manager, given.data / "sequences"))
        step("publication", lambda: publish_all(manager, reviewer))
        step("first run", lambda: str(specificity_commands.work().counts()))
        step("nothing to do", lambda: str(specificity_commands.work().counts()))
        step("everything anew", lambda: str(specificity_commands.work(whole=True).counts()))
        step("one method again", lambda: again("method"))
        step("one sequence again", lambda: again("sequence"))


def step(name, do):
    """Run a step and print what it cost."""
    began, wall = time.process_time(), time.perf_counter()
    said = do()
    db.session.rollback()
    print(
        f"{name:18} {time.process_time() - began:7.2f} CPU s {time.perf_counter() - wall:7.2f} s  {said}",
        flush=True,
    )


def people() -> tuple[Actor, Actor]:
    """Make a laboratory with its manager, and a reviewer."""
    with transaction():
        party = account_queries.find_party("KE")
        laboratory = accounts.create_laboratory(OPERATOR, code="SHARED", name="Shared data", party=party)
        actors = []
        for email, role in (("manager@example.org", Role.MANAGER), ("reviewer@example.org", Role.REVIEWER)):
            user = accounts.create_user(OPERATOR, email=email, name=role.value, party=party)
            accounts.grant_role(
                OPERATOR, user, role, laboratory=laboratory if role is Role.MANAGER else None, party=party
            )
            actors.append(account_queries.actor_of(user))
    return actors[0], actors[1]


def import_methods(path: Path) -> str:
    """Import the methods, which the seeds may hold already."""
    with transaction():
        report = methods.import_methods(OPERATOR, path, dry_run=False)
    return f"{len(report.rows)} rows"


def import_sequences(manager: Actor, folder: Path) -> str:
    """Import every file that holds nucleotide records; others are named."""
    made, refused, lenient = 0, [], []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix in (".md", ".json", ".py"):
            continue
        try:
            with transaction():
                report = sequences.import_sequences(manager, path, dry_run=False)
                report.raise_if_refused()
            made += len(report.rows)
        except Refusal as refusal:
            records = read_leniently(path)
            if not records:
                refused.append(f"{path.name}: {refusal.message}")
                continue
            lenient.append(path.name)
            for start in range(0, len(records), 1000):
                with transaction():
                    sequences.upload_sequences(
                        manager,
                        records[start : start + 1000],
                        file_name=path.name,
                        file_kind="fasta",
                        keep_file=None,
                    )
            made += len(records)
    return (
        f"{made} records; of files that the import refuses as a whole, bases only: {', '.join(lenient)}; "
        f"nothing of {len(refused)} files:\n  " + "\n  ".join(refused)
    )


def read_leniently(path: Path) -> list[ParsedRecord]:
    """Return the nucleotide records of a file that the import refuses for one of its records, bases only."""
    name = path.name.removesuffix(".gz").removesuffix(".bgz")
    kind = {".gb": "genbank", ".gbk": "genbank", ".ape": "genbank", ".dna": "snapgene", ".embl": "embl"}.get(
        Path(name).suffix, "fasta"
    )
    content = path.read_bytes()
    if path.suffix in (".gz", ".bgz"):
        content = gzip.decompress(content)
    source = BytesIO(content) if kind == "snapgene" else StringIO(content.decode("utf-8", "replace"))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place, record in enumerate(SeqIO.parse(source, kind)):
            try:
                bases = str(record.seq).upper().replace("U", "T")
            except UndefinedSequenceError:
                continue
            is_protein = record.annotations.get("molecule_type", "DNA").lower() == "protein"
            if not bases or is_protein or set(bases) - set("ACGTRYSWKMBDHVN"):
                continue
            found.append(
                ParsedRecord(
                    accession=f"{record.id}"[:150] + f"_{place + 1}",
                    version="",
                    name=record.name[:100],
                    description=record.description[:200],
                    topology=record.annotations.get("topology", "linear"),
                    molecule_type="DNA",
                    organism=record.annotations.get("organism", "")[:200],
                    features=(),
                    bases=bases,
                )
            )
    return found


def publish_all(manager: Actor, reviewer: Actor) -> str:
    """Submit and publish every draft."""
    drafts = list(
        db.session.scalars(
            select(ReferenceSequence.accession).where(ReferenceSequence.state == SequenceState.DRAFT)
        )
    )
    for start in range(0, len(drafts), 500):
        with transaction():
            for accession in drafts[start : start + 500]:
                sequences.submit_sequence(manager, accession)
                sequences.publish_sequence(reviewer, accession)
    return f"{len(drafts)} records"


def again(kind: str) -> str:
    """Forget one mark, so that its row or column is computed again."""
    with transaction():
        model = (
            specificity_queries.SpecificityMethod
            if kind == "method"
            else specificity_queries.SpecificitySequence
        )
        mark = db.session.scalars(select(model).limit(1)).one()
        db.session.delete(mark)
    return str(specificity_commands.work().counts())


if __name__ == "__main__":
    main()
