"""A served hub with seeds and people, and a browser to visit it with."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.services import free_port
from tests.test_serving import labhub, serving

PASSWORD = "correct horse battery 9"

PEOPLE = {
    "analyst": ("Amina Odhiambo", ["--party", "KE", "--laboratory", "LAB-KE", "--role", "analyst"]),
    "manager": ("Musa Kariuki", ["--party", "KE", "--laboratory", "LAB-KE", "--role", "manager"]),
    "focal": ("Faith Njeri", ["--party", "KE", "--role", "focal-point"]),
    "stranger": ("Bruno Alves", ["--party", "BR", "--laboratory", "LAB-BR", "--role", "analyst"]),
    "reviewer": ("Rania Haddad", ["--organisation", "Network", "--role", "reviewer"]),
    "participant": ("Paulo Reis", ["--party", "BR", "--role", "participant"]),
    "secretariat": ("Sara Lind", ["--organisation", "Secretariat", "--role", "secretariat"]),
}
"""Invented people of the tests."""


@dataclass
class Hub:
    """A served hub: its address, and a token for each of the people."""

    url: str
    tokens: dict[str, str]
    folder: Path


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("browser")
    labhub(folder, "init")
    laboratories = folder / "laboratories.json"
    rows = [
        {"code": "LAB-KE", "name": "National Laboratory", "party": "KE"},
        {"code": "LAB-BR", "name": "Other Laboratory", "party": "BR"},
    ]
    laboratories.write_text(json.dumps(rows))
    labhub(folder, "import", "laboratories", str(laboratories))
    tokens = {}
    for key, (name, options) in PEOPLE.items():
        email = f"{key}@example.org"
        labhub(
            folder,
            "user",
            "create",
            email,
            "--name",
            name,
            *options,
            "--password-stdin",
            text_in=PASSWORD + "\n",
        )
        tokens[key] = labhub(folder, "token", "create", email, "--scope", "write").stdout.strip()
    port = free_port()
    with serving(folder, port):
        yield Hub(f"http://127.0.0.1:{port}", tokens, folder)


@pytest.fixture(scope="package")  # its event loop may not run beside other tests
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
"""A person's browser: headless Chromium's own name counts as a robot."""


@dataclass
class Visit:
    """One person's browser; what the console complained about is kept."""

    page: Page
    context: BrowserContext
    complaints: list[str]


@pytest.fixture
def visit(hub: Hub, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a browser, signed in as one of the people where one is named."""
    opened: list[Visit] = []

    def begin(who: str = "", *, width: int = 1280, language: str = "en", javascript: bool = True) -> Visit:
        context = browser.new_context(
            base_url=hub.url,
            viewport={"width": width, "height": 900},
            locale=language,
            java_script_enabled=javascript,
            accept_downloads=True,
            user_agent=AGENT,
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        complaints: list[str] = []
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        visit = Visit(page, context, complaints)
        opened.append(visit)
        if who:
            page.goto("/sign-in")
            page.fill("input[name=email]", f"{who}@example.org")
            page.fill("input[name=password]", PASSWORD)
            page.click("main button[type=submit], main form button")
            page.wait_for_url(hub.url + "/**")
            assert page.locator(f"text={PEOPLE[who][0]}").count() >= 1, page.content()
        return visit

    yield begin
    for visit in opened:
        visit.context.close()
    complaints = [text for visit in opened for text in visit.complaints if "status of 4" not in text]
    assert complaints == []
