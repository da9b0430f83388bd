"""Versions of methods in every format that they can be had as, one by one or several together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Final, cast

import orjson
from sqlalchemy import or_, select
from sqlalchemy.orm import contains_eager, selectinload

from labhub.accounts.actor import Actor
from labhub.accounts.models import Laboratory
from labhub.cells import write_csv
from labhub.db import db
from labhub.errors import Conflict, Invalid, NotFound, Refusal, TooLarge, Unavailable
from labhub.i18n import _, current_language
from labhub.lmos import unique_identifier
from labhub.made_files import MadeFiles
from labhub.methods import (
    criteria,
    documents,
    exchange,
    find_queries,
    judgement_queries,
    metadata,
    orders,
    packs,
    queries,
    typesetting,
)
from labhub.methods.archives import safe_name
from labhub.methods.exchange import CODE_SHAPE
from labhub.methods.metadata import MEDIA_TYPES, Edition
from labhub.methods.models import (
    PUBLIC_STATES,
    DetectionMethod,
    MethodState,
    MethodTarget,
    MethodVersion,
    Specificity,
    TargetKind,
)
from labhub.methods.rdml import rdml
from labhub.storage import Store

MOST_TOGETHER: Final = 500
"""Methods in one download; more are for ``labhub export methods``."""
MOST_PACK_BYTES: Final = 1 << 30
"""Stored files in one download, together."""
IN_MEMORY_BYTES: Final = 8 << 20
BATCH: Final = 100
FEW: Final = 20
"""Packs of more methods are made one at a time."""
CITED: Final = frozenset({"zip", "datacite", "datacite-xml", "bibtex", "ris"})
"""Formats that only published versions have."""
JUDGED: Final = frozenset({"pdf", "zip"})
"""Formats that show the judgement."""
ENDINGS: Final = {
    "order-sheet": "-oligos.csv",
    "order-sheet-xlsx": "-oligos.xlsx",
    "datacite": "-datacite.json",
    "datacite-xml": "-datacite.xml",
    "bibtex": ".bib",
}
"""How the names of files end, where not with a point and the name of the format."""
WITH_CHARSET: Final = frozenset({"order-sheet", "bibtex", "ris"})


def _media_types() -> dict[str, str]:
    own = (
        "pdf",
        "rdml",
        "zip",
        "order-sheet",
        "order-sheet-xlsx",
        "datacite",
        "datacite-xml",
        "bibtex",
        "ris",
    )
    return {
        **queries.FORMATS,
        **{name: MEDIA_TYPES[name] + "; charset=utf-8" * (name in WITH_CHARSET) for name in own},
    }


FORMATS: Final = _media_types()
"""Formats of one version with their media types."""
TOGETHER: Final = tuple(name for name in FORMATS if name != "datacite-xml")
"""Formats of several versions together."""
PACK_FORMATS: Final = ("json", "csv", "fasta", "pdf", "rdml", "order-sheet", "datacite")
WHOLE: Final = frozenset({"json", "csv", "xlsx", "rdml", "order-sheet-xlsx"})
"""Formats that are written at once; the others grow method by method."""
FORMAT_ITEMS: Final = {"rdml", "fasta", "order-sheet", "order-sheet-xlsx"}


@dataclass(frozen=True)
class Place:
    """Where documents are made and files are kept."""

    base: str
    """Address of the hub."""
    store: Store
    made: MadeFiles


@dataclass(frozen=True)
class Download:
    """What a door needs to give versions out."""

    items: list[dict[str, Any]]
    """What is counted, one for each method."""
    source: bytes | BinaryIO
    headers: dict[str, Any]


# Editions -------------------------------------------------------------------------------------


def editions_of(
    actor: Actor | None, versions: Sequence[MethodVersion], base: str, *, judged: bool = False
) -> list[Edition]:
    """Return versions with the names and numbers that documents need, ``judged`` where these show it."""
    siblings: dict[int, list[int]] = {}
    methods = {version.method_id for version in versions}
    for method_id, number in db.session.execute(
        select(MethodVersion.method_id, MethodVersion.number)
        .where(MethodVersion.method_id.in_(methods), MethodVersion.state.in_(PUBLIC_STATES))
        .order_by(MethodVersion.number)
    ):
        siblings.setdefault(method_id, []).append(number)
    known = {each.version: each for each in judgement_queries.criteria_versions()} if judged else {}
    return [
        _edition(actor, version, siblings.get(version.method_id, []), known, base) for version in versions
    ]


def _edition(
    actor: Actor | None,
    version: MethodVersion,
    siblings: list[int],
    known: Mapping[str, criteria.Criteria],
    base: str,
) -> Edition:
    record = queries.exported(version, actor)
    judged_by = known.get(version.criteria_version or "")
    laboratory: Laboratory | None = version.method.laboratory
    return Edition(
        record,
        base,
        laboratory=laboratory.name if laboratory else "",
        lmos=tuple(_lmos(version)),
        elements=tuple(_elements(version)),
        siblings=tuple(siblings),
        judgement=criteria.judge(record, judged_by) if judged_by else None,
    )


def _lmos(version: MethodVersion) -> Iterator[str]:
    """Yield the LMOs of a version as an index names them; events that the hub does not know by their text."""
    for target in version.targets:
        if target.lmo is not None:
            lmo = target.lmo
            identifier = unique_identifier.display(lmo.unique_identifier) if lmo.unique_identifier else ""
            yield f"{lmo.event} ({identifier})" if identifier else lmo.event
        elif target.kind is TargetKind.LMO:
            yield unique_identifier.display(target.text)
        elif target.element is None and version.specificity is Specificity.EVENT:
            yield target.text


def _elements(version: MethodVersion) -> Iterator[str]:
    for target in version.targets:
        if target.element is not None:
            yield target.element.name
        elif target.lmo is None and version.specificity is Specificity.SCREENING:
            yield target.text


# One version ----------------------------------------------------------------------------------


def version_as_file(actor: Actor | None, version: MethodVersion, format_: str, place: Place) -> Download:
    """Return a version in one of ``FORMATS``, with the files that the actor may see."""
    _check_format(format_, tuple(FORMATS))
    if format_ in queries.FORMATS:
        made = queries.version_as_file(version, format_, actor)
        return Download([made.item], cast(bytes, made.source), made.headers)
    (edition,) = editions_of(actor, [version], place.base, judged=format_ in JUDGED)
    if format_ in CITED and not edition.is_published:
        raise Conflict(
            _("Version %(number)s is not published: it cannot be cited or packed.", number=version.number)
        )
    if format_ in FORMAT_ITEMS and not version.oligos:
        raise Conflict(_("This version has no oligos, so there is nothing to write in this format."))
    name = f"{edition.name}{ENDINGS.get(format_, f'.{format_}')}"
    if format_ == "pdf" and current_language() != "en":
        name = f"{edition.name}-{current_language()}.pdf"
    source = _written([edition], format_, place, one=True)
    headers = {
        "name": name,
        "media_type": FORMATS[format_],
        "modified_at": version.published_at,
        "counted": version.state in PUBLIC_STATES,
    }
    return Download([_item(version, format_)], source, headers)


def _check_format(format_: str, known: Sequence[str]) -> None:
    if format_ not in known:
        raise Refusal(
            _(
                "Methods are not available as %(format)s. Choose one of %(names)s.",
                format=format_[:20],
                names=", ".join(known),
            ),
            field="format",
        )


def _item(version: MethodVersion, format_: str) -> dict[str, Any]:
    method = version.method
    return {
        "kind": "method",
        "id": method.id,
        "code": method.code,
        "version": str(version.number),
        "file": format_,
        "laboratory_id": method.laboratory_id,
    }


def _written(
    editions: Sequence[Edition],
    format_: str,
    place: Place,
    *,
    one: bool = False,
    selection: Sequence[str] = (),
) -> bytes | BinaryIO:
    if format_ == "pdf":
        return _pdf(editions, place, one=one, selection=selection)
    if format_ == "zip":
        return _pack(editions, place)
    if format_ in ("datacite", "datacite-xml"):
        if format_ == "datacite-xml":
            return metadata.datacite_xml(editions[0])
        found = [metadata.datacite(edition) for edition in editions]
        return orjson.dumps(found[0] if one else found, option=orjson.OPT_INDENT_2) + b"\n"
    return plain_bytes(editions, format_)


def plain_bytes(editions: Sequence[Edition], format_: str) -> bytes:
    """Return editions in a format that needs nothing but them: tables, sequences, citations."""
    if format_ == "rdml":
        return rdml([edition for edition in editions if edition.record["oligos"]])
    if format_ == "order-sheet":
        return write_csv(orders.COLUMNS, orders.order_lines(editions))
    if format_ == "order-sheet-xlsx":
        return orders.order_book(editions)
    if format_ == "fasta":
        return b"".join(exchange.to_fasta(edition.code, edition.record["oligos"]) for edition in editions)
    if format_ == "bibtex":
        return b"\n".join(map(metadata.bibtex, editions))
    if format_ == "ris":
        return b"\r\n".join(map(metadata.ris, editions))
    records = [dict(edition.record) for edition in editions]
    return queries.write(records, format_)


def _pdf(editions: Sequence[Edition], place: Place, *, one: bool, selection: Sequence[str]) -> bytes:
    """Return a PDF, made now or earlier from the same; its name among the made files is what it says."""
    language = current_language()
    if one:
        document = documents.method_document(editions[0], language)
    else:
        document = documents.compendium_document(editions, language, selection)
    key = sha256(typesetting.LAYOUT.read_bytes() + orjson.dumps(document)).hexdigest()

    def make() -> bytes:
        try:
            return next(typesetting.typeset([document]))
        except typesetting.TypesettingFailed as error:
            raise Unavailable(
                _("This document could not be made. The fault has been noted; try again later.")
            ) from error

    return place.made.content(key, make, large=not one)


def _pack(editions: Sequence[Edition], place: Place) -> bytes | BinaryIO:
    total = sum(file["size_bytes"] for edition in editions for file in edition.facts["files"])
    if total > MOST_PACK_BYTES:
        raise TooLarge(
            _(
                "The files of these methods are too large for one download. Choose fewer methods, "
                "or have them written by: labhub export methods --format zip"
            )
        )
    out = cast(BinaryIO, SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115 (the door closes it)
    with place.made.turn(large=len(editions) > FEW):
        write_packed(out, editions, place.store)
    if out.seek(0, 2) > IN_MEMORY_BYTES:
        return out
    with out:
        out.seek(0)
        return out.read()


def write_packed(
    out: BinaryIO, editions: Iterable[Edition], store: Store, done: Callable[[], None] = lambda: None
) -> None:
    """Write editions as a pack; ``done`` is called after each."""

    def packed() -> Iterator[packs.Packed]:
        language = current_language()
        for batch in batches(editions, BATCH):
            pdfs = documents.method_pdfs(batch, language)
            for edition in batch:
                members = []
                for format_ in metadata.offered(edition.record, PACK_FORMATS):
                    content = next(pdfs) if format_ == "pdf" else _member_bytes(edition, format_)
                    members.append(packs.made(*packs.path_of(edition, format_), content))
                taken: set[str] = set()
                for file in edition.facts["files"]:
                    name = safe_name(file["name"], taken)
                    members.append(packs.stored(f"{edition.name}/files", name, file, store.open))
                yield packs.Packed(edition, members)
                done()

    try:
        packs.write_pack(out, packed())
    except (packs.DamagedFile, typesetting.TypesettingFailed, OSError) as error:
        raise Unavailable(
            _("A file of these methods cannot be read now. The fault has been noted; try again later.")
        ) from error


def _member_bytes(edition: Edition, format_: str) -> bytes:
    if format_ == "datacite":
        return orjson.dumps(metadata.datacite(edition), option=orjson.OPT_INDENT_2) + b"\n"
    if format_ in ("json", "csv"):
        return queries.write(dict(edition.record), format_)
    return plain_bytes([edition], format_)


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield items in lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


# Several versions ------------------------------------------------------------------------------


def versions_as_file(
    actor: Actor | None, codes: Sequence[str], filters: Mapping[str, Any], format_: str, place: Place
) -> Download:
    """Return the published versions of methods, named by their codes or chosen by filters, as one file."""
    _check_format(format_, TOGETHER)
    most = documents.MOST_METHODS if format_ in ("pdf", "zip") else MOST_TOGETHER
    versions = chosen_versions(actor, codes, filters, most=most, format_=format_)
    if format_ in FORMAT_ITEMS:
        versions = [version for version in versions if version.oligos]
    if not versions:
        raise NotFound(_("No published method fits: there is nothing to download."))
    editions = editions_of(actor, versions, place.base, judged=format_ in JUDGED)
    source = _written(editions, format_, place, selection=_selection(codes, filters))
    name = "compendium" if format_ == "pdf" else "methods"
    if format_ == "pdf" and current_language() != "en":
        name += f"-{current_language()}"
    headers = {
        "name": f"labhub-{name}{ENDINGS.get(format_, f'.{format_}')}",
        "media_type": FORMATS[format_],
        "modified_at": None,
        "counted": True,
    }
    return Download([_item(version, format_) for version in versions], source, headers)


def _selection(codes: Sequence[str], filters: Mapping[str, Any]) -> list[str]:
    """Return what was asked for, one filter a line, for the cover of the compendium."""
    if codes:
        return [str(_("by code"))]
    lines = []
    for name, value in sorted(filters.items()):
        values = value if isinstance(value, (list, tuple)) else [value]
        shown = [str(getattr(each, "value", each)) for each in values if each not in (None, "")]
        if shown:
            lines.append(f"{name} = {', '.join(shown)}")
    return lines


def chosen_versions(
    actor: Actor | None, codes: Sequence[str], filters: Mapping[str, Any], *, most: int, format_: str
) -> list[MethodVersion]:
    """Return the published versions of the methods named or filtered, in the order of their codes."""
    wanted = list(dict.fromkeys(code.casefold() for code in codes)) if codes else None
    if wanted is None:
        wanted = [code.casefold() for code in published_codes(actor, filters)]
    if len(wanted) > most:
        raise TooLarge(
            _(
                "%(number)s methods are more than the %(most)s of one download. Narrow the choice, "
                "or have them written by: labhub export methods --format %(format)s --published",
                number=len(wanted),
                most=most,
                format=format_,
            )
        )
    found = {version.method.code_key: version for version in _published(wanted)}
    found |= {version.method.hub_key: version for version in found.values() if version.method.hub_key}
    missing = [code for code in codes if code.casefold() not in found]
    if missing:
        raise NotFound(_("There is no published method %(code)s.", code=missing[0][:60]))
    chosen = {found[code].id: found[code] for code in wanted if code in found}
    return sorted(chosen.values(), key=lambda version: version.method.code_key)


def published_codes(actor: Actor | None, filters: Mapping[str, Any]) -> list[str]:
    """Return the codes of published methods that fit the filters of the list."""
    if any(state != MethodState.PUBLISHED for state in filters.get("state") or ()):
        raise Invalid(_("Only published methods are given out together."), field="state")
    return find_queries.find_codes(actor, **{**filters, "state": [MethodState.PUBLISHED.value]})


def _published(keys: Sequence[str]) -> list[MethodVersion]:
    """Return published versions by codes in lower case; what everybody may see."""
    good = [key for key in keys if CODE_SHAPE.fullmatch(key)]
    found: list[MethodVersion] = []
    for batch in batches(good, BATCH):
        query = (
            queries.visible_versions(None)
            .where(
                MethodVersion.state == MethodState.PUBLISHED,
                or_(DetectionMethod.code_key.in_(batch), DetectionMethod.hub_key.in_(batch)),
            )
            .options(*_whole())
        )
        found += db.session.scalars(query)
    return found


def _whole() -> tuple[Any, ...]:
    return (
        *queries.whole_version(),
        contains_eager(MethodVersion.method).selectinload(DetectionMethod.laboratory),
        selectinload(MethodVersion.targets).selectinload(MethodTarget.lmo),
    )


# Everything, for the command line ---------------------------------------------------------------


def exported_numbers(actor: Actor, *, published: bool, codes: Sequence[str]) -> list[int]:
    """Return the rows to export, newest version of each method (or its published one), by code."""
    query = queries.visible_versions(actor).with_only_columns(
        MethodVersion.id, MethodVersion.method_id, DetectionMethod.code_key, DetectionMethod.hub_key
    )
    query = query.options()
    if published:
        query = query.where(MethodVersion.state == MethodState.PUBLISHED)
    spelled = {code.casefold(): code for code in codes}
    wanted = set(spelled)
    newest: dict[int, int] = {}
    found: set[str] = set()
    for row in db.session.execute(query.order_by(DetectionMethod.code_key, MethodVersion.number)):
        keys = {row.code_key, row.hub_key}
        if wanted and not wanted & keys:
            continue
        found |= wanted & keys
        newest[row.method_id] = row.id
    if missing := sorted(wanted - found):
        raise NotFound(_("There is no method %(code)s.", code=spelled[missing[0]][:60]))
    return list(newest.values())


def editions_by_number(
    actor: Actor, numbers: Sequence[int], base: str, *, judged: bool = False
) -> Iterator[Edition]:
    """Yield the editions of version rows, a hundred loaded at a time."""
    for batch in batches(numbers, BATCH):
        query = queries.visible_versions(actor).where(MethodVersion.id.in_(batch)).options(*_whole())
        by_id = {version.id: version for version in db.session.scalars(query)}
        yield from editions_of(actor, [by_id[number] for number in batch], base, judged=judged)
        db.session.expunge_all()


def export_methods(
    actor: Actor,
    numbers: Sequence[int],
    format_: str,
    outputs: Callable[[int, int], AbstractContextManager[BinaryIO]],
    place: Place,
    done: Callable[[int], None] = lambda _number: None,
) -> None:
    """Write version rows in a format, however many; ``done`` hears how many more are written.

    ``outputs`` opens the file of a volume, given its number and how many there are: a compendium of more
    than ``documents.MOST_METHODS`` has several, everything else one. What has no oligos is left out of
    formats of oligos, and what is not published out of those that cite.
    """
    editions = (
        edition
        for edition in editions_by_number(actor, numbers, place.base, judged=format_ in JUDGED)
        if (edition.record["oligos"] or format_ not in FORMAT_ITEMS)
        and (edition.is_published or format_ not in CITED)
    )
    if format_ == "pdf":
        volumes = max(1, -(-len(numbers) // documents.MOST_METHODS))
        for volume, batch in enumerate(batches(editions, documents.MOST_METHODS), start=1):
            with outputs(volume, volumes) as out:
                lines = [str(_("Volume %(number)s of %(all)s", number=volume, all=volumes))]
                out.write(documents.compendium_pdf(batch, current_language(), lines if volumes > 1 else ()))
            done(len(batch))
        return
    with outputs(1, 1) as out:
        if format_ == "zip":
            write_packed(out, editions, place.store, lambda: done(1))
        elif format_ in WHOLE:
            out.write(plain_bytes(list(_heard(editions, done)), format_))
        else:
            _write_in_batches(out, editions, format_, done)


def _heard(editions: Iterable[Edition], done: Callable[[int], None]) -> Iterator[Edition]:
    for edition in editions:
        yield edition
        done(1)


def _write_in_batches(
    out: BinaryIO, editions: Iterable[Edition], format_: str, done: Callable[[int], None]
) -> None:
    """Write what is one text after the other: the header of a table once, the commas of a list between."""
    first = True
    if format_ == "datacite":
        out.write(b"[\n")
    for batch in batches(editions, BATCH):
        if format_ == "datacite":
            parts = [
                orjson.dumps(metadata.datacite(edition), option=orjson.OPT_INDENT_2) for edition in batch
            ]
            out.write((b"" if first else b",\n") + b",\n".join(parts))
        else:
            content = plain_bytes(batch, format_)
            if format_ == "order-sheet" and not first:
                content = content.partition(b"\n")[2]
            out.write(content)
        first = False
        done(len(batch))
    if format_ == "datacite":
        out.write(b"\n]\n")
