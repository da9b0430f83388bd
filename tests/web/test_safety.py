"""Headers, hosts, hostile input and silence about the inside, over every route of the hub."""

import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from labhub.accounts.actor import Role, Scope
from labhub.db import Model, db
from tests.factories import bearer, make_laboratory, make_user
from tests.test_permissions import routes

PACKED = frozenset(
    {
        "application/zip",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/pdf",
    }
)
INSIDE = re.compile(
    r"Traceback|File \"/|sqlalchemy|psycopg|sqlite3|werkzeug|jinja2|\.py\b|(?<!<)SELECT .* FROM|/site-packages/|argon2id\$"
    r"|labhub\.db|secret_key|Python/|granian",
    re.I,
)

HOSTILE = [
    "'",
    '"',
    "''",
    "' OR '1'='1",
    "'; DROP TABLE party;--",
    '" OR ""="',
    "1; SELECT pg_sleep(9)",
    "1 UNION SELECT 1",
    "%",
    "%%",
    "_",
    "\\",
    "\\'",
    "*",
    "?",
    "[",
    "]",
    "(",
    ")",
    "((((((((((",
    "^",
    "$",
    ".*",
    "(a+)+$",
    "~",
    "NEAR(",
    "AND",
    "OR NOT",
    "-",
    "--",
    "/*",
    "*/",
    "\x00",
    "\x00x",
    "\x1f",
    "\x7f",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\ud7ff",
    "\uffff",
    "😀",
    "ﷺ",
    "İ",
    "ß",
    "ǅ",
    "Ω",
    "a" * 5000,
    "9" * 400,
    "-1",
    "0",
    "1e309",
    "NaN",
    "Infinity",
    "null",
    "true",
    "[]",
    "{}",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%00",
    "%0d%0aX: y",
    "\r\nX-Evil: 1",
    "\n",
    "\t",
    "../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "javascript:alert(1)",
    "name;",
    "name desc",
    "-name",
    "--name",
    "name,id",
    "id) FROM party--",
    "__class__",
    "row_version",
    "password",
    "x" * 65,
]


def row_counts() -> dict[str, int]:
    counts = {
        table.name: db.session.execute(text(f'SELECT count(*) FROM "{table.name}"')).scalar_one()
        for table in Model.metadata.sorted_tables
    }
    db.session.rollback()
    return counts


@pytest.mark.req("C4")
def test_every_route_carries_the_headers_also_when_it_refuses(app: Flask) -> None:
    wrong = []
    for _endpoint, method, address in [
        *routes(app),
        ("", "GET", "/no-such-page"),
        ("", "GET", "/api/v1/no-such"),
    ]:
        response = app.test_client().open(address, method=method)
        policy = response.headers.get("Content-Security-Policy", "")
        needed = (
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        )
        sandboxed = "sandbox" in policy and "default-src 'none'" in policy
        if not (sandboxed or all(part in policy for part in needed)) or "unsafe" in policy:
            wrong.append(f"{method} {address}: {policy}")
        for name, value in (
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ):
            if response.headers.get(name) != value:
                wrong.append(f"{method} {address}: {name} {response.headers.get(name)}")
        if "Permissions-Policy" not in response.headers or not response.headers.get("X-Request-ID"):
            wrong.append(f"{method} {address}: no Permissions-Policy or X-Request-ID")
    assert not wrong, "\n".join(wrong[:30])


@pytest.mark.req("C7")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "localhost@evil.example",
        "evil.example:8000",
    ],
)
def test_an_unknown_host_gets_400(app: Flask, host: str) -> None:
    response = app.test_client().get("/", headers={"Host": host})
    assert response.status_code == 400
    assert "evil" not in response.get_data(as_text=True)


@pytest.mark.req("C7")
def test_forwarding_headers_change_nothing_without_a_configured_proxy(app: Flask) -> None:
    plain = app.test_client().get("/")
    for name in (
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-For",
        "X-Host",
        "Forwarded",
        "X-Original-URL",
    ):
        answer = app.test_client().get("/", headers={name: "evil.example"})
        assert answer.status_code == 200
        assert answer.get_data() == plain.get_data()


