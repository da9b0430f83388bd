"""Paths into the content of a version: ``title``, ``taxon.scientific``, ``oligos.1.sequence``.

A path names a key of the content, then keys of groups or places in lists (from 0). The empty path is
the whole version.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from labhub.errors import Invalid
from labhub.i18n import Text, _
from labhub.methods import words

LONGEST_PATH = 200
LONGEST_QUOTE = 2_000
PATH_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+){0,6}")


def value_at(content: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path; the whole content at the empty one. Raises ``Invalid``.

    >>> value_at({"oligos": [{"sequence": "ACGT"}]}, "oligos.0.sequence")
    'ACGT'
    """
    if not path:
        return content
    if len(path) > LONGEST_PATH or not PATH_SHAPE.fullmatch(path):
        raise _no_field(path)
    value: Any = content
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and part.isdecimal()
            and len(part) < 5
            and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            raise _no_field(path)
    return value


def _no_field(path: str) -> Invalid:
    return Invalid(
        _(
            "This version has no field %(path)s. Name one of its keys, like title or oligos.0.sequence.",
            path=path[:60],
        ),
        field="field",
    )


def has_field(content: Mapping[str, Any], path: str) -> bool:
    """Say whether a path leads somewhere in a content."""
    try:
        value_at(content, path)
    except Invalid:
        return False
    return True


def as_text(value: Any) -> str | None:
    """Return a value as it is quoted beside a remark: nothing for what is not reported.

    >>> as_text(300), as_text(""), as_text(["maize flour", "seed"])
    ('300', None, 'maize flour; seed')
    """
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        text = "; ".join(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


OFFERED = (
    "title", "specificity", "technique", "quantitative", "chemistry", "target", "targets",
    "lmo_unique_identifiers", "taxon", "oligos", "amplicon_bp", "amplicon", "amplicon_accession",
    "reference_gene", "reference_method", "reference_materials", "calibrant", "reaction_microlitre",
    "template_nanogram",
    "thermal_profile", "reagents", "matrices", "licence", "rights", "validation", "studies",
    "standardisation", "sources", "notes",
)  # fmt: skip
"""The fields that a remark is offered for first, in the order of the page; any other path is taken too."""


def name_of(path: str) -> list[Text]:
    """Return a path as the reader's words, part by part; places in lists count from 1.

    >>> [str(part) for part in name_of("oligos.1.sequence")]
    ['Primers and probes', '2', 'Sequence']
    >>> [str(part) for part in name_of("")]
    ['The whole version']
    """
    if not path:
        return [_("The whole version")]
    found: list[Text] = []
    named: list[str] = []
    for part in path.split("."):
        if part.isdecimal():
            found.append(str(int(part) + 1))
        else:
            named.append(part)
            found.append(words.name_of(".".join(named)))
    return found


def choices(content: Mapping[str, Any]) -> list[tuple[str, list[Text]]]:
    """Return the paths that a page offers: the named fields, then each oligo and each study."""
    found = [(path, name_of(path)) for path in ("", *OFFERED) if not path or path in content]
    for key, parts in (("oligos", ("", "sequence", "final_concentration_nanomolar")), ("studies", ("",))):
        for place in range(len(content.get(key) or ())):
            for part in parts:
                path = f"{key}.{place}.{part}" if part else f"{key}.{place}"
                found.append((path, name_of(path)))
    return found
