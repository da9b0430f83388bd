"""All methods of the shared data against all its sequences: what three programs found, and nothing more."""

import gzip
import json
import warnings
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from Bio import SeqIO
from Bio.Seq import UndefinedSequenceError
from flask import Flask
from sqlalchemy import select

from labhub.accounts.actor import OPERATOR, Actor, Role
from labhub.db import db, transaction
from labhub.methods import commands as methods
from labhub.methods.models import DetectionMethod, MethodVersion
from labhub.sequences import commands as sequences
from labhub.sequences.formats import ParsedRecord
from tests.factories import make_actor, make_laboratory
from tests.methods.specificity_records import hits, run

KINDS = {".gb": "genbank", ".gbk": "genbank", ".ape": "genbank", ".dna": "snapgene", ".embl": "embl"}


def records_of(path: Path) -> list[Any]:
    name = path.name.removesuffix(".gz").removesuffix(".bgz")
    kind = KINDS.get(Path(name).suffix, "fasta")
    content = path.read_bytes()
    if path.suffix in (".gz", ".bgz"):
        content = gzip.decompress(content)
    source = BytesIO(content) if kind == "snapgene" else StringIO(content.decode("utf-8", "replace"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(SeqIO.parse(source, kind))


def load(manager: Actor, folder: Path, circular: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Store every nucleotide record and return its number by file and place."""
    found: list[tuple[tuple[str, int], ParsedRecord]] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix in (".md", ".json", ".py"):
            continue
        file = path.relative_to(folder).as_posix()
        for place, record in enumerate(records_of(path)):
            try:
                bases = str(record.seq).upper().replace("U", "T")
            except UndefinedSequenceError:
                continue
            if not bases or set(bases) - set("ACGTRYSWKMBDHVN"):
                continue
            topology: Any = record.annotations.get("topology", "linear")
            if (file, place) in circular:
                topology = "circular"
            if record.annotations.get("molecule_type", "DNA").lower() != "protein":
                parsed = ParsedRecord(file[-150:], str(place), file[-50:], "", topology, "DNA", "", (), bases)
                found.append(((file, place), parsed))
    numbers: dict[tuple[str, int], int] = {}
    for start in range(0, len(found), 1000):
        part = found[start : start + 1000]
        with transaction():
            made = sequences.upload_sequences(
                manager,
                [record for _key, record in part],
                file_name="shared",
                file_kind="fasta",
                keep_file=None,
            )
        numbers |= {key: row.id for (key, _record), row in zip(part, made, strict=True)}
    return numbers


@pytest.mark.shared
def test_the_matrix_of_the_shared_data_is_what_three_programs_found(app: Flask, shared_data: Path) -> None:
    folder = shared_data / "sequences"
    expected = json.loads((folder / "expected_insilico.json").read_text(encoding="utf-8"))
    with transaction():
        methods.import_methods(OPERATOR, shared_data / "methods.json", dry_run=False)
    versions: dict[str, int] = dict(
        db.session.execute(
            select(DetectionMethod.source_code, MethodVersion.id).join(
                MethodVersion, MethodVersion.method_id == DetectionMethod.id
            )
        ).all()
    )
    circular = {(hit["file"], hit["record_index_in_file"]) for hit in expected["hits"] if hit["circular"]}
    numbers = load(make_actor(Role.MANAGER, laboratory=make_laboratory()), folder, circular)
    assert len(numbers) == expected["scanned"]["records"] == 3508
    done = run()
    assert (done.versions, done.pairs) == (149, 149 * 3508)
    found = hits()
    known = [hit for hit in expected["hits"] if hit["method"] in versions]
    assert len(known) == 142
    wanted: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for hit in known:
        pair = (versions[hit["method"]], numbers[hit["file"], hit["record_index_in_file"]])
        wanted.setdefault(pair, []).append(hit)
    for pair, products in wanted.items():
        assert {product["length"] for product in products} <= set(found[pair].sizes), products
        assert any(
            (product["start"], product["length"]) == (found[pair].start_bp, found[pair].size_bp)
            and ("F" if found[pair].strand > 0 else "R") == product["plus_strand_primer"]
            for product in products
        ), products
    listed = {versions[code] for code in expected["methods"] if code in versions}
    exact = {
        pair for pair, row in found.items() if pair[0] in listed and row.mm_forward == row.mm_reverse == 0
    }
    assert exact == {pair for pair, products in wanted.items() if any(not p["min_k"] for p in products)}
    screening = {
        versions[code]
        for code, method in expected["methods"].items()
        if code in versions and {hit["min_k"] for hit in known if hit["method"] == code} - {0}
    }
    assert screening  # those that are listed with up to three mismatches: not one more is found
    assert {pair for pair in found if pair[0] in screening} == {
        pair for pair in wanted if pair[0] in screening
    }
