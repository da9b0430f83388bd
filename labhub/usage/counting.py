"""How downloads are counted (COUNTER Code of Practice, release 5.1), without database or clock."""


def counts(method: str, status: int, first_byte: int = 0) -> bool:
    """Return whether an answer is a download: a GET with 200, 304, or 206 that starts at byte 0.

    >>> counts("GET", 200), counts("GET", 304), counts("GET", 206, 0)
    (True, True, True)
    >>> counts("HEAD", 200), counts("GET", 206, 4096), counts("GET", 404), counts("GET", 416)
    (False, False, False, False)
    """
    return method == "GET" and (status in (200, 304) or (status == 206 and first_byte == 0))
