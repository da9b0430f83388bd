"""Files by their SHA-256: bytes first, then the row, so that no row is ever without its file.

The local folder fsyncs file and folder before it answers (``trust.md`` F2); an S3-compatible
store stands behind the same names. ``StoredFile`` is the row that says a file is in use.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from labhub import clock
from labhub.db import Model, UtcDateTime, db
from labhub.errors import StorageFull, TooLarge, Unavailable
from labhub.i18n import _

CHUNK_BYTES = 1 << 20
PART_FILES_KEPT_FOR = timedelta(hours=1)


class StoredFile(Model):
    """A file in use: its digest, size and the kind that the one reader decided."""

    __tablename__ = "stored_file"
    __table_args__ = (CheckConstraint("size_bytes >= 0", name="size_not_negative"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Stored:
    """What the store says of the bytes that it took."""

    sha256: str
    size_bytes: int


class Store(Protocol):
    """Where the bytes are."""

    def put(self, source: Path, digest: str) -> None: ...
    def open(self, digest: str) -> BinaryIO: ...
    def exists(self, digest: str) -> bool: ...
    def digests(self) -> Iterator[str]: ...
    def delete(self, digest: str) -> None: ...
    def check(self) -> None: ...


class LocalStore:
    """A folder: ``ab/cdef…`` by digest, ``incoming/`` for what is being received."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest[2:]

    def put(self, source: Path, digest: str) -> None:
        """Take a received file; on return it is on the disk."""
        target = self._path(digest)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.parent / f".{secrets.token_hex(8)}.part"
        try:
            try:
                os.link(source, part)
            except OSError:  # another file system
                _copy_synced(source, part)
            part.chmod(0o400)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(target.parent)
        _sync_folder(self.folder)

    def open(self, digest: str) -> BinaryIO:
        """Open the bytes for reading."""
        return self._path(digest).open("rb")

    def exists(self, digest: str) -> bool:
        """Whether the store holds the bytes."""
        return self._path(digest).is_file()

    def digests(self) -> Iterator[str]:
        """Yield the digest of every file held."""
        for folder in sorted(self.folder.glob("??")):
            for path in sorted(folder.iterdir()):
                if not path.name.startswith("."):
                    yield folder.name + path.name

    def delete(self, digest: str) -> None:
        """Remove the bytes (only ``labhub doctor --fix`` does)."""
        self._path(digest).unlink(missing_ok=True)

    def check(self) -> None:
        """Raise ``OSError`` unless the folder can be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / f".probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()


class S3Store:
    """An S3-compatible bucket, by obstore: ``s3://bucket/prefix?endpoint=…&region=…``."""

    def __init__(self, url: str) -> None:
        from obstore.store import S3Store as Bucket

        parts = urlsplit(url)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        endpoint = options.get("endpoint")
        self.bucket = Bucket(
            parts.hostname or "",
            prefix=parts.path.strip("/") or None,
            endpoint=endpoint,
            region=options.get("region", "us-east-1"),
            virtual_hosted_style_request=False,
            client_options={"allow_http": bool(endpoint and endpoint.startswith("http:")), "timeout": "25s"},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
        )

    def put(self, source: Path, digest: str) -> None:
        """Take a received file; a second write of the same digest is left as it is."""
        from obstore.exceptions import AlreadyExistsError

        try:
            with source.open("rb") as file:
                self.bucket.put(digest, file, mode="create", use_multipart=False)
        except AlreadyExistsError:
            pass  # the same bytes are there

    def open(self, digest: str) -> BinaryIO:
        """Fetch the bytes for reading."""
        from tempfile import SpooledTemporaryFile

        file = SpooledTemporaryFile(max_size=CHUNK_BYTES * 8)  # noqa: SIM115 (given to the caller)
        try:
            for chunk in self.bucket.get(digest):
                file.write(bytes(chunk))
        except FileNotFoundError:
            file.close()
            raise
        file.seek(0)
        return file  # type: ignore[return-value]

    def exists(self, digest: str) -> bool:
        """Whether the bucket holds the bytes."""
        try:
            self.bucket.head(digest)
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """Yield the digest of every object."""
        for page in self.bucket.list():
            for item in page:
                yield item["path"]

    def delete(self, digest: str) -> None:
        """Remove the object."""
        self.bucket.delete(digest)

    def check(self) -> None:
        """Raise unless the bucket answers."""
        self.exists("0" * 64)


def store_for(url: str) -> Store:
    """Return the store that ``STORAGE_URL`` names."""
    if url.startswith("s3://"):
        return S3Store(url)
    return LocalStore(Path(unquote(urlsplit(url).path)))


class Incoming:
    """Receives uploads into a folder on the local disk, capped and digested while they arrive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def receive(self, stream: BinaryIO, limit_bytes: int) -> tuple[Path, Stored]:
        """Write ``stream`` to a synced part file and return it; over the limit nothing is kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{secrets.token_hex(16)}.part"
        digest, size = sha256(), 0
        try:
            with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                while chunk := stream.read(CHUNK_BYTES):
                    size += len(chunk)
                    if size > limit_bytes:
                        raise TooLarge(_("The file is larger than %(limit)s bytes.", limit=limit_bytes))
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise StorageFull(_("The hub has no room for this file now. Try again later.")) from error
            raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path, Stored(digest.hexdigest(), size)

    def left_over(self) -> list[Path]:
        """Return part files of uploads that ended more than an hour ago without an answer."""
        border = clock.now().timestamp() - PART_FILES_KEPT_FOR.total_seconds()
        return [path for path in sorted(self.folder.glob("*.part")) if path.stat().st_mtime < border]


def keep(store: Store, path: Path, stored: Stored) -> StoredFile:
    """Move a received file into the store, then say by a row that it is in use."""
    try:
        store.put(path, stored.sha256)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(_("The hub has no room for this file now. Try again later.")) from error
        raise Unavailable(_("The file store does not answer now. Try again later.")) from error
    row = db.session.get(StoredFile, stored.sha256)
    if row is None:
        row = StoredFile(sha256=stored.sha256, size_bytes=stored.size_bytes, stored_at=clock.now())
        db.session.add(row)
        db.session.flush()
    return row


def _copy_synced(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
