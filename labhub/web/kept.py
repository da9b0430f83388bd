"""Answers kept in memory for visitors, for as long as nothing has changed (``labhub/changes.py``).

Only whole answers to people who are not signed in and bring no session are kept, each under everything it
depends on: address with its query, language, and the stamp of the audit trail. A change makes the stamp
another one, so that no answer is ever older than the data; what is no longer used is dropped first.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from flask import Response, current_app, g, request

from labhub import clock
from labhub.changes import Stamp, Watch
from labhub.i18n import current_language

P = ParamSpec("P")
MOST_BYTES = 32 << 20
LONGEST_QUERY = 1000
PERSONAL = frozenset({"session", "token", "password", "join", "saved-search", "job"})
"""First words of actions in the audit trail that change nothing of what visitors see of any record."""
KEPT_HEADERS = ("Content-Type", "ETag", "X-Pagination", "Link")


@dataclass(frozen=True)
class _Answer:
    body: bytes
    headers: tuple[tuple[str, str], ...]


class Shelf:
    """Answers by key, the latest used last, up to a number of bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._answers: OrderedDict[Any, _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> _Answer | None:
        """Return an answer and note that it was used."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def put(self, key: Any, answer: _Answer) -> None:
        """Keep an answer; the ones unused for longest make room."""
        if len(answer.body) > self.most_bytes // 16:
            return
        with self._lock:
            if key not in self._answers:
                self._answers[key] = answer
                self.bytes += len(answer.body)
            while self.bytes > self.most_bytes:
                _key, old = self._answers.popitem(last=False)
                self.bytes -= len(old.body)


def kept_for_visitors(stamp: Callable[[], Stamp]) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Keep a view's answers to visitors under the stamp that ``stamp`` gives."""
    shelf = Shelf()

    def decorate(view: Callable[P, Any]) -> Callable[P, Any]:
        @wraps(view)
        def answer(*args: P.args, **kwargs: P.kwargs) -> Any:
            if not _is_plain_visit():
                return view(*args, **kwargs)
            g.kept_stamp = stamp()
            day = clock.now().date()  # what runs out says so from that day on
            key = (g.kept_stamp, day, request.path, request.query_string, current_language())
            found = shelf.get(key)
            if found is not None:
                return Response(found.body, headers=list(found.headers))
            response = current_app.make_response(view(*args, **kwargs))
            if response.status_code == 200 and not response.is_streamed and request.method == "GET":
                response.add_etag()
                headers = tuple((k, response.headers[k]) for k in KEPT_HEADERS if k in response.headers)
                shelf.put(key, _Answer(response.get_data(), headers))
            return response

        return answer

    return decorate


_records = Watch(PERSONAL)


def record_stamp() -> Stamp:
    """Return the place of the last change that may concern the page of any record."""
    return _records.stamp()


def kept_stamp() -> Stamp | None:
    """Return the stamp that this request has asked for already."""
    found: Stamp | None = g.get("kept_stamp")
    return found


def _is_plain_visit() -> bool:
    """Whether a visitor without any session or token reads, with a query of ordinary length."""
    return (
        request.method in ("GET", "HEAD")
        and "Authorization" not in request.headers
        and current_app.config["SESSION_COOKIE_NAME"] not in request.cookies
        and len(request.query_string) <= LONGEST_QUERY
    )
