"""Files: digest, cap, order of writing, and what the doctor finds."""

import io
import os
import shutil
import subprocess
import sys
import textwrap
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask

from labhub import doctor
from labhub.db import db, transaction
from labhub.errors import TooLarge
from labhub.storage import Incoming, LocalStore, S3Store, Store, StoredFile, keep


def put(app: Flask, content: bytes) -> str:
    incoming: Incoming = app.extensions["labhub.incoming"]
    path, stored = incoming.receive(io.BytesIO(content), 1 << 20)
    with transaction():
        keep(app.extensions["labhub.store"], path, stored)
    path.unlink()
    return stored.sha256


def examine(app: Flask, *, fix: bool = False) -> doctor.Diagnosis:
    return doctor.examine(
        app.extensions["labhub.config"],
        app.extensions["labhub.store"],
        app.extensions["labhub.incoming"],
        fix=fix,
    )


@pytest.mark.req("D1")
@pytest.mark.parametrize("size", [99, 100, 101])
def test_the_cap_holds_to_the_byte(tmp_path: Path, size: int) -> None:
    incoming = Incoming(tmp_path)
    if size > 100:
        with pytest.raises(TooLarge):
            incoming.receive(io.BytesIO(b"x" * size), 100)
        assert list(tmp_path.iterdir()) == []
    else:
        _path, stored = incoming.receive(io.BytesIO(b"x" * size), 100)
        assert stored.size_bytes == size


@pytest.mark.req("D1")
def test_an_endless_upload_is_cut_at_the_cap(tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(TooLarge):
        Incoming(tmp_path).receive(stream, 5 << 20)  # type: ignore[arg-type]
    assert stream.given <= 6 << 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.req("D7")
def test_the_digest_is_that_of_the_bytes(app: Flask) -> None:
    content = os.urandom(100_000)
    digest = put(app, content)
    assert digest == sha256(content).hexdigest()
    with app.extensions["labhub.store"].open(digest) as file:
        assert file.read() == content


def test_the_same_bytes_are_kept_once(app: Flask) -> None:
    assert put(app, b"same") == put(app, b"same")
    assert list(app.extensions["labhub.store"].digests()) == [sha256(b"same").hexdigest()]


@pytest.mark.req("F1")
def test_the_doctor_names_lost_damaged_and_unused_files(app: Flask) -> None:
    lost, damaged = put(app, b"lost"), put(app, b"damaged")
    store: LocalStore = app.extensions["labhub.store"]
    assert examine(app).problems == []
    store.delete(lost)
    path = store._path(damaged)
    path.chmod(0o600)
    path.write_bytes(b"damagee")
    orphan, stored = app.extensions["labhub.incoming"].receive(io.BytesIO(b"orphan"), 100)
    store.put(orphan, stored.sha256)
    problems = examine(app).problems
    assert len(problems) == 3
    assert any(lost in line and "no bytes" in line for line in problems)
    assert any(damaged in line and "damaged" in line for line in problems)
    assert any(stored.sha256 in line and "no row" in line for line in problems)
    mended = examine(app, fix=True).mended
    assert len(mended) == 1
    assert not store.exists(stored.sha256)
    assert store.exists(damaged)


def test_a_row_that_is_rolled_back_leaves_no_row(app: Flask) -> None:
    path, stored = app.extensions["labhub.incoming"].receive(io.BytesIO(b"gone"), 100)
    with pytest.raises(RuntimeError), transaction():
        keep(app.extensions["labhub.store"], path, stored)
        raise RuntimeError
    assert db.session.get(StoredFile, stored.sha256) is None


SAVE = """
    import io, sys
    from labhub import create_app, alembic
    from labhub.config import load
    from labhub.db import transaction
    from labhub.storage import keep
    app = create_app(load({"LABHUB_INSTANCE": sys.argv[1]}))
    with app.app_context():
        alembic.upgrade()
        path, stored = app.extensions["labhub.incoming"].receive(io.BytesIO(b"x" * 5000), 10_000)
        with transaction():
            keep(app.extensions["labhub.store"], path, stored)
        print("STORED", flush=True)
"""


@pytest.mark.req("F2")
def test_file_folder_and_database_are_on_the_disk_before_the_answer(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (Debian: strace)")
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "-y",
        "-e",
        "trace=fsync,fdatasync,write",
        "-o",
        str(trace),
        sys.executable,
        "-c",
    ]
    done = subprocess.run(
        [*command, textwrap.dedent(SAVE), str(tmp_path / "instance")],
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr.casefold() and "STORED" not in done.stdout:
        pytest.skip("this machine does not allow strace")
    assert "STORED" in done.stdout, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    answer = next(i for i, line in enumerate(lines) if '"STORED' in line)
    synced = [line for line in lines[:answer] if "fsync(" in line or "fdatasync(" in line]
    places = [line.partition("<")[2].partition(">")[0] for line in synced]
    digest = sha256(b"x" * 5000).hexdigest()
    file = max(i for i, place in enumerate(places) if "/incoming/" in place)
    folder = max(i for i, place in enumerate(places) if place.endswith(f"/files/{digest[:2]}"))
    log = max(i for i, place in enumerate(places) if place.endswith("labhub.db-wal"))
    assert file < folder < log


@pytest.mark.s3
def test_an_s3_store_keeps_gives_lists_and_deletes(
    s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="labhub-test")
    store: Store = S3Store(f"s3://labhub-test/hub?endpoint={s3_endpoint}")
    store.check()
    incoming = Incoming(tmp_path)
    content = os.urandom(300_000)
    path, stored = incoming.receive(io.BytesIO(content), 1 << 20)
    store.put(path, stored.sha256)
    store.put(path, stored.sha256)
    assert store.exists(stored.sha256)
    assert not store.exists("0" * 64)
    with store.open(stored.sha256) as file:
        assert file.read() == content
    with pytest.raises(FileNotFoundError):
        store.open("0" * 64)
    assert list(store.digests()) == [stored.sha256]
    store.delete(stored.sha256)
    assert not store.exists(stored.sha256)