@pytest.mark.req("C13")
def test_no_answer_speaks_of_the_inside(app: Flask) -> None:
    user = make_user(Role.SECRETARIAT, Role.ADMINISTRATOR)
    headers = bearer(user, Scope.ADMIN)
    for _endpoint, method, address in routes(app):
        if address in ("/api/v1/openapi.json",):
            continue
        for given in ({}, headers):
            for body in (None, b"{", b'{"a": 1}'):
                response = app.test_client().open(
                    address, method=method, headers=given, data=body, content_type="application/json"
                )
                assert response.status_code < 500, (method, address, response.status_code)
                if response.mimetype in PACKED:  # chance writes every word into packed bytes some day
                    continue
                found = INSIDE.search(response.get_data(as_text=True))
                assert found is None, (method, address, found)


@pytest.mark.req("C13")
def test_a_fault_is_answered_without_its_cause(app: Flask) -> None:
    original = app.view_functions["pages.healthz"]

    def broken() -> Any:
        raise ZeroDivisionError("secret cause")

    app.view_functions["pages.healthz"] = broken
    try:
        page = app.test_client().get("/healthz")
    finally:
        app.view_functions["pages.healthz"] = original
    assert page.status_code == 500
    assert "secret cause" not in page.get_data(as_text=True)
    assert page.headers["X-Request-ID"] in page.get_data(as_text=True)


LISTS = """/api/v1/methods /api/v1/sequences /api/v1/lmos /api/v1/elements /api/v1/parties /api/v1/laboratories
/api/v1/discussions /api/v1/topics /api/v1/posts /api/v1/cases""".split()
PAGES = "/methods /sequences /lmos /elements /parties /laboratories /discussions /indicators".split()


@pytest.mark.req("C2")
@pytest.mark.parametrize("address", LISTS)
def test_hostile_text_in_any_parameter_of_a_list_harms_nothing(app: Flask, address: str) -> None:
    headers = bearer(make_user(Role.ANALYST, laboratory=make_laboratory()))
    path = app.test_client().get("/api/v1/openapi.json").get_json()["paths"]
    item = path.get(address) or path.get(address + "/")
    assert item is not None, address
    names = [
        parameter["name"] for parameter in item["get"].get("parameters", []) if parameter["in"] == "query"
    ]
    assert {"q", "sort", "page", "page_size"} <= set(names)
    before = row_counts()
    client = app.test_client()
    for name in names:
        for value in HOSTILE:
            response = client.get(address, query_string={name: value}, headers=headers)
            assert response.status_code in (200, 400, 404), (name, value, response.status_code)
            if response.status_code >= 400:
                assert response.mimetype == "application/problem+json"
    assert client.get(address, query_string={"no_such": 1}, headers=headers).status_code == 400
    assert client.get(address, query_string={"sort": "password"}, headers=headers).status_code == 400
    assert client.get(address, query_string={"page_size": 201}, headers=headers).status_code == 400
    assert row_counts() == before


@pytest.mark.req("C2")
@pytest.mark.parametrize("address", PAGES)
def test_hostile_text_in_a_page_is_shown_as_text(app: Flask, address: str) -> None:
    client = app.test_client()
    for name in ("q", "sort", "page", "lang"):
        for value in HOSTILE:
            response = client.get(address, query_string={name: value})
            assert response.status_code in (200, 400, 404), (name, value, response.status_code)
            assert "<script>alert" not in response.get_data(as_text=True)


BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}',
    b'{"a": 1e400}', b'{"a": "\\ud800"}', b'{"a": "\\u0000"}', b'{"a": 1, "a": 2}', b'{"a": 18446744073709551616}',
    b'{"a": -9223372036854775809}', b"[" * 5000, b'{"a":' * 40 + b"1" + b"}" * 40, b"\xff\xfe{}", b'{"a": "\xff"}',
    b'\xef\xbb\xbf{"a": 1}', b'{"a": 1} x', b'{"a": tru}', b'{"__proto__": {}}', b'{"title": {"$gt": ""}}', b'{"a": 01}',
]  # fmt: skip


@pytest.mark.req("C11")
@pytest.mark.parametrize(
    "address", ["/api/v1/methods", "/api/v1/cases", "/api/v1/discussions", "/api/v1/posts"]
)
def test_bodies_that_readers_could_take_differently_are_refused(app: Flask, address: str) -> None:
    laboratory = make_laboratory()
    headers = bearer(make_user(Role.ANALYST, Role.SECRETARIAT, Role.PARTICIPANT, laboratory=laboratory))
    before = row_counts()
    for body in BODIES:
        response = app.test_client().post(
            address, data=body, content_type="application/json", headers=headers
        )
        assert response.status_code in (400, 413, 422), (body[:40], response.status_code)
        assert response.mimetype == "application/problem+json"
        json.loads(response.get_data())
    assert row_counts() == before


