"""Files that people send: received to the disk, capped, digested, and their kind decided first."""

import base64
import binascii
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import current_app, request

from labhub.config import Config
from labhub.errors import Invalid, Refusal
from labhub.file_kinds import FileKind, display_name, inspect
from labhub.i18n import _
from labhub.storage import Incoming, Store, Stored, StoredFile, keep

HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
REPR_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]{44}):")


@dataclass(frozen=True)
class Upload:
    """A received file: where it lies now, what it is, and the name to show."""

    path: Path
    stored: Stored
    kind: FileKind
    name: str


@contextmanager
def receive(
    field: str = "file",
    *,
    allowed: Collection[str],
    limit_bytes: int | None = None,
    most_rows: int | None = None,
    broken_text: bool = False,
) -> Iterator[Upload]:
    """Receive the file of a multipart form; the part file is gone at the end of the block.

    ``most_rows`` marks a table that is imported and not stored, ``broken_text`` a text whose reader says
    which of its lines cannot be used (see ``file_kinds.inspect``).

    Raises ``Invalid`` without a file or for a kind that is not ``allowed``, ``TooLarge`` over the
    limit, and ``Refusal`` when the sender's own digest (``Repr-Digest`` or the field ``sha256``) differs.
    """
    sent = request.files.get(field)
    if sent is None or not sent.filename:
        raise Invalid(_("Choose a file to send."), field=field)
    config: Config = current_app.extensions["labhub.config"]
    incoming: Incoming = current_app.extensions["labhub.incoming"]
    path, stored = incoming.receive(sent.stream, limit_bytes or config.max_upload_bytes)  # type: ignore[arg-type]
    try:
        _compare_digest(stored.sha256)
        kind = inspect(path, sent.filename, allowed, most_rows=most_rows, broken_text=broken_text)
        yield Upload(path, stored, kind, display_name(sent.filename))
    finally:
        path.unlink(missing_ok=True)


def keep_upload(upload: Upload) -> StoredFile:
    """Put a received file into the store, then say by a row that it is in use."""
    store: Store = current_app.extensions["labhub.store"]
    return keep(store, upload.path, upload.stored)


def _compare_digest(digest: str) -> None:
    given = request.form.get("sha256", "").strip()
    if given:
        if not HEX_DIGEST.fullmatch(given):
            raise Refusal(_("The field sha256 must hold 64 hexadecimal digits."), field="sha256")
        if given.casefold() != digest:
            raise _changed_on_its_way()
    header = request.headers.get("Repr-Digest", "")
    match = REPR_DIGEST.search(header)
    if match:
        try:
            told = base64.b64decode(match[1], validate=True).hex()
        except binascii.Error as error:
            raise Refusal(_("The header Repr-Digest cannot be read.")) from error
        if told != digest:
            raise _changed_on_its_way()


def _changed_on_its_way() -> Refusal:
    return Refusal(_("The file was changed on its way: its SHA-256 differs. Send it again."), field="sha256")
