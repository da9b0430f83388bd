"""Files of sequences of any kind as packed libraries, for searching without a hub.

FASTA of any size, GenBank, EMBL and SnapGene as ``formats.py`` limits them, gzipped or not, and packs
(``.labpack``). What kind a file is of is told by how it begins, not by its name.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

from labhub.errors import Invalid, Refusal
from labhub.file_kinds import FileKind, shown
from labhub.i18n import Message, _
from labhub.sequences import formats
from labhub.sequences.fasta import Reading, read_fasta
from labhub.sequences.packed import Bases, PackedLibrary, open_pack, pack, write_pack

PACK = "labpack"
IN_MEMORY = 256 << 20
"""Bytes of files; larger ones are packed into a temporary file instead of memory."""
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b">", FileKind.FASTA),
    (b"LOCUS", FileKind.GENBANK),
    (b"ID ", FileKind.EMBL),
    (b"\x09\x00\x00\x00\x0eSnapGene", FileKind.SNAPGENE),
    (b"LABPACK", PACK),
)


def kind_of(path: Path) -> str:
    """Return the kind of a file by its beginning; FASTA, which says best what is wrong, when unknown."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as packed:
                head = packed.read(1024)
        except (OSError, EOFError):
            head = b""
    head = head.removeprefix(b"\xef\xbb\xbf")
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning) or head.lstrip().startswith(beginning):
            return kind
    return FileKind.FASTA


def records_of(path: Path, reading: Reading, *, skip_bad: bool = False) -> Iterator[tuple[str, Bases, bool]]:
    """Yield name, bases and topology of the records of a file; what is wrong is noted in ``reading``."""
    kind = kind_of(path)
    if kind == FileKind.FASTA:
        with _opened(path) as file:
            yield from read_fasta(file, path.name, reading, skip_bad=skip_bad)
        return
    if kind == PACK:
        library = open_pack(path)
        for record in range(len(library)):
            packed_name = library.names[record]
            reading.note_name(path.name, packed_name)
            reading.records += 1
            reading.bases += int(library.lengths[record])
            yield packed_name, library.bases(record), bool(library.circular[record])
        return
    try:
        if skip_bad:
            read = formats.read_good_records(path, kind, bases_only=True)
            _note_left_out(path.name, read.left_out, reading)
            parsed = read.records
        else:
            parsed = formats.read_records(path, kind, bases_only=True)
    except Refusal as refusal:
        _note(path.name, refusal, reading)
        return
    for each in parsed:
        name = each.identifier
        for remark in each.warnings:
            reading.remark(path.name, _("Record %(record)s: %(problem)s", record=shown(name), problem=remark))
        reading.note_name(path.name, name)
        circular = reading.is_circular(name, each.topology == "circular")
        if skip_bad or not reading.number:
            reading.records += 1
            reading.bases += len(each.bases)
            yield name, each.bases.replace("U", "T").encode(), circular


def _note_left_out(name: str, left_out: Sequence[formats.LeftOut], reading: Reading) -> None:
    for each in left_out:
        reading.skipped += 1
        for problem in each.problems[:1]:
            reading.problem(
                name,
                _(
                    "Line %(line)s, record %(record)s: %(problem)s",
                    line=each.line,
                    record=shown(each.name or "?"),
                    problem=problem,
                ),
            )


def _note(name: str, refusal: Refusal, reading: Reading) -> None:
    """Note the problems of a file that was refused as a whole."""
    reading.skipped += 1
    texts = [text for found in refusal.errors.values() for text in found] or [refusal.message]
    for text in texts:
        reading.problem(name, text if isinstance(text, Message) else _("%(text)s", text=text))


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else path.open("rb", buffering=0)


def every_record(
    paths: Iterable[Path], reading: Reading, *, skip_bad: bool = False
) -> Iterator[tuple[str, Bases, bool]]:
    """Yield the records of several files; raises ``Invalid`` with all problems unless ``skip_bad``."""
    for path in paths:
        yield from records_of(path, reading, skip_bad=skip_bad)
    if not skip_bad:
        reading.raise_if_wrong()
    elif not reading.records:
        raise Invalid(_("No record of the references can be used."), field="reference")


def libraries_of(paths: Sequence[Path], reading: Reading, *, skip_bad: bool = False) -> list[PackedLibrary]:
    """Return files as libraries: each pack as it is, all others together."""
    packs = [path for path in paths if kind_of(path) == PACK]
    libraries = []
    for path in packs:
        library = open_pack(path)
        reading.records += len(library)
        reading.bases += library.total_bases
        if reading.circular_names:  # a pack knows its own circular records
            reading.circular_found |= reading.circular_names.intersection(library.names)
        libraries.append(library)
    others = [path for path in paths if path not in packs]
    if others:
        records = every_record(others, reading, skip_bad=skip_bad)
        large = sum(path.stat().st_size for path in others) > IN_MEMORY
        libraries.append(_packed_on_disk(records) if large else pack(records))
    return libraries


def _packed_on_disk(records: Iterable[tuple[str, Bases, bool]]) -> PackedLibrary:
    """Return records packed into a file that lasts as long as somebody uses the library."""
    with TemporaryDirectory(prefix="labhub-") as folder:
        path = Path(folder) / f"references.{PACK}"
        write_pack(path, records)
        return open_pack(path)  # what is mapped stays when the name is gone
