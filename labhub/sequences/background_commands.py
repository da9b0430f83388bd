"""Adding, checking and removing background genomes; the operator does, at the machine that has the files."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import or_, select

from labhub import audit, clock
from labhub.accounts.actor import Actor
from labhub.db import after_commit, db, transaction
from labhub.doctor import Diagnosis
from labhub.errors import Conflict, Invalid, NotAllowed, StorageFull
from labhub.file_kinds import display_name
from labhub.i18n import Text, _
from labhub.lmos.names_queries import read_register
from labhub.names import clean_name, name_key, slug
from labhub.sequences.background_fasta import Progress, open_genome
from labhub.sequences.background_models import BackgroundGenome
from labhub.sequences.background_queries import MISSING, all_genomes, file_problem
from labhub.sequences.packed import open_pack, write_pack

LONGEST_NAME = 100
LEFT_FOR_SECONDS = 3600
"""A file that is being packed is left alone by ``doctor --fix`` for so long after its last change."""
_ENDINGS = (".gz", ".fasta", ".fa", ".fna", ".fas", ".gbk", ".gb", ".gbff", ".embl", ".seq")


@dataclass
class PackedGenome:
    """A genome that was packed into the folder and has no row yet."""

    path: Path
    from_file: str
    digest: str
    record_count: int
    base_count: int


@dataclass
class Added:
    """A genome that was added, and what the reader should know about it."""

    genome: BackgroundGenome
    notes: list[Text] = field(default_factory=list)


def _require_operator(actor: Actor) -> None:
    if not actor.operator:
        raise NotAllowed(_("Background genomes are changed on the command line of the hub only."))


def name_of_file(path: Path) -> str:
    """Return the name that a file gives to a genome: its own without the endings."""
    name = path.name
    while name.casefold().endswith(_ENDINGS):
        name = name[: name.rindex(".")]
    return name or path.name


def check_name(name: str) -> str:
    """Return the cleaned name of a new genome; raises ``Conflict`` when it is taken."""
    cleaned = clean_name(name, field="name", longest=LONGEST_NAME)
    if not slug(cleaned):
        raise Invalid(_("The name needs a letter or digit of the Latin alphabet."), field="name")
    taken = db.session.scalar(
        select(BackgroundGenome.name).where(
            or_(BackgroundGenome.name_key == name_key(cleaned), BackgroundGenome.slug == slug(cleaned))
        )
    )
    if taken is not None:
        raise Conflict(
            _("There is a background genome %(name)s already. Choose another name.", name=taken), field="name"
        )
    return cleaned


@contextmanager
def packed_genome(
    folder: Path, path: Path, *, circular: bool = False, progress: Progress | None = None
) -> Iterator[PackedGenome]:
    """Pack a file into the folder; what ``add_genome`` has not taken at the end is deleted.

    Memory is bounded by a block of the file. ``progress`` is told the bytes read, and all bytes.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f".adding-{secrets.token_hex(8)}.labpack"
    try:
        with open_genome(path, circular=circular, progress=progress) as reader:
            digest = write_pack(part, reader)
        yield PackedGenome(part, path.name, digest, reader.records, reader.bases)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(_("There is no room for this genome in the folder of backgrounds.")) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def add_genome(
    actor: Actor,
    packed: PackedGenome,
    *,
    folder: Path,
    name: str,
    taxon: str = "",
    source: str = "",
    licence: str = "",
) -> Added:
    """Make a packed genome one of the hub's; its file has its name before the row is written."""
    _require_operator(actor)
    name = check_name(name)
    same = db.session.scalar(select(BackgroundGenome.name).where(BackgroundGenome.digest == packed.digest))
    if same is not None:
        raise Conflict(_("These sequences are there already, as %(name)s.", name=same))
    scientific, notes = _taxon(taxon)
    library = open_pack(packed.path)
    now = clock.now()
    genome = BackgroundGenome(
        name=name,
        name_key=name_key(name),
        slug=slug(name),
        taxon=scientific,
        source=_line(source, "source", 500),
        licence=_line(licence, "licence", 300),
        record_count=packed.record_count,
        circular_count=int(library.circular.sum()),
        base_count=packed.base_count,
        longest_record=int(library.lengths.max()),
        digest=packed.digest,
        file_bytes=packed.path.stat().st_size,
        from_file=display_name(packed.from_file),
        added_at=now,
        verified_at=now,
    )
    packed.path.chmod(0o440)
    packed.path.replace(folder / genome.file_name)
    _sync(folder)
    db.session.add(genome)
    db.session.flush()
    audit.record(
        actor,
        "background.add",
        "background",
        genome.slug,
        after={"name": name, "taxon": scientific, "digest": genome.digest, "bases": genome.base_count},
    )
    return Added(genome, notes)


