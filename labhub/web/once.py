"""A request that creates is done once: the second one with the same key gets the first one's answer."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec

from flask import Response, current_app, request
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from labhub import clock
from labhub.accounts.models import RequestOnce
from labhub.db import db, transaction
from labhub.errors import Conflict, Invalid, Refusal
from labhub.i18n import _
from labhub.web.auth import current_actor

P = ParamSpec("P")
KEPT_FOR = timedelta(hours=24)
"""How long an answer is kept for a repeated request."""


class _NotKept(Exception):
    """A form that was refused: nothing is stored, and the key may be used again."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def once(view: Callable[P, Any]) -> Callable[P, Any]:
    """Let ``Idempotency-Key`` (or the form's ``once`` field) make a second request harmless."""
    return _done_once(view, keep_answer=True)


def once_secretly(view: Callable[P, Any]) -> Callable[P, Any]:
    """Do as ``once`` does for an answer that shows a secret: it is not kept, the second gets 409."""
    return _done_once(view, keep_answer=False)


def _done_once(view: Callable[P, Any], *, keep_answer: bool) -> Callable[P, Any]:
    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Any:
        key = request.headers.get("Idempotency-Key") or request.form.get("once", "")
        actor = current_actor()
        if not key or actor.user_id is None:
            return view(*args, **kwargs)
        if len(key) > 128:
            raise Refusal(_("An Idempotency-Key has at most 128 characters."))
        body = _body_hash()
        try:
            return _first_or_same(key, body, actor.user_id, lambda: view(*args, **kwargs), keep_answer)
        except _NotKept as refused:
            return refused.response
        except IntegrityError:
            row = _find(actor.user_id, key)  # the same request was answered a moment ago
            if row is None:
                raise
            return _same(row, body)

    return answer


def _first_or_same(key: str, body: str, user_id: int, view: Callable[[], Any], keep_answer: bool) -> Response:
    with transaction() as session:
        row = _find(user_id, key)
        if row is not None:
            return _same(row, body)
        session.execute(
            delete(RequestOnce).where(
                RequestOnce.user_id == user_id, RequestOnce.created_at < clock.now() - KEPT_FOR
            )
        )
        row = RequestOnce(
            user_id=user_id,
            key=key,
            body_hash=body,
            status=0,
            content_type="",
            answer="",
            created_at=clock.now(),
        )
        session.add(row)
        session.flush()
        response = current_app.make_response(view())
        if response.status_code >= 400:
            raise _NotKept(response)
        if keep_answer:
            row.status = response.status_code
            row.content_type = response.content_type or ""
            row.location = response.headers.get("Location", "")
            row.etag = response.headers.get("ETag", "")
            row.answer = response.get_data(as_text=True)
    return response


def _find(user_id: int, key: str) -> RequestOnce | None:
    return db.session.scalar(
        select(RequestOnce).where(RequestOnce.user_id == user_id, RequestOnce.key == key)
    )


def _same(row: RequestOnce, body: str) -> Response:
    if row.body_hash != body:
        raise Invalid(_("This Idempotency-Key was used for another request. Use a new one."))
    if not row.status:
        raise Conflict(_("This was done before; its secret was shown once and is not kept."))
    response = Response(row.answer, row.status, content_type=row.content_type)
    for name, value in (("Location", row.location), ("ETag", row.etag)):
        if value:
            response.headers[name] = value
    return response


def _body_hash() -> str:
    digest = sha256(f"{request.method} {request.path}\n".encode())
    if request.form or request.files:
        for name, value in sorted(request.form.items(multi=True)):
            if name not in ("csrf_token", "once"):
                digest.update(f"{name}={value}\n".encode())
        for name, file in sorted(request.files.items(multi=True)):
            digest.update(f"{name}={file.filename}\n".encode())
            while chunk := file.stream.read(1 << 20):
                digest.update(chunk)
            file.stream.seek(0)
    else:
        digest.update(request.get_data(cache=True))
    return digest.hexdigest()
