"""Storing many methods at once: rows by table, no object a row.

Asks for no permission and writes no audit entry: who calls does.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import bindparam, insert, select, update

from labhub import clock
from labhub.accounts.actor import Actor
from labhub.accounts.models import Laboratory
from labhub.db import db
from labhub.methods import find_commands, judgement_queries, queries
from labhub.methods.exchange import Content
from labhub.methods.models import (
    DetectionMethod,
    MethodOrigin,
    MethodState,
    MethodVersion,
    StudyLevel,
    ValidationStudy,
)
from labhub.methods.record_commands import (
    Matcher,
    columns_of,
    new_hub_codes,
    parts_of,
    studies_of,
    wished_code,
)

CHUNK = 500
"""Methods whose rows are held in memory at a time."""
UPDATED = "Updated from its sources."

T = TypeVar("T")
Told = Callable[[int], None]


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), CHUNK):
        yield items[at : at + CHUNK]


def create_many(
    actor: Actor, owner: Laboratory | None, contents: Sequence[Content], match: Matcher, told: Told
) -> list[str]:
    """Store new methods, drafts of ``owner`` or published compiled ones, and return their codes.

    ``told`` hears how many are done after each chunk.
    """
    codes: list[str] = []
    for chunk in _chunks(contents):
        methods = [_method_row(actor, owner, content) for content in chunk]
        without = [row for row in methods if not row["code"] or owner is not None]
        for row, code in zip(without, new_hub_codes(len(without)) if without else (), strict=True):
            row["code"] = code
            row["hub_key"] = code.casefold()
        for row in methods:
            row["code_key"] = row["code"].casefold()
        _insert(DetectionMethod, methods)
        ids = _numbers(DetectionMethod.code_key, DetectionMethod.id, [row["code_key"] for row in methods])
        editors = [actor.user_id] if owner is not None and actor.user_id else []
        versions = [
            _version_row(
                content, method_id, 1, created_by_id=actor.user_id if owner else None, editor_ids=editors
            )
            | columns_of(content, trusted=owner is None)
            for content, method_id in zip(chunk, ids, strict=True)
        ]
        version_ids = _insert_versions(versions)
        _insert_parts(chunk, version_ids, match, trusted=owner is None)
        if owner is None:
            _publish(
                [
                    (version_id, _stored(content, row["code"], row["hub_key"]), 1)
                    for version_id, content, row in zip(version_ids, chunk, methods, strict=True)
                ]
            )
        codes += [row["code"] for row in methods]
        told(len(codes))
    return codes


def renew_compiled(changed: Sequence[tuple[Content, queries.Known]], match: Matcher, told: Told) -> list[str]:
    """Publish a new version of compiled methods in place of the published one, and return their codes."""
    codes: list[str] = []
    for chunk in _chunks(changed):
        contents = [content for content, _known in chunk]
        versions = [
            _version_row(content, known.method_id, known.number + 1, change_note=UPDATED)
            | columns_of(content, trusted=True)
            for content, known in chunk
        ]
        version_ids = _insert_versions(versions)
        _insert_parts(contents, version_ids, match, trusted=True)
        db.session.execute(
            update(MethodVersion)
            .where(
                MethodVersion.method_id.in_([known.method_id for _content, known in chunk]),
                MethodVersion.state == MethodState.PUBLISHED,
            )
            .values(state=MethodState.SUPERSEDED, superseded_at=clock.now()),
            execution_options={"synchronize_session": "fetch"},
        )
        _publish(
            [
                (version_id, queries.content_under(content, known), known.number + 1)
                for version_id, (content, known) in zip(version_ids, chunk, strict=True)
            ]
        )
        find_commands.changed_numbers(known.version_id for _content, known in chunk)
        codes += [known.code for _content, known in chunk]
        told(len(codes))
    return codes


def _method_row(actor: Actor, owner: Laboratory | None, content: Content) -> dict[str, Any]:
    wish = wished_code(content)
    return {
        "code": wish if owner is None else "",
        "hub_key": None,
        "wished_code": "" if owner is None else wish,
        "source_code": content["source_code"],
        "laboratory_id": owner.id if owner else None,
        "origin": MethodOrigin.SUBMITTED if owner else MethodOrigin.COMPILED,
        "created_by_id": actor.user_id if owner else None,
        "created_at": clock.now(),
    }


def _version_row(content: Content, method_id: int, number: int, **more: Any) -> dict[str, Any]:
    now = clock.now()
    return {
        "method_id": method_id,
        "number": number,
        "state": MethodState.DRAFT,
        "created_at": now,
        "changed_at": now,
        "created_by_id": None,
        "editor_ids": [],
        "seen_in": [],
        "change_note": "",
        **more,
    }


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        db.session.connection().execute(insert(model.__table__), rows)


def _insert_versions(rows: list[dict[str, Any]]) -> list[int]:
    """Insert versions, one of each method, and return their numbers in the order of the rows."""
    _insert(MethodVersion, rows)
    methods = [row["method_id"] for row in rows]
    return _numbers(
        MethodVersion.method_id, MethodVersion.id, methods, MethodVersion.state == MethodState.DRAFT
    )


def _numbers(key: Any, number: Any, keys: Sequence[Any], *where: Any) -> list[int]:
    """Return the numbers of the rows with these keys, in their order.

    Asked for after the insertion: one statement, where RETURNING in order would be one for each row.
    """
    found: dict[Any, int] = dict(db.session.execute(select(key, number).where(key.in_(keys), *where)).all())
    return [found[each] for each in keys]


def _insert_parts(
    contents: Sequence[Content], version_ids: Sequence[int], match: Matcher, *, trusted: bool
) -> None:
    find_commands.changed_numbers(version_ids)
    rows: dict[Any, list[dict[str, Any]]] = {}
    studies: list[dict[str, Any]] = []
    levels: list[list[dict[str, Any]]] = []
    for content, version_id in zip(contents, version_ids, strict=True):
        for model, parts in parts_of(content, match, trusted=trusted).items():
            rows.setdefault(model, []).extend({"version_id": version_id, **part} for part in parts)
        for study, of_study in studies_of(content):
            studies.append({"version_id": version_id, **study})
            levels.append([{"version_id": version_id, **level} for level in of_study])
    for model, parts in rows.items():
        _insert(model, parts)
    _insert(ValidationStudy, studies)
    if any(levels):
        ids = {
            (version_id, position): number
            for version_id, position, number in db.session.execute(
                select(ValidationStudy.version_id, ValidationStudy.position, ValidationStudy.id).where(
                    ValidationStudy.version_id.in_(version_ids)
                )
            )
        }
        _insert(
            StudyLevel,
            [
                {"study_id": ids[study["version_id"], study["position"]], **level}
                for study, each in zip(studies, levels, strict=True)
                for level in each
            ],
        )


def _stored(content: Content, code: str, hub_key: str | None) -> Content:
    """Return content as it will be read of a new compiled method."""
    return {**content, "code": code, "wished_code": None, "origin": MethodOrigin.COMPILED.value}


def _publish(versions: Sequence[tuple[int, Content, int]]) -> None:
    """Seal and publish versions whose parts are in the database: each its number, content and version."""
    now = clock.now()
    table: Any = MethodVersion.__table__
    db.session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("of_id"))
        .values(
            state=bindparam("new_state"),
            published_at=bindparam("at"),
            content_hash=bindparam("seal"),
            criteria_version=judgement_queries.newest_criteria_version(),
            row_version=2,
        ),
        [
            {
                "of_id": version_id,
                "new_state": MethodState.PUBLISHED,
                "at": now,
                "seal": queries.seal_of_content(content, number),
            }
            for version_id, content, number in versions
        ],
    )
