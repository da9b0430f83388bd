"""Where rows of the usage ledger wait while the database cannot take them: JSON lines, synced.

The folder belongs to one machine and may be shared by several processes of the hub.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAITING = "usage.jsonl"
TAKEN = "usage.taken.jsonl"
UNREADABLE = "usage.unreadable.jsonl"
LARGEST_UNWRITTEN = 10_000


class Spool:
    """The rows that wait in ``folder``; what even the folder cannot take waits in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unwritten: list[str] = []
        self._mutex = threading.Lock()

    def add(self, row: dict[str, Any]) -> None:
        """Append a row and sync it; raises ``OSError`` when it is kept in memory only."""
        line = json.dumps(row, ensure_ascii=True)
        with self._mutex:
            lines = [*self._unwritten, line]
            try:
                with self._locked():
                    _append(self.folder / WAITING, lines)
            except OSError:
                self._unwritten = lines[-LARGEST_UNWRITTEN:]
                raise
            self._unwritten = []

    def gap(self) -> int:
        """Return how many rows wait, and so are missing from the figures."""
        files = (self.folder / name for name in (WAITING, TAKEN, UNREADABLE))
        return sum(_lines_of(path) for path in files) + len(self._unwritten)

    @contextmanager
    def take(self) -> Iterator[list[dict[str, Any]]]:
        """Give the rows that wait, and forget them when the block ends well.

        New rows may be added meanwhile. A line that cannot be read is put aside and stays in the gap.
        """
        with self._locked("replay"):
            self._move()
            taken = self.folder / TAKEN
            rows, unreadable = _read(taken)
            yield rows
            if unreadable:
                with self._locked():
                    _append(self.folder / UNREADABLE, unreadable)
            taken.unlink(missing_ok=True)

    def _move(self) -> None:
        waiting, taken = self.folder / WAITING, self.folder / TAKEN
        with self._mutex, self._locked():
            if self._unwritten:
                _append(waiting, self._unwritten)
                self._unwritten = []
            if waiting.exists() and taken.exists():  # the last replay did not end
                _append(taken, waiting.read_text("utf-8", "replace").splitlines())
                waiting.unlink()
            elif waiting.exists():
                waiting.replace(taken)

    def put_aside(self, row: dict[str, Any]) -> None:
        """Keep a row that the ledger refused for a person to look at; it stays in the gap."""
        with self._locked():
            _append(self.folder / UNREADABLE, [json.dumps(row, ensure_ascii=True)])

    @contextmanager
    def _locked(self, name: str = "add") -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / f".{name}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _append(path: Path, lines: list[str]) -> None:
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        end = file.tell()
        try:
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)  # no half line
            raise


def _lines_of(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _line in file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return 0


def _read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    rows: list[dict[str, Any]] = []
    unreadable: list[str] = []
    if not path.exists():
        return rows, unreadable
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict) and "uuid" in row:
            rows.append(row)
        elif line:
            unreadable.append(line)
    return rows, unreadable
