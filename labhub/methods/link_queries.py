"""Methods that sequences name by their code: looked up for the doors, since sequences stand below methods."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_

from labhub.accounts.actor import Actor
from labhub.db import db
from labhub.errors import Invalid
from labhub.i18n import _
from labhub.methods.models import DetectionMethod, MethodVersion
from labhub.methods.queries import visible_versions


@dataclass(frozen=True)
class LinkedMethod:
    """A method that the reader may see."""

    code: str
    title: str
    keys: frozenset[str]
    """Every code that it is found by, in lower case."""


def linked_methods(actor: Actor | None, codes: Iterable[str]) -> list[LinkedMethod]:
    """Return the methods with these codes that ``actor`` may see, in the order of the codes."""
    keys = list(dict.fromkeys(code.strip().casefold() for code in codes if code.strip()))
    if not keys:
        return []
    found: dict[str, LinkedMethod] = {}
    for version in db.session.scalars(
        visible_versions(actor)
        .where(or_(DetectionMethod.code_key.in_(keys), DetectionMethod.hub_key.in_(keys)))
        .order_by(MethodVersion.method_id, MethodVersion.number)
    ):
        method = version.method
        names = frozenset(key for key in (method.code_key, method.hub_key) if key)
        for key in names:
            found[key] = LinkedMethod(method.code, version.title, names)
    return list({found[key].code: found[key] for key in keys if key in found}.values())


def checked_codes(actor: Actor | None, codes: Sequence[str]) -> list[str]:
    """Return the codes as the methods have them, or refuse the first that ``actor`` knows no method of."""
    methods = linked_methods(actor, codes)
    known = {key for method in methods for key in method.keys}
    for code in codes:
        if code.strip() and code.strip().casefold() not in known:
            raise Invalid(
                _("There is no method %(code)s.", code=code.strip()[:60]),
                field="methods",
            )
    return [method.code for method in methods]


def every_code(actor: Actor | None, code: str) -> list[str]:
    """Return every code of a method in lower case; the text itself where no method has it."""
    methods = linked_methods(actor, [code])
    return sorted(methods[0].keys) if methods else [code.strip().casefold()]