def remove_genome(actor: Actor, genome: BackgroundGenome, *, folder: Path) -> None:
    """Forget a genome with everything that was found in it; its file goes once that is stored."""
    _require_operator(actor)
    path = folder / genome.file_name
    audit.record(
        actor,
        "background.remove",
        "background",
        genome.slug,
        before={"name": genome.name, "taxon": genome.taxon, "digest": genome.digest},
    )
    db.session.delete(genome)
    db.session.flush()
    after_commit(lambda: path.unlink(missing_ok=True))


def note_check(actor: Actor, genome: BackgroundGenome, problem: str) -> None:
    """Write down what reading the file of a genome has shown; one that is damaged is not used again."""
    _require_operator(actor)
    if problem != genome.problem:
        audit.record(
            actor,
            "background.check",
            "background",
            genome.slug,
            before={"problem": genome.problem},
            after={"problem": problem},
        )
    genome.problem = problem
    if not problem:
        genome.verified_at = clock.now()
    db.session.flush()


def examine(diagnosis: Diagnosis, folder: Path, *, fix: bool) -> None:
    """Say for ``labhub doctor`` whether all files are whole; ``fix`` removes those that no row uses."""
    genomes = all_genomes()
    diagnosis.checked["background genomes"] = len(genomes)
    for genome in genomes:
        problem = file_problem(genome, folder)
        if problem:
            told = "is missing" if problem == MISSING else "is damaged: its bytes do not give its digest"
            diagnosis.problems.append(f"background genome {genome.name}: {genome.file_name} {told}")
    db.session.rollback()
    known = {genome.file_name for genome in genomes}
    for path in sorted({*folder.glob("*.labpack"), *folder.glob(".*.part")}):
        if path.name in known or not path.is_file():
            continue
        if path.name.startswith(".") and clock.now().timestamp() - path.stat().st_mtime < LEFT_FOR_SECONDS:
            continue  # somebody is adding it now
        if not fix:
            diagnosis.problems.append(
                f"background file {path.name} is held and no row uses it (--fix removes it)"
            )
            continue
        with transaction():  # under the lock nobody can begin to use it
            if path.name not in {genome.file_name for genome in all_genomes()}:
                path.unlink(missing_ok=True)
                diagnosis.mended.append(f"removed background file {path.name}, which no row uses")


def _taxon(text: str) -> tuple[str, list[Text]]:
    """Return the accepted name of a taxon, or what was given with a doubt about it."""
    if not text.strip():
        return "", [_("No taxon is given: products of a method for the same taxon will look unexpected.")]
    cleaned = clean_name(text, field="taxon")
    register = read_register()
    taxa = register.meaning(cleaned).taxa
    if len(taxa) > 1:
        raise Invalid(
            _(
                "%(name)s has several meanings: %(meanings)s. Name the one that is meant.",
                name=cleaned,
                meanings=" / ".join(taxa),
            ),
            field="taxon",
        )
    if taxa:
        return taxa[0], []
    return cleaned, register.taxon_doubts(cleaned)


def _line(text: str, name: str, longest: int) -> str:
    return clean_name(text, field=name, longest=longest) if text.strip() else ""


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
