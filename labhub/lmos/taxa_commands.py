"""Loading the names of taxa."""

from pathlib import Path

from sqlalchemy import select

from labhub.cells import read_csv
from labhub.db import db
from labhub.lmos.taxa_models import TaxonName, TaxonNameKind
from labhub.names import name_key

COLUMNS = ("scientific", "name", "kind", "language", "ncbi_taxonomy", "source", "verified")


def load_seeds(folder: Path) -> int:
    """Add the names of ``taxa.csv`` that are missing; return how many were added."""
    path = folder / "taxa.csv"
    rows = read_csv(path.read_bytes(), file=path.name, needed=COLUMNS)
    present = {
        (scientific, key)
        for scientific, key in db.session.execute(select(TaxonName.scientific, TaxonName.name_key))
    }
    added = [
        TaxonName(
            scientific=row["scientific"],
            name=row["name"],
            name_key=name_key(row["name"]),
            kind=TaxonNameKind(row["kind"]),
            language=row["language"],
            ncbi_taxonomy=int(row["ncbi_taxonomy"]) if row["ncbi_taxonomy"] else None,
            source=row["source"],
            verified=row["verified"] == "1",
        )
        for row in rows
        if (row["scientific"], name_key(row["name"])) not in present
    ]
    db.session.add_all(added)
    db.session.flush()
    return len(added)
