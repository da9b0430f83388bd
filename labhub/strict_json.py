"""JSON on the way in, from requests and files alike: nothing that another reader could take differently.

Refused are NaN and infinities, a key that stands twice, half a surrogate pair, NUL, numbers
beyond 64 bits and nesting beyond 32 levels (``trust.md`` C11).
"""

import json
from typing import Any

DEEPEST = 32
LARGEST_INTEGER = 2**63 - 1


def loads(text: str | bytes) -> Any:
    """Return the value of strict JSON in UTF-8; raises ``ValueError`` that says what is wrong.

    >>> loads('{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    words = text.decode("utf-8") if isinstance(text, bytes) else text
    try:
        value = json.loads(words, object_pairs_hook=no_duplicates, parse_constant=no_constant)
        _check(value, 0)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON whose keys differ."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def no_constant(name: str) -> Any:
    """Refuse NaN and infinities."""
    raise ValueError(f"{name} is not a number")


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, str):
        if "\x00" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError("a NUL sign or half a surrogate pair")
    elif isinstance(value, int) and not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise ValueError("a number beyond 64 bits")
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ValueError("a number that is too large")
