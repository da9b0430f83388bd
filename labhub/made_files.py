"""Files that take long to make, kept in the instance folder under a name that says what they were made from.

They can be deleted at any time: the next reader has them made again.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import BoundedSemaphore
from typing import Final

from labhub.errors import Unavailable
from labhub.i18n import _

MOST_BYTES: Final = 256 << 20
WAIT_SECONDS: Final = 20


class MadeFiles:
    """A folder of made files, at most ``most_bytes`` together; those unread for longest go first."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, makers: int = 2) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._makers = BoundedSemaphore(makers)
        self._large = BoundedSemaphore(1)

    def content(self, key: str, make: Callable[[], bytes], *, large: bool = False) -> bytes:
        """Return the file of a key (letters and digits), made first where it is not there.

        Two files are made at a time, of the large ones one. Raises ``Unavailable`` when one's turn does
        not come within 20 seconds.
        """
        path = self.folder / key
        found = self._read(path)
        if found is None:
            with self.turn(large=large):
                found = self._read(path)  # somebody else may have made it meanwhile
                if found is None:
                    found = make()
                    self._write(path, found)
        return found

    @contextmanager
    def turn(self, *, large: bool = False) -> Iterator[None]:
        """Wait for one's turn to make something: two at a time, of the large things one."""
        queue = self._large if large else self._makers
        if not queue.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(_("The hub is busy with other documents. Try again in a minute."))
        try:
            yield
        finally:
            queue.release()

    def _read(self, path: Path) -> bytes | None:
        try:
            content = path.read_bytes()
            os.utime(path)  # read now: it stays longest
        except FileNotFoundError:
            return None
        return content

    def _write(self, path: Path, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room(len(content))
        with NamedTemporaryFile(dir=self.folder, prefix=".part-", delete=False) as part:
            part.write(content)
        os.replace(part.name, path)

    def _make_room(self, wanted: int) -> None:
        files = []
        for path in self.folder.iterdir():
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue
            files.append((facts.st_mtime, facts.st_size, path))
        left = sum(size for _time, size, _path in files) + wanted
        for _time, size, path in sorted(files):
            if left <= self.most_bytes:
                break
            path.unlink(missing_ok=True)
            left -= size
