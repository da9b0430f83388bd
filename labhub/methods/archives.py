"""Entries of ZIP archives that are the same for the same content, whenever and wherever they are made."""

import re
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can say; it stands in every entry."""
PACKED: Final = (".pdf", ".rdml", ".zip", ".xlsx", ".docx", ".png", ".jpg", ".jpeg", ".gz")
"""Endings of files that do not get smaller."""
LONGEST_NAME: Final = 120
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*%\x00-\x1f\x7f]')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def entry(path: str, size_bytes: int) -> ZipInfo:
    """Return the entry of a file; with its size, so that large files get the large form (ZIP64)."""
    info = ZipInfo(path, FIRST_DAY)
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    info.compress_type = ZIP_STORED if path.lower().endswith(PACKED) else ZIP_DEFLATED
    info.file_size = size_bytes
    return info


def safe_name(name: str, taken: set[str]) -> str:
    """Return a name that is no path, that every system can store, and that is not ``taken`` yet; takes it.

    >>> taken = set()
    >>> safe_name("../../etc/pass?wd", taken), safe_name("CON.txt", taken), safe_name("con.TXT", taken)
    ('_.._etc_pass_wd', '_CON.txt', '_con-2.TXT')
    """
    plain = _UNSAFE.sub("_", name).strip(" .") or "file"
    if plain.startswith("-") or _RESERVED.fullmatch(plain):
        plain = f"_{plain}"
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > 12:
        stem, ending = plain, ""
    else:
        ending = f".{ending}"
    stem = stem[: LONGEST_NAME - len(ending)]
    found, number = f"{stem}{ending}", 1
    while found.casefold() in taken:
        number += 1
        found = f"{stem}-{number}{ending}"
    taken.add(found.casefold())
    return found
