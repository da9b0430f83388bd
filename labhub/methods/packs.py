"""ZIP packs of published versions: content in every format, files, manifest, licences, citation, RO-Crate.

A pack unpacks to a folder in which ``sha256sum -c manifest-sha256.txt`` verifies every file. The same
versions give the same bytes. Files are copied piece by piece and their digests compared on the way.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO, Final
from urllib.parse import quote
from zipfile import ZipFile

from labhub.methods.archives import entry
from labhub.methods.metadata import (
    CONTENT_FORMATS,
    MEDIA_TYPES,
    NETWORK,
    PUBLISHER,
    Edition,
    citation,
    citation_cff,
    description,
    keywords,
    licence_of,
)

CRATE: Final = "https://w3id.org/ro/crate/1.3"
METADATA: Final = "ro-crate-metadata.json"
MANIFEST: Final = "manifest-sha256.txt"
NO_LICENCE: Final = "#no-licence-reported"
CHUNK_BYTES: Final = 256 * 1024
FORMAT_NAMES: Final = {
    "json": "The record in labhub's own shape, as the import reads it",
    "csv": "The record as a table of one row, as the import reads it",
    "fasta": "Primers and probes",
    "pdf": "Page of the compendium",
    "rdml": "The assay as RDML",
    "order-sheet": "Order sheet of the oligos",
    "datacite": "Metadata after DataCite",
}


class DamagedFile(RuntimeError):
    """A stored file has not the digest or size that its record says."""


@dataclass(frozen=True)
class Member:
    """A file of a pack: made now, or stored."""

    path: str
    """Inside the pack, with slashes; made by this project or by ``archives.safe_name``."""
    title: str
    media_type: str
    size_bytes: int
    sha256: str
    open: Callable[[], Iterator[bytes]]
    licence: str = ""
    """Empty: that of the method."""
    language: str = ""


@dataclass(frozen=True)
class Packed:
    """A version with its members."""

    edition: Edition
    members: Sequence[Member]


def made(path: str, title: str, media_type: str, content: bytes) -> Member:
    """Return a member of bytes made now."""
    return Member(path, title, media_type, len(content), sha256(content).hexdigest(), lambda: iter([content]))


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """Yield an open file in pieces, and close it."""
    with source:
        while piece := source.read(CHUNK_BYTES):
            yield piece


def write_pack(out: BinaryIO, packed: Iterator[Packed] | Sequence[Packed]) -> None:
    """Write versions, all published, as a pack into an open file that can be positioned.

    Raises ``DamagedFile`` when a stored file is not what its record says; the pack is then worthless.
    """
    written: list[tuple[str, str]] = []
    contents: list[Packed] = []
    with ZipFile(out, "w") as archive:

        def add(member: Member) -> None:
            digest, size = sha256(), 0
            with archive.open(entry(member.path, member.size_bytes), "w") as target:
                for piece in member.open():
                    digest.update(piece)
                    size += len(piece)
                    target.write(piece)
            if (digest.hexdigest(), size) != (member.sha256, member.size_bytes):
                raise DamagedFile(member.path)
            written.append((member.sha256, member.path))

        for each in packed:
            for member in each.members:
                add(member)
            contents.append(Packed(each.edition, [_described(member) for member in each.members]))
        editions = [each.edition for each in contents]
        papers = [
            made("CITATION.cff", "Citation for programs", "text/yaml", citation_cff(editions)),
            made("CITATION.txt", "Citation", "text/plain", _lines(map(citation, editions))),
            made("LICENCES.txt", "Licences and rights", "text/plain", licences(contents)),
            made("README.txt", "What is in this pack", "text/plain", readme(editions)),
        ]
        for member in papers:
            add(member)
        crate = json.dumps(ro_crate(contents, papers), ensure_ascii=False, indent=1) + "\n"
        add(made(METADATA, "Description of the pack", "application/ld+json", crate.encode()))
        manifest = made(MANIFEST, "Digests", "text/plain", _lines(f"{d}  {path}" for d, path in written))
        add(manifest)


def _described(member: Member) -> Member:
    """Return a member without its bytes, so that a large pack is not kept in memory."""
    return Member(
        member.path,
        member.title,
        member.media_type,
        member.size_bytes,
        member.sha256,
        lambda: iter(()),
        member.licence,
        member.language,
    )


def _lines(lines: Any) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def readme(editions: Sequence[Edition]) -> bytes:
    """Return what the pack is and how to verify it."""
    lines = [
        f"Detection methods from {PUBLISHER}",
        NETWORK,
        "",
        *(f"{edition.code}, version {edition.number}: {edition.record['title']}" for edition in editions),
        "",
        f"Each method has a folder: {', '.join(CONTENT_FORMATS[:-1])}, and the files of its laboratory.",
        "Null, an empty cell or 'not reported' means that no figure is known.",
        f"To verify that every file is whole: sha256sum -c {MANIFEST}",
        f"{METADATA} describes the pack for programs (RO-Crate, {CRATE}).",
        "LICENCES.txt says what may be done with each method and file; CITATION.txt how to cite it.",
    ]
    return _lines(lines)


def licences(packed: Sequence[Packed]) -> bytes:
    """Return the licence and rights of each version, and of each file that has a licence of its own."""
    lines = []
    for each in packed:
        record = each.edition.record
        text, _spdx, address = licence_of(record)
        lines.append(f"{each.edition.code}, version {each.edition.number}")
        lines.append(f"  licence: {text or 'not reported; ask the owner before use'}")
        if address and address not in text:
            lines.append(f"  address: {address}")
        if record.get("rights"):
            lines.append(f"  rights: {', '.join(record['rights'])}")
        if record.get("rights_note"):
            lines.append(f"  note: {' '.join(record['rights_note'].split())}")
        lines += [f"  {member.path}: {member.licence}" for member in each.members if member.licence]
    return _lines(lines)


# RO-Crate -------------------------------------------------------------------------------------


def ro_crate(packed: Sequence[Packed], papers: Sequence[Member]) -> dict[str, Any]:
    """Return the description of a pack after RO-Crate 1.3 (JSON-LD, flat)."""
    editions = [each.edition for each in packed]
    entities: dict[str, dict[str, Any]] = {}

    def put(entity: dict[str, Any]) -> dict[str, str]:
        entities.setdefault(entity["@id"], entity)
        return {"@id": entity["@id"]}

    publisher = put(
        {"@id": _base(editions), "@type": "Organization", "name": PUBLISHER, "url": _base(editions)}
    )
    parts = []
    for each in packed:
        files = [put(_file(member, put)) for member in each.members]
        parts.append(put(_version(each.edition, files, publisher, put)))
    parts += [put(_file(member, put)) for member in papers]
    terms = [entities[f"{edition.name}/"]["license"] for edition in editions]
    same = all(term == terms[0] for term in terms)
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": _title(editions),
        "description": "; ".join(f"{each.code}, version {each.number}" for each in editions),
        "datePublished": max((edition.published_on for edition in editions), default="1970-01-01"),
        "publisher": publisher,
        "license": terms[0] if terms and same else {"@id": "LICENCES.txt"},
        "hasPart": parts,
    }
    if len(editions) == 1:
        root |= {
            "identifier": editions[0].address,
            "version": str(editions[0].number),
            "creditText": citation(editions[0]),
            "author": entities[f"{editions[0].name}/"]["author"],
        }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": CRATE},
        "about": {"@id": "./"},
    }
    return {"@context": f"{CRATE}/context", "@graph": [descriptor, root, *entities.values()]}


def _base(editions: Sequence[Edition]) -> str:
    return editions[0].base if editions else "#labhub"


def _title(editions: Sequence[Edition]) -> str:
    if len(editions) == 1:
        return str(editions[0].record["title"])
    return f"{len(editions)} detection methods from {PUBLISHER}"


Put = Callable[[dict[str, Any]], dict[str, str]]


def _file(member: Member, put: Put) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": quote(member.path),
        "@type": "File",
        "name": member.title,
        "encodingFormat": member.media_type.partition(";")[0],
        "contentSize": str(member.size_bytes),
        "sha256": member.sha256,
    }
    if member.licence:
        found["license"] = _licence({"licence": member.licence}, put)
    if member.language:
        found["inLanguage"] = member.language
    return found


def _licence(record: Mapping[str, Any], put: Put) -> dict[str, str]:
    text, _spdx, address = licence_of(record)
    if not text:
        return put(
            {
                "@id": NO_LICENCE,
                "@type": "CreativeWork",
                "name": "No licence is reported",
                "description": "Ask the owner of the method before use.",
            }
        )
    name = address or f"#licence-{sha256(text.encode()).hexdigest()[:12]}"
    return put({"@id": name, "@type": "CreativeWork", "name": text})


def _version(
    edition: Edition, files: list[dict[str, str]], publisher: dict[str, str], put: Put
) -> dict[str, Any]:
    author = publisher
    if edition.author_address:
        author = put(
            {
                "@id": edition.author_address,
                "@type": "Organization",
                "name": edition.author,
                "url": edition.author_address,
            }
        )
    seal = put(
        {
            "@id": f"#seal-{edition.name}",
            "@type": "PropertyValue",
            "propertyID": "SHA-256",
            "name": "Seal of the version",
            "value": edition.seal,
        }
    )
    return {
        "@id": f"{edition.name}/",
        "@type": "Dataset",
        "name": edition.record["title"],
        "description": description(edition),
        "identifier": [edition.address, seal],
        "url": edition.address,
        "version": str(edition.number),
        "creativeWorkStatus": str(edition.facts.get("state") or ""),
        "datePublished": edition.published_on,
        "author": author,
        "publisher": publisher,
        "license": _licence(edition.record, put),
        "keywords": keywords(edition),
        "creditText": citation(edition),
        "hasPart": files,
    }


def stored(folder: str, name: str, facts: Mapping[str, Any], open_: Callable[[str], BinaryIO]) -> Member:
    """Return a member of a stored file; ``open_`` opens a digest, ``name`` is safe."""
    digest = str(facts["sha256"])
    return Member(
        f"{folder}/{name}",
        f"{facts['name']} ({facts['role']})",
        str(facts["media_type"]),
        int(facts["size_bytes"]),
        digest,
        lambda: pieces(open_(digest)),
        str(facts.get("licence") or ""),
        str(facts.get("language") or ""),
    )


def path_of(edition: Edition, format_: str) -> tuple[str, str, str]:
    """Return path, title and media type of a version in a format.

    The order sheet is CSV here and DataCite JSON, each with a name of its own.
    """
    endings = {"order-sheet": "-oligos.csv", "datacite": "-datacite.json"}
    ending = endings.get(format_, f".{format_}")
    return f"{edition.name}/{edition.name}{ending}", FORMAT_NAMES[format_], MEDIA_TYPES[format_]
