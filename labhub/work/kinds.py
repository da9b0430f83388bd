"""The kinds of jobs that the hub knows: what runs, what ends the work, and how the result is shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from labhub.accounts.actor import Actor


class Cancelled(Exception):
    """The owner does not want the work any more."""


@dataclass
class Work:
    """A job in a worker's hands."""

    number: int
    actor: Actor
    """Whose job it is, with the rights held now."""
    payload: dict[str, Any]
    done: float = 0.0
    stopped: Event = field(default_factory=Event)

    def progress(self, done: float) -> None:
        """Say which fraction is done; raises ``Cancelled`` when the work is not wanted any more."""
        self.done = min(1.0, max(self.done, done))
        if self.stopped.is_set():
            raise Cancelled


@dataclass
class Kind:
    """One kind of jobs."""

    name: str
    title: str
    """What the work is, as a message that is translated when it is shown."""
    run: Callable[[Work], dict[str, Any]]
    finish: Callable[[Work, dict[str, Any]], None] | None = None
    answer: Callable[[Actor, dict[str, Any]], dict[str, Any]] | None = None
    show: Callable[[int, dict[str, Any]], str] | None = None


KINDS: dict[str, Kind] = {}


def register(
    name: str,
    run: Callable[[Work], dict[str, Any]],
    *,
    title: str = "",
    finish: Callable[[Work, dict[str, Any]], None] | None = None,
    answer: Callable[[Actor, dict[str, Any]], dict[str, Any]] | None = None,
) -> Kind:
    """Add a kind of jobs, once.

    ``run`` works outside any transaction and may be repeated: it reads and computes, and changes nothing.
    What it returns is JSON; it may hold messages. ``finish`` makes the changes, in the transaction that
    ends the job, once. ``answer`` returns what a person may read of a result now: rights can have changed
    since. A ``Refusal`` that ``run`` raises ends the job with its text; any other fault is tried again.
    """
    kind = Kind(name, title or name, run, finish, answer)
    if name in KINDS:
        kind.show = KINDS[name].show
    KINDS[name] = kind
    return kind


def show_with(name: str, show: Callable[[int, dict[str, Any]], str]) -> None:
    """Let ``/jobs/{id}`` show results of a kind by ``show(number, result)``, which returns safe HTML."""
    KINDS[name].show = show


def title_of(name: str) -> str:
    """Return what a kind of work is called, untranslated; a kind that is gone by its own name."""
    return KINDS[name].title if name in KINDS else name
