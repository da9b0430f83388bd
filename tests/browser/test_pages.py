"""Every public page, at phone and desktop width, in English and Arabic: all fits, nothing is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Hub, Visit

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

PAGES = [
    "/", "/sign-in", "/join", "/forgot-password", "/methods", "/methods/QT-EVE-ZM-020", "/sequences", "/lmos",
    "/lmos/MON-00810-6", "/elements", "/matrix", "/parties", "/laboratories", "/discussions", "/indicators",
    "/indicators/A08.2", "/api/v1/docs", "/no-such-page",
]  # fmt: skip
AXE = (Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [390, 1280])
def test_public_pages_fit_their_width_and_can_be_used_by_all(
    hub: Hub, visit: Callable[..., Visit], width: int, language: str
) -> None:
    page = visit(width=width, language=language).page
    wrong: list[Any] = []
    for address in PAGES:
        page.goto(address)
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        sticks_out = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if sticks_out > 1:
            wrong.append(f"{address}: {sticks_out} px too wide")
        if address == "/api/v1/docs":
            page.wait_for_selector("#api .info")
            continue
        page.evaluate(AXE)
        found = json.loads(
            page.evaluate(
                "axe.run({runOnly: ['wcag2a', 'wcag2aa']}).then(r => JSON.stringify(r.violations.map(v => "
                "[v.id, v.nodes.slice(0, 3).map(n => n.html)])))"
            )
        )
        wrong += [f"{address}: {rule} {nodes}" for rule, nodes in found]
    assert not wrong, "\n".join(wrong)
