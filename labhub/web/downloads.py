"""Downloads: one way out for every file, whole or in parts, and its row in the usage ledger."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

import structlog
from flask import Flask, Response, current_app, g, request
from huey import crontab
from sqlalchemy.exc import DBAPIError
from werkzeug.http import is_resource_modified, parse_date, quote_etag

from labhub.config import Config
from labhub.db import db
from labhub.errors import Unavailable
from labhub.file_kinds import content_disposition
from labhub.i18n import _
from labhub.spool import Spool
from labhub.storage import Store, StoredFile
from labhub.usage.commands import UsedItem, Visit, record_uses, replay_spool
from labhub.usage.counting import counts
from labhub.web.auth import current_actor
from labhub.web.errors import answer

log = structlog.get_logger("labhub.downloads")

CHUNK_BYTES = 256 * 1024
SANDBOX = "sandbox; default-src 'none'"
SPOOL = "labhub.usage_spool"


@dataclass(frozen=True)
class Item:
    """What is downloaded: a work (method or sequence), its version, and which of its files."""

    kind: str
    id: int
    code: str
    version: str
    file: str
    laboratory_id: int | None


@dataclass(frozen=True)
class _Content:
    """Bytes or a file made now, or a stored file: its digest and size, and the way to its bytes."""

    sha256: str
    size_bytes: int
    made: bytes | BinaryIO | None = None

    def close(self) -> None:
        """Close a file made now that nobody will read."""
        if self.made is not None and not isinstance(self.made, bytes):
            self.made.close()

    def open(self) -> BinaryIO:
        if isinstance(self.made, bytes):
            return BytesIO(self.made)
        if self.made is not None:
            return self.made
        store: Store = current_app.extensions["labhub.store"]
        try:
            file = store.open(self.sha256)
        except OSError as error:
            log.error("stored file cannot be read", sha256=self.sha256, error=type(error).__name__)
            raise _not_readable() from error
        size = file.seek(0, 2)
        if size != self.size_bytes:
            file.close()
            log.error("stored file has another size", sha256=self.sha256, size=size, expected=self.size_bytes)
            raise _not_readable()
        return file


class _Part:
    """The bytes from ``start`` to ``stop`` of an open file, in chunks; closes it at the end."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self.file = file
        self.left = stop - start
        file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self.file.read(min(CHUNK_BYTES, self.left)) if self.left else b""
        if not chunk:
            self.close()
            raise StopIteration
        self.left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file; the server calls this too when the client has gone."""
        self.file.close()


def init_downloads(app: Flask) -> None:
    """Set up the spool of the ledger and the job that replays it every minute."""
    config: Config = app.extensions["labhub.config"]
    app.extensions[SPOOL] = spool = Spool(config.instance / "spool")

    @app.extensions["labhub.jobs"].huey.periodic_task(crontab(minute="*"))
    def replay_usage() -> int:
        with app.app_context():
            try:
                return replay_spool(spool)
            except (DBAPIError, OSError) as error:
                log.warning("usage spool waits", reason=type(error).__name__, gap=spool.gap())
                return 0


def usage_spool() -> Spool:
    """Return the rows of the ledger that wait."""
    spool: Spool = current_app.extensions[SPOOL]
    return spool


def deliver(
    item: Item | Sequence[Item],
    source: bytes | str | BinaryIO,
    *,
    name: str,
    media_type: str,
    modified_at: datetime | None = None,
    counted: bool = True,
) -> Response:
    """Answer with a file as an attachment, and count it when the answer is a download.

    ``counted`` is false for what is not published: a laboratory looking at its own draft. Several items
    in one file are one use each.

    ``source`` is bytes made now, a file made now (closed here), or the SHA-256 of a stored file.
    Answers 304 to If-None-Match, 206 to one range of bytes, 416 to a range outside (several ranges get
    the whole). Not to be called inside ``transaction()``: the ledger has a transaction of its own.
    """
    if db.session.info.get("in_transaction"):
        raise RuntimeError("deliver() was called inside transaction().")
    content = _content(source)
    response, start = _answer(content, modified_at)
    if response.status_code in (304, 412, 416) or request.method == "HEAD":
        content.close()
    if response.status_code >= 400:
        return response
    headers = response.headers
    headers["ETag"] = quote_etag(content.sha256)
    headers["Cache-Control"] = "no-cache" if current_actor().user_id is None else "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Security-Policy"] = g.content_security_policy = SANDBOX
    headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(content.sha256)).decode()}:"
    if modified_at is not None:
        response.last_modified = modified_at
    if response.status_code == 304:
        del headers["Content-Type"]
    else:
        headers["Content-Disposition"] = content_disposition(name)
        headers["Content-Type"] = media_type
        headers["Accept-Ranges"] = "bytes"
    if counted:
        _count([item] if isinstance(item, Item) else item, response.status_code, start)
    return response


def attachment(content: bytes, name: str, media_type: str) -> Response:
    """Answer with bytes made for this request alone, as an attachment that nobody counts."""
    response = Response(content, content_type=media_type)
    response.headers["Content-Disposition"] = content_disposition(name)
    response.headers["Content-Security-Policy"] = g.content_security_policy = SANDBOX
    return response


def _content(source: bytes | str | BinaryIO) -> _Content:
    if isinstance(source, bytes):
        return _Content(sha256(source).hexdigest(), len(source), source)
    if not isinstance(source, str):
        digest = sha256()
        source.seek(0)
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
        return _Content(digest.hexdigest(), source.tell(), source)
    size = db.session.get_one(StoredFile, source).size_bytes
    return _Content(source, size)


def _not_readable() -> Unavailable:
    return Unavailable(_("This file cannot be read now. The fault has been noted; try again later."))


def _answer(content: _Content, modified_at: datetime | None) -> tuple[Response, int]:
    etag = quote_etag(content.sha256)
    if not is_resource_modified(request.environ, etag=etag, last_modified=modified_at):
        if request.if_match:
            return answer(412, _("The file has changed: ask for it without If-Match.")), 0
        return Response(status=304), 0
    size = content.size_bytes
    if request.method == "HEAD":
        response = Response(status=200)
        response.content_length = size
        return response, 0
    start, stop, status = 0, size, 200
    asked = _range(content.sha256, modified_at)
    if asked is not None:
        start, end = asked
        if start < 0:
            start, end = max(0, size + start), None
        stop = size if end is None else min(end, size)
        status = 206
        if start >= size or stop <= start:
            detail = _("The file has %(size)s bytes: ask for a part inside it.", size=size)
            return answer(416, detail, headers={"Content-Range": f"bytes */{size}"}), 0
    response = Response(_Part(content.open(), start, stop), status, direct_passthrough=True)
    response.content_length = stop - start
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response, start


def _range(digest: str, modified_at: datetime | None) -> tuple[int, int | None] | None:
    """Return the one range that is asked for and to be heeded (RFC 9110, 13.1.5 and 14.2)."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition != quote_etag(digest):
        date = parse_date(condition)
        if date is None or modified_at is None or date != modified_at.replace(microsecond=0):
            return None
    start, end = asked.ranges[0]
    return (start or 0), end


def _count(items: Sequence[Item], status: int, first_byte: int) -> None:
    if not counts(request.method, status, first_byte):
        return
    db.session.rollback()  # ends the request's reading, so that its connection is free
    config: Config = current_app.extensions["labhub.config"]
    visit = Visit(
        actor=current_actor(),
        address=request.remote_addr or "",
        agent=request.headers.get("User-Agent", ""),
        request_id=g.get("request_id", ""),
    )
    used = [UsedItem(**asdict(item)) for item in items]
    record_uses(used, visit, status, secret=config.secret_key, spool=usage_spool())