@pytest.mark.req("C11")
def test_json_over_one_mebibyte_is_too_large(app: Flask) -> None:
    headers = bearer(make_user(Role.SECRETARIAT))
    body = b'{"title": "' + b"x" * (1 << 20) + b'"}'
    response = app.test_client().post(
        "/api/v1/discussions", data=body, content_type="application/json", headers=headers
    )
    assert response.status_code == 413


@pytest.mark.req("D1")
def test_a_body_over_the_limit_is_refused_before_it_is_read(app: Flask) -> None:
    headers = bearer(make_user(Role.ANALYST, laboratory=make_laboratory()))
    limit = app.config["MAX_CONTENT_LENGTH"]
    response = app.test_client().post(
        "/api/v1/sequences",
        headers=headers,
        input_stream=_Unread(),
        environ_overrides={"CONTENT_LENGTH": str(limit + 1)},
        content_type="multipart/form-data; boundary=x",
    )
    assert response.status_code == 413


class _Unread(io.RawIOBase):
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0


LEADING = frozenset("href src action formaction data poster background xlink:href hx-get hx-post".split())
"""Attributes whose value a browser follows or runs."""


class LiveParts(HTMLParser):
    """Collects what could run: scripts with text, handlers, script addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            address = "".join((value or "").split()).casefold()
            if name.startswith("on") or (
                name in LEADING and address.startswith(("javascript:", "vbscript:", "data:"))
            ):
                self.live.append(f"{tag} {name}={value}")
        if tag in ("iframe", "object", "embed", "base") or (tag == "script" and not dict(attrs).get("src")):
            self.live.append(tag)


VECTORS = [
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "</title><script>x</script>",
    "</textarea><script>x</script>",
    "<iframe src=javascript:alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "<a href='javascript:alert(1)'>x</a>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<base href=//evil>",
    "<object data=x>",
    "<style>@import'x'</style>",
    "&lt;script&gt;",
    "\\u003cscript\\u003e",
    "<hx-get='/x'>",
    "<!--><script>x//-->",
]


@pytest.mark.req("C3")
@pytest.mark.parametrize("address", [*PAGES, "/sign-in", "/join", "/no-such-page"])
def test_nothing_reflected_runs(app: Flask, address: str) -> None:
    client = app.test_client()
    for vector in VECTORS:
        for query in ({"q": vector}, {"lang": vector}, {"next": vector}, {"sort": vector}, {vector: "x"}):
            page = client.get(address, query_string=query)
            parts = LiveParts()
            parts.feed(page.get_data(as_text=True))
            assert not parts.live, (address, query, parts.live)
    page = client.get("/" + VECTORS[0])
    parts = LiveParts()
    parts.feed(page.get_data(as_text=True))
    assert not parts.live


@pytest.mark.req("C3")
def test_nothing_stored_runs_in_any_page(app: Flask) -> None:
    """A laboratory, a person and a discussion carry each vector as their text; every page of theirs is read."""
    secretariat = make_user(Role.SECRETARIAT, name='<script>alert(1)</script> " onclick=x')
    headers = bearer(secretariat, Scope.ADMIN)
    client = app.test_client()
    addresses = ["/discussions", "/laboratories", "/parties", "/people", "/account"]
    for number, vector in enumerate(VECTORS):
        body = {
            "code": f"V-{number}",
            "name": vector,
            "party": "KE",
            "address": vector,
            "accreditation": vector[:200],
        }
        if client.post("/api/v1/laboratories", json=body, headers=headers).status_code == 201:
            addresses.append(f"/laboratories/V-{number}")
        body = {
            "title": vector,
            "description": vector,
            "opens_at": "2026-01-01T01:00:00Z",
            "closes_at": "2036-01-01T01:00:00Z",
        }
        made = client.post("/api/v1/discussions", json=body, headers=headers)
        if made.status_code != 201:
            continue
        identity = made.get_json()["id"]
        addresses.append(f"/discussions/{identity}")
        topic = {
            "discussion_id": identity,
            "title": vector,
            "text": f"{vector}\n\n[x]({vector}) `{vector}`\n\n> {vector}",
        }
        answer = client.post("/api/v1/topics", json=topic, headers=headers)
        assert answer.status_code in (201, 422), answer.get_data(as_text=True)
    assert len(addresses) > 30
    for address in addresses:
        page = client.get(address, headers=headers, follow_redirects=True)
        assert page.status_code == 200, (address, page.status_code)
        parts = LiveParts()
        parts.feed(page.get_data(as_text=True))
        assert not parts.live, (address, parts.live)
