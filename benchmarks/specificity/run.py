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
from collections import Counter
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
from labhub.lmos.queries import match_lmo
from labhub.methods import commands as methods
from labhub.methods import specificity_commands, specificity_queries
from labhub.reports import Outcome
from labhub.sequences import commands as sequences
from labhub.sequences.formats import ParsedRecord, refget_digest
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
        step("links", lambda: link_borders(manager))
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
    """Import every file as `labhub import sequences --skip-bad` does; what it leaves out, bases only."""
    counts: Counter[str] = Counter()
    refused = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix in (".md", ".json", ".py"):
            continue
        try:
            with transaction():
                report = sequences.import_sequences(manager, path, dry_run=False, skip_bad=True)
                report.raise_if_refused()
        except Refusal as refusal:
            refused.append(f"{path.name}: {refusal.message}")
            report = None
        for row in report.rows if report else ():
            counts[row.outcome.value] += 1
        if report is None or any(row.outcome is Outcome.SKIPPED for row in report.rows):
            missing = [record for record in read_leniently(path) if not is_known(record)]
            for start in range(0, len(missing), 1000):
                with transaction():
                    sequences.upload_sequences(
                        manager,
                        missing[start : start + 1000],
                        file_name=path.name,
                        file_kind="fasta",
                        keep_file=None,
                    )
            counts["bases only"] += len(missing)
    said = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return said + "".join(f"\n  {line}" for line in refused)


def is_known(record: ParsedRecord) -> bool:
    """Say whether the hub has a record of these bases and this topology."""
    return (
        db.session.scalar(
            select(ReferenceSequence.id)
            .where(
                ReferenceSequence.digest == refget_digest(record.bases),
                ReferenceSequence.topology == record.topology,
            )
            .limit(1)
        )
        is not None
    )


def read_leniently(path: Path) -> list[ParsedRecord]:
    """Return the nucleotide records of a file by Biopython, which takes what the hub refuses; bases only."""
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
        for place, record in enumerate(SeqIO.parse(source, kind), start=1):
            try:
                bases = str(record.seq).upper().replace("U", "T")
            except UndefinedSequenceError:
                continue
            is_protein = record.annotations.get("molecule_type", "DNA").lower() == "protein"
            if not bases or is_protein or set(bases) - set("ACGTRYSWKMBDHVN"):
                continue
            found.append(
                ParsedRecord(
                    accession=f"{record.id[:150]}_{place}",
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


def link_borders(manager: Actor) -> str:
    """Say of the junctions of events which LMO they are of, as their uploader would."""
    count = 0
    borders = db.session.scalars(
        select(ReferenceSequence).where(ReferenceSequence.file_name == "maize_event_borders.fa")
    ).all()
    for border in borders:
        event = border.source_accession.rsplit("-", 1)[0]
        if match_lmo(event) is None:
            continue
        with transaction():
            sequences.change_sequence(
                manager, border.accession, {"lmo": event}, expected_version=border.row_version
            )
        count += 1
    return f"{count} of {len(borders)} junctions"


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
