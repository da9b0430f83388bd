"""Pages load files of ours only, and the vendored ones are byte for byte what their packages hold."""

import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDORS = [ROOT / "labhub/web/static/vendor", ROOT / "tests/browser/vendor", ROOT / "labhub/fonts"]
ANOTHER_HOST = re.compile(r"(?:^|[\s,(])(?:https?:)?//\w", re.IGNORECASE)
LOADING = {
    "src",
    "href",
    "srcset",
    "action",
    "formaction",
    "poster",
    "data",
    "background",
    "manifest",
    "xlink:href",
}
NAMESPACES = "http://www.w3.org/"
"""The one address that a script may hold: it names a vocabulary (SVG) and is never fetched."""


def ours(*suffixes: str) -> list[Path]:
    """Return labhub's own files with these endings, vendored ones left out."""
    found = (path for suffix in suffixes for path in (ROOT / "labhub").rglob(f"*{suffix}"))
    return sorted(path for path in found if VENDORS[0] not in path.parents)


def pages() -> list[Path]:
    """Return the templates that a browser shows; mail and PDF are drawn elsewhere, without our policy."""
    return [path for path in ours(".html", ".jinja", ".j2") if not {"mail", "pdf"} & set(path.parts)]


class Tags(HTMLParser):
    """Collects every start tag of a template, with the template language taken out of it."""

    def __init__(self, template: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", template, flags=re.DOTALL)
        # An address written inside {{ }} stays; what would end an attribute or a tag does not.
        self.feed(
            re.sub(r"\{\{(.*?)\}\}", lambda m: re.sub(r"[\"'<>]", "", m[1]).strip(), text, flags=re.DOTALL)
        )
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


def other_hosts(template: str) -> Iterator[str]:
    """Yield the tags of a page that load from, or send to, another host; plain links are allowed."""
    for tag, attributes in Tags(template).tags:
        for name, value in attributes.items():
            if tag == "a" and name == "href":
                continue
            loads = name in LOADING or name.startswith(("hx-", "data-hx-"))
            if (loads and ANOTHER_HOST.search(value)) or (name == "style" and css_hosts(value)):
                yield f'<{tag} {name}="{value}">'


def css_hosts(text: str) -> list[str]:
    return re.findall(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\"')\s]*", text, re.IGNORECASE)


def js_hosts(text: str) -> list[str]:
    found: list[str] = re.findall(r"[\"'`]((?:https?:|wss?:)?//[^\"'`\s]+)", text, re.IGNORECASE)
    return [address for address in found if not address.startswith(NAMESPACES)]


def refused_by_policy(template: str) -> Iterator[str]:
    """Yield what the content security policy would stop: see docs/decisions/0004-htmx.md."""
    for tag, attributes in Tags(template).tags:
        if tag == "style" or attributes.get("style"):
            yield f"<{tag}> with inline style"
        if tag == "script" and "src" not in attributes and "json" not in attributes.get("type", ""):
            yield "<script> without src"
        for name, value in attributes.items():
            if value and name.startswith(("on", "hx-on")):
                yield f"<{tag} {name}>"
            if name.startswith("hx-") and re.match(r"\s*(js|javascript):", value):
                yield f"<{tag} {name}> with script"
            if name.startswith("hx-trigger") and "[" in value:
                yield f"<{tag} {name}> with a filter, which is script"


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_vendored_files_are_those_of_the_manifest(vendor):
    lines = json.loads((vendor / "MANIFEST.json").read_text(encoding="utf-8"))
    found = {
        path.relative_to(vendor).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "MANIFEST.json"
    }
    assert found == {line["file"]: line["sha256"] for line in lines}


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_manifest_agrees_with_the_lock(vendor):
    lock = json.loads((ROOT / "assets/package-lock.json").read_text(encoding="utf-8"))["packages"]
    for line in json.loads((vendor / "MANIFEST.json").read_text(encoding="utf-8")):
        package = lock[f"node_modules/{line['package']}"]
        assert (line["version"], line["licence"]) == (package["version"], package["license"])


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_vendored_package_has_its_licence(vendor):
    for folder in (path for path in vendor.iterdir() if path.is_dir()):
        assert (folder / "LICENSE").is_file(), folder.name


def test_lock_names_no_address_of_a_package():
    lock = json.loads((ROOT / "assets/package-lock.json").read_text(encoding="utf-8"))
    assert [path for path, entry in lock["packages"].items() if "resolved" in entry] == []


def test_pages_load_from_no_other_host():
    found = {
        str(path.relative_to(ROOT)): list(other_hosts(path.read_text(encoding="utf-8"))) for path in pages()
    }
    assert {path: tags for path, tags in found.items() if tags} == {}


def test_own_styles_and_scripts_name_no_other_host():
    found = {
        str(path.relative_to(ROOT)): css_hosts(path.read_text(encoding="utf-8")) for path in ours(".css")
    }
    found |= {
        str(path.relative_to(ROOT)): js_hosts(path.read_text(encoding="utf-8"))
        for path in ours(".js", ".mjs")
    }
    assert {path: addresses for path, addresses in found.items() if addresses} == {}


def test_pages_hold_nothing_that_the_policy_refuses():
    found = {
        str(path.relative_to(ROOT)): list(refused_by_policy(path.read_text(encoding="utf-8")))
        for path in pages()
    }
    assert {path: tags for path, tags in found.items() if tags} == {}


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://elsewhere.example/a.js"></script>',
        '<link rel="stylesheet" href="//elsewhere.example/a.css">',
        "<link href=\"{{ 'https://elsewhere.example/' ~ name }}\">",
        '<img srcset="/a.png 1x, https://elsewhere.example/a.png 2x">',
        '<form action="{% if a > b %}http://elsewhere.example{% endif %}">',
        '<button hx-get="https://elsewhere.example/">',
        '<p style="background: url(https://elsewhere.example/a.png)">',
    ],
)
def test_another_host_is_found(tag):
    assert list(other_hosts(tag))


@pytest.mark.parametrize(
    "tag",
    [
        '<a href="https://bch.cbd.int/">BCH</a>',
        "<script src=\"{{ url_for('static', filename='vendor/htmx.min.js') }}\" defer></script>",
        '<form action="/methods" method="get">',
        '<img src="/chart/{{ width // 2 }}.svg">',
    ],
)
def test_own_files_and_plain_links_are_allowed(tag):
    assert not list(other_hosts(tag))


@pytest.mark.parametrize(
    "tag",
    [
        "<style>p { color: red }</style>",
        '<p style="color: red">',
        "<script>go()</script>",
        '<p onclick="go()">',
        '<p hx-on:click="go()">',
        '<p hx-vals="js:{a: 1}">',
        '<p hx-trigger="click[ctrlKey]">',
    ],
)
def test_what_the_policy_refuses_is_found(tag):
    assert list(refused_by_policy(tag))
    assert not list(
        refused_by_policy('<script type="application/ld+json">{}</script><p hx-trigger="submit">')
    )
