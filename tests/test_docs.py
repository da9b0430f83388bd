"""What people set, do, count and call is named in docs/."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from labhub.accounts.policy import RULES
from labhub.cli import cli
from labhub.config import SETTINGS
from tests.permission_tables import page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TEXT = {path: path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")}
ALL = "\n".join(TEXT.values())


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS])
def test_setting_is_documented(name: str) -> None:
    assert f"LABHUB_{name}`" in TEXT[DOCS / "configuration.md"]


def test_permissions_page_is_that_of_the_tables() -> None:
    assert TEXT[DOCS / "permissions.md"] == page(), "run tools/permissions_table"


@pytest.mark.parametrize("action", sorted(RULES))
def test_action_is_documented(action: str) -> None:
    assert f"`{action}`" in ALL


def commands(group: click.Group, prefix: str = "labhub") -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


@pytest.mark.parametrize("name", sorted(commands(cli)))
def test_command_is_documented(name: str) -> None:
    assert name in TEXT[DOCS / "commands.md"]


def test_indicators_are_documented() -> None:
    codes = re.findall(
        r"^(A\d\d\.\d),", (ROOT / "seeds" / "indicators.csv").read_text(encoding="utf-8"), re.M
    )
    assert len(codes) == 25
    assert [code for code in codes if code not in TEXT[DOCS / "indicators.md"]] == []


def test_links_inside_the_project_lead_somewhere() -> None:
    wrong = []
    for path in [*TEXT, *ROOT.glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", text):
            if not (path.parent / target).exists():
                wrong.append(f"{path.name}: {target}")
    assert not wrong


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in (DOCS / "decisions").glob("*.md")]
    assert all(number.isdecimal() for number in numbers)
    assert len(numbers) == len(set(numbers))
