"""Messages in the reader's language, without Flask, so that rules and commands can use them.

Source strings are English. ``_("There is no method %(code)s.", code=code)`` gives a lazy
``Message`` that is put into words when it is shown; ``N_`` only marks a string for extraction.
Catalogues are read from ``translations/<language>/LC_MESSAGES/messages.po`` at first use,
so nothing has to be compiled or committed.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

TRANSLATIONS_FOLDER = Path(__file__).resolve().parent.parent / "translations"

LANGUAGES: dict[str, str] = {"en": "English", "ar": "العربية"}
"""Languages that are complete, each with its own name."""

RIGHT_TO_LEFT = frozenset({"ar"})

_language: ContextVar[str] = ContextVar("labhub_language", default="en")


_SIGNED = re.compile(r"[-+\u2212][0-9][0-9.,]*(e[-+]?[0-9]+)?")


def keep_sign(value: Any) -> Any:
    """Return a signed number as isolated text: in a right-to-left sentence its sign would change sides.

    Other values are returned as they are.

    >>> keep_sign(-3.6) == "\\u2066-3.6\\u2069", keep_sign("MON-810"), keep_sign(5)
    (True, 'MON-810', 5)
    """
    if isinstance(value, (int, float, str)) and _SIGNED.fullmatch(str(value)):
        return f"\u2066{value}\u2069"
    return value


class Message:
    """A text that is translated when it is shown, with ``%(name)s`` parameters."""

    __slots__ = ("msgid", "number", "params", "plural")

    def __init__(
        self, msgid: str, params: dict[str, Any], plural: str | None = None, number: int = 1
    ) -> None:
        self.msgid = msgid
        self.params = params
        self.plural = plural
        self.number = number

    def __str__(self) -> str:
        catalogue = translations(current_language())
        if self.plural is None:
            text = catalogue.gettext(self.msgid)
        else:
            text = catalogue.ngettext(self.msgid, self.plural, self.number)
        if not self.params:
            return text
        if current_language() in RIGHT_TO_LEFT:
            return text % {name: keep_sign(value) for name, value in self.params.items()}
        return text % self.params

    def __html__(self) -> str:
        return (
            str(self)
            .replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace('"', "&#34;")
            .replace("'", "&#39;")
        )

    def __repr__(self) -> str:
        return f"Message({self.msgid!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, (Message, str)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.msgid)


Text = str | Message


def _(msgid: str, /, **params: Any) -> Message:
    """Return a lazy message; ``params`` fill ``%(name)s``."""
    return Message(msgid, params)


def ngettext(singular: str, plural: str, number: int, /, **params: Any) -> Message:
    """Return a lazy message with a plural; ``%(number)s`` is filled too."""
    return Message(singular, {"number": number, **params}, plural, number)


def N_(msgid: str) -> str:
    """Mark a string for extraction and return it unchanged (translate later with ``_``)."""
    return msgid


@lru_cache
def translations(language: str) -> NullTranslations:
    """Return the catalogue of a language; English is the source and has none."""
    path = TRANSLATIONS_FOLDER / language / "LC_MESSAGES" / "messages.po"
    if language == "en" or not path.is_file():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def current_language() -> str:
    """Return the language that messages are shown in now (``en`` unless set)."""
    return _language.get()


def use_language(language: str) -> None:
    """Set the language for the current request or task."""
    _language.set(language if language in LANGUAGES else "en")


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Show messages in ``language`` inside the block, as for a mail in its reader's language."""
    token = _language.set(language if language in LANGUAGES else "en")
    try:
        yield
    finally:
        _language.reset(token)
