"""Files that take long to make."""

import os
from pathlib import Path
from threading import Thread

import pytest

from labhub import made_files
from labhub.errors import Unavailable
from labhub.made_files import MadeFiles


def test_file_is_made_once(tmp_path: Path):
    calls = []
    made = MadeFiles(tmp_path / "made")

    def make() -> bytes:
        calls.append(1)
        return b"content"

    for _time in range(2):
        assert made.content("key", make) == b"content"
    assert len(calls) == 1


def test_those_unread_for_longest_go_first(tmp_path: Path):
    made = MadeFiles(tmp_path, most_bytes=30)
    for place, key in enumerate(("a", "b", "c")):
        made.content(key, lambda: b"x" * 10)
        os.utime(tmp_path / key, (place, place))
    made.content("a", lambda: b"never")  # read now
    made.content("d", lambda: b"x" * 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_failure_leaves_nothing_and_gives_the_turn_back(tmp_path: Path):
    made = MadeFiles(tmp_path)
    for _time in range(5):
        with pytest.raises(ValueError):
            made.content("key", lambda: b"x" * int("no"))
    assert list(tmp_path.iterdir()) == []


def test_reader_whose_turn_does_not_come_is_told_to_come_back(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(made_files, "WAIT_SECONDS", 0.01)
    made = MadeFiles(tmp_path)
    with made.turn(large=True):
        refused = []

        def ask() -> None:
            try:
                made.content("key", lambda: b"x", large=True)
            except Unavailable as refusal:
                refused.append(refusal)

        thread = Thread(target=ask)
        thread.start()
        thread.join()
    assert len(refused) == 1
