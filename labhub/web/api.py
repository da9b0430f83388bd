"""The blueprint of every ``api.py``: strict input, paging, sorting, record versions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import flask_smorest
from flask import Response, request
from marshmallow import Schema, fields, validate
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from labhub.db import db
from labhub.errors import Refusal, StaleEdit, VersionNeeded
from labhub.i18n import _
from labhub.web.json import StrictParser, dumps

LARGEST_PAGE = 200
Function = TypeVar("Function", bound=Callable[..., Any])


class Blueprint(flask_smorest.Blueprint):
    """A flask-smorest blueprint that reads strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def refuses(self, *statuses: int) -> Callable[[Function], Function]:
        """Describe with which statuses an operation refuses; each answers with a problem document."""

        def describe(function: Function) -> Function:
            for status in reversed(statuses):
                function = self.alt_response(status, schema=Problem)(function)
            return function

        return describe


class ListArguments(Schema):
    """What every list takes; subclasses add the filters that the list knows."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    page_size = fields.Integer(load_default=50, validate=validate.Range(1, LARGEST_PAGE))
    sort = fields.String(load_default="", validate=validate.Length(max=60))
    q = fields.String(load_default="", validate=validate.Length(max=200))
    lang = fields.String(load_default="", validate=validate.Length(max=5))


class Problem(Schema):
    """RFC 9457 problem document."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


@dataclass(frozen=True)
class Page:
    """One page of a list: its rows, and where it stands among all."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    page: int
    page_size: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.page_size))


def sorted_by(
    query: Select[Any],
    sort: str,
    columns: Mapping[str, ColumnElement[Any] | InstrumentedAttribute[Any]],
    default: str,
    tie: ColumnElement[Any] | InstrumentedAttribute[Any],
) -> Select[Any]:
    """Order a list by an allowed column (``name`` or ``-name``); ``tie`` keeps pages stable."""
    wanted = sort or default
    column = columns.get(wanted.lstrip("-"))
    if column is None:
        raise Refusal(
            _(
                "This list cannot be sorted by %(sort)s. Choose among: %(names)s.",
                sort=wanted,
                names=", ".join(columns),
            ),
            field="sort",
        )
    return query.order_by(column.desc() if wanted.startswith("-") else column.asc(), tie)


def page_of(query: Select[Any], page: int, page_size: int) -> Page:
    """Run a list of Core columns and return one page of it."""
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = db.session.execute(query.limit(page_size).offset((page - 1) * page_size)).mappings().all()
    return Page([dict(row) for row in rows], total, page, page_size)


class Place(Protocol):
    """Where a page stands among all rows of a list."""

    @property
    def total(self) -> int: ...
    @property
    def page(self) -> int: ...
    @property
    def page_size(self) -> int: ...
    @property
    def pages(self) -> int: ...


def answer_page(page: Page) -> Response:
    """Return a page as a plain JSON array with ``X-Pagination`` and ``Link``."""
    return answer_rows(dumps(list(page.rows)), page)


def answer_rows(rows: bytes, place: Place) -> Response:
    """Return the JSON array of a page with ``X-Pagination`` and ``Link``."""
    response = Response(rows, mimetype="application/json")
    response.headers["X-Pagination"] = dumps(
        {
            "total": place.total,
            "total_pages": place.pages,
            "page": place.page,
            "first_page": 1,
            "last_page": place.pages,
            "page_size": place.page_size,
        }
    ).decode()
    links = [("first", 1), ("last", place.pages)]
    if place.page > 1:
        links.append(("prev", place.page - 1))
    if place.page < place.pages:
        links.append(("next", place.page + 1))
    others = urlencode([pair for pair in request.args.items(multi=True) if pair[0] != "page"])
    start = f"{request.path}?{others}&page=" if others else f"{request.path}?page="
    response.headers["Link"] = ", ".join(f'<{start}{number}>; rel="{name}"' for name, number in links)
    return response


def answer_record(record: Mapping[str, Any], row_version: int | None = None, status: int = 200) -> Response:
    """Return one record, with its version as ETag where it can be changed."""
    response = Response(dumps(dict(record)), status, mimetype="application/json")
    if row_version is not None:
        response.set_etag(f"v{row_version}")
    return response


def expected_version() -> int:
    """Return the version that ``If-Match`` (or the page's form) says a change was made on."""
    if request.if_match:
        tags = [tag for tag in request.if_match.as_set() if tag.startswith("v") and tag[1:].isdecimal()]
        if len(tags) != 1 or len(tags[0]) > 12:
            raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))
        return int(tags[0][1:])
    given = request.form.get("row_version", "")
    if given.isdecimal() and len(given) < 12:
        return int(given)
    raise VersionNeeded(_("Say which version you change: send the ETag that you read in If-Match."))


def escape_like(text: str) -> str:
    """Return text for a LIKE pattern with the escape sign ``!``."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
