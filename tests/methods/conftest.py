"""Fixtures of the tests of methods."""

from collections.abc import Iterator

import pytest

from labhub.i18n import in_language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Messages in English, whatever language a test before has read pages in."""
    with in_language("en"):
        yield
