"""Write the SQLite file that the peer (Datasette) serves: the methods of a hub's own database, row by row.

    python3 benchmarks/methods/peer.py instance/labhub.db peer.db

One wide table of methods, one of oligos, an index for each column that is filtered by, a full-text table,
and ``ANALYZE``: what somebody who publishes these rows with Datasette would do. Standard library only.
"""

import json
import os
import sqlite3
import sys

SCHEMA = """
create table method(id integer primary key, code text unique not null, title text not null,
  specificity text not null, technique text not null, chemistry text, quantitative integer not null,
  target text, taxon text, taxon_common text, amplicon_bp integer, year integer, validated integer,
  rights text, laboratory text, origin text, licence text, matrices text, calibrant text,
  thermal_profile text, reagents text, published_at text);
create table oligo(id integer primary key, method_id integer not null references method(id), position integer,
  role text, name text, sequence text, label5 text, label3 text, final_concentration_nanomolar real);
"""
INDEXED = ("specificity", "technique", "taxon", "year", "rights", "quantitative", "validated", "laboratory")
TEXT = ("code", "title", "target", "taxon", "taxon_common", "reagents", "matrices")


def build(hub: str, path: str) -> tuple[int, int]:
    """Copy the published methods of a hub; return how many methods and oligos there are."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.remove(path + suffix)
    source = sqlite3.connect(f"file:{hub}?mode=ro", uri=True)
    peer = sqlite3.connect(path)
    peer.executescript(SCHEMA)
    rows = source.execute(
        "select v.id, i.row, v.chemistry, v.licence, v.matrices, v.calibrant, v.thermal_profile, v.reagents "
        "from method_version v join method_index i on i.version_id = v.id where v.state = 'published'"
    )
    for number, row, chemistry, licence, matrices, calibrant, profile, reagents in rows:
        shown = json.loads(row)
        peer.execute(
            f"insert into method values({','.join('?' * 22)})",
            (
                number, shown["code"], shown["title"], shown["specificity"], shown["technique"], chemistry,
                shown["quantitative"], shown["target"], shown["taxon_scientific"], shown["taxon_common"],
                shown["amplicon_bp"], shown["year"], shown["validated"], ", ".join(shown["rights"]),
                shown["laboratory"], shown["origin"], licence, ", ".join(json.loads(matrices)), calibrant,
                profile, reagents, shown["published_at"],
            ),
        )  # fmt: skip
    oligos = source.execute(
        "select o.id, o.version_id, o.position, o.role, o.name, o.sequence, o.label5, o.label3, "
        "o.final_concentration_nanomolar from method_oligo o "
        "join method_version v on v.id = o.version_id and v.state = 'published'"
    )
    peer.executemany("insert into oligo values(?,?,?,?,?,?,?,?,?)", oligos)
    for name in INDEXED:
        peer.execute(f"create index ix_{name} on method({name})")
    peer.execute("create index ix_taxon_specificity on method(taxon, specificity)")
    peer.execute("create index ix_oligo on oligo(method_id)")
    names = ", ".join(TEXT)
    peer.execute(f'create virtual table method_fts using fts5({names}, content="method", content_rowid="id")')
    peer.execute("insert into method_fts(method_fts) values('rebuild')")
    peer.execute("insert into method_fts(method_fts) values('optimize')")
    peer.commit()
    peer.execute("analyze")
    peer.commit()
    counts = [peer.execute(f"select count(*) from {name}").fetchone()[0] for name in ("method", "oligo")]
    peer.close()
    source.close()
    return counts[0], counts[1]


if __name__ == "__main__":
    methods, oligos = build(*sys.argv[1:3])
    print(f"{methods} methods, {oligos} oligos")
