"""Rows that wait while the database cannot take them."""

import json
from pathlib import Path

import pytest

from labhub.spool import TAKEN, UNREADABLE, WAITING, Spool


def row(number: int) -> dict[str, str]:
    return {"uuid": f"row-{number}"}


def test_rows_wait_in_order_until_they_are_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.gap() == 0
    for number in range(3):
        spool.add(row(number))
    assert spool.gap() == 3
    with spool.take() as rows:
        assert rows == [row(number) for number in range(3)]
    assert spool.gap() == 0


def test_rows_stay_when_the_block_fails_and_new_ones_join_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(row(1))
    with pytest.raises(RuntimeError), spool.take():
        spool.add(row(2))
        raise RuntimeError("the database is still away")
    assert spool.gap() == 2
    with spool.take() as rows:
        assert rows == [row(1), row(2)]
    assert spool.gap() == 0


def test_row_added_while_others_are_taken_is_not_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(row(1))
    with spool.take():
        Spool(tmp_path).add(row(2))  # another process of the hub
    assert spool.gap() == 1


def test_line_that_cannot_be_read_is_put_aside_and_stays_in_the_gap(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(row(1))
    with (tmp_path / WAITING).open("a") as file:
        file.write('{"uuid": "cut o\n[]\n')
    with spool.take() as rows:
        assert rows == [row(1)]
    assert spool.gap() == 2
    assert not (tmp_path / TAKEN).exists()
    assert len((tmp_path / UNREADABLE).read_text().splitlines()) == 2


@pytest.mark.req("F3")
def test_row_is_kept_in_memory_when_even_the_folder_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.write_text("a file where the folder should be")
    spool = Spool(folder)
    with pytest.raises(OSError):
        spool.add(row(1))
    assert spool.gap() == 1
    folder.unlink()
    spool.add(row(2))
    assert spool.gap() == 2
    lines = (folder / WAITING).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [row(1), row(2)]
