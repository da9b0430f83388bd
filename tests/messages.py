"""Collects every message of code and templates (used by the tests and by ``tools/translations``)."""

from pathlib import Path

from babel.messages.extract import extract_from_dir

ROOT = Path(__file__).resolve().parent.parent / "labhub"
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
OPTIONS = {
    "**.py": {},
    "**/templates/**.html": {"trimmed": "true"},
    "**/templates/**.txt": {"trimmed": "true"},
}


def extract() -> dict[str | tuple[str, str], list[str]]:
    """Return each message (a pair where it has a plural) with the places where it stands."""
    found: dict[str | tuple[str, str], list[str]] = {}
    for name, line, message, _comments, _context in extract_from_dir(str(ROOT), METHODS, OPTIONS, KEYWORDS):
        key = tuple(message[:2]) if isinstance(message, tuple) else message
        if key:
            found.setdefault(key, []).append(f"{name}:{line}")  # type: ignore[arg-type]
    return found
