"""Markdown of people's posts, turned into HTML in which nothing can run (``trust.md`` C3, C9).

The parser runs without raw HTML, and the sanitiser comes last whatever the parser did.
"""

import re
from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from labhub.errors import Invalid
from labhub.i18n import _

LARGEST_TEXT_BYTES = 64 * 1024
"""Cap of a text, in bytes of UTF-8."""
DEEPEST_NESTING = 20
"""Quotes, lists (two levels each) and emphasis inside each other; what is deeper is not shown."""

TAGS = frozenset(
    {"a", "blockquote", "br", "code", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong"}
    | {"table", "tbody", "td", "th", "thead", "tr", "ul"}
)
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
CELL_CLASSES = {"left": "text-start", "center": "text-center", "right": "text-end"}
"""Alignment of table cells: a class, because the policy of our pages allows no inline style."""
DIRECTION = {"blockquote": "auto", "ol": "auto", "ul": "auto", "table": "auto", "pre": "ltr"}
"""Each block finds its own direction, so that Arabic and English may stand in one post."""
SCHEMES = frozenset({"http", "https", "mailto"})
LINK_REL = "nofollow noopener ugc"

_MARK = re.compile(
    r"""(?<![A-Za-z0-9_&/#])\#(?P<number>[1-9][0-9]{0,8})(?![A-Za-z0-9_])
      | (?<![A-Za-z0-9])https?://[^\s<>"'`|\\^{}\[\]\u3000-\u303f\uff00-\uffef\u060c\u061b\u061f]+""",
    re.VERBOSE | re.IGNORECASE,
)
"""A post's number, or an address with its scheme. linkify-it-py took 22 s for 64 KiB of
``https://[``; this takes time in proportion to the text."""
_LOCAL = re.compile(r"/(?![/\\])[^\\\s]*")


@dataclass(frozen=True)
class Rendered:
    """A text as safe HTML, and how many links to elsewhere it holds."""

    html: str
    links: int


def clean_text(text: str, *, field: str = "text", largest_bytes: int = LARGEST_TEXT_BYTES) -> str:
    """Return ``text`` with plain line ends and no blanks around it; refuse what cannot be stored.

    Raises ``Invalid`` for an empty text, one over ``largest_bytes`` of UTF-8, or control signs.
    """
    if len(text) > largest_bytes or len(text.encode("utf-8", "replace")) > largest_bytes:
        raise Invalid(_("At most %(number)s KiB of text.", number=largest_bytes // 1024), field=field)
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
    if not plain.strip():
        raise Invalid(_("This field is needed."), field=field)
    if any((sign < " " and sign not in "\n\t") or "\x7f" <= sign <= "\x9f" for sign in plain):
        raise Invalid(_("Control characters are not allowed here."), field=field)
    if any("\ud800" <= sign <= "\udfff" for sign in plain):
        raise Invalid(_("The text is not valid Unicode."), field=field)
    return plain


def render(text: str) -> Rendered:
    """Return the HTML of a Markdown text; ``#123`` becomes a link to post 123.

    Raw HTML is shown as text, a picture becomes a link to it, headings start at the fourth
    level, and only addresses with a scheme become links. The last step is the sanitiser.

    >>> render("**Yes**, see #12").html
    '<p><strong>Yes</strong>, see <a href="/posts/12" rel="nofollow noopener ugc">#12</a></p>\\n'
    """
    env: dict[str, object] = {}
    tokens = PARSER.parse(text, env)
    return Rendered(sanitise(PARSER.renderer.render(tokens, PARSER.options, env)), _count_links(tokens))


def sanitise(html: str) -> str:
    """Return only the tags and attributes of a post; every link says that a user wrote it."""
    return nh3.clean(
        html,
        tags=set(TAGS),
        clean_content_tags={"script", "style"},
        attributes={"*": set(), **{tag: set(names) for tag, names in ATTRIBUTES.items()}},
        allowed_classes={"td": set(CELL_CLASSES.values()), "th": set(CELL_CLASSES.values())},
        set_tag_attribute_values={
            **{tag: {"dir": value} for tag, value in DIRECTION.items()},
            "table": {"dir": "auto", "class": "table table-sm table-bordered"},
        },
        url_schemes=set(SCHEMES),
        url_relative=lambda url: url if _LOCAL.fullmatch(url) else None,
        link_rel=LINK_REL,
    )


def _adapt(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 3, 6)}"
        elif token.type in ("td_open", "th_open"):
            style = str(token.attrs.pop("style", ""))
            alignment = CELL_CLASSES.get(style.removeprefix("text-align:"))
            if alignment:
                token.attrSet("class", alignment)
        elif token.type == "inline" and token.children:
            token.children = _with_links(token.children)


def _with_links(children: list[Token]) -> list[Token]:
    """Return the tokens with ``#123`` and bare addresses as links, save inside links and code."""
    result: list[Token] = []
    inside_link = 0
    for token in children:
        if token.type == "link_open":
            inside_link += 1
            if result and result[-1].type == "text" and result[-1].content.endswith("!"):
                result[-1].content = result[-1].content[:-1]  # it was written as a picture
        elif token.type == "link_close":
            inside_link -= 1
            if result[-1].type == "link_open":
                result.append(_text(str(result[-1].attrGet("href") or ""), token.level))
        if token.type != "text" or inside_link:
            result.append(token)
            continue
        at = 0
        for found in _MARK.finditer(token.content):
            shown = found[0] if found["number"] else _without_tail(found[0])
            href = f"/posts/{found['number']}" if found["number"] else PARSER.normalizeLink(shown)
            if shown.endswith("//") or not PARSER.validateLink(href):
                continue
            if found.start() > at:
                result.append(_text(token.content[at : found.start()], token.level))
            result += [
                Token("link_open", "a", 1, attrs={"href": href}, level=token.level),
                _text(shown, token.level + 1),
                Token("link_close", "a", -1, level=token.level),
            ]
            at = found.start() + len(shown)
        if at < len(token.content):
            result.append(_text(token.content[at:], token.level))
    return result


def _without_tail(address: str) -> str:
    """Return an address without the sentence's punctuation after it.

    >>> _without_tail("https://example.org/a_(b)).")
    'https://example.org/a_(b)'
    """
    surplus = address.count(")") - address.count("(")
    end = len(address)
    while end:
        sign = address[end - 1]
        if sign == ")" and surplus > 0:
            surplus -= 1
        elif sign not in ".,;:!?*~_":
            break
        end -= 1
    return address[:end]


def _text(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _count_links(tokens: list[Token]) -> int:
    return sum(
        not str(child.attrGet("href") or "").startswith("/posts/")
        for token in tokens
        for child in token.children or ()
        if child.type == "link_open"
    )


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.disable("image")
    parser.core.ruler.after("inline", "labhub", _adapt)
    return parser


PARSER = _parser()
"""Keeps nothing between texts, so that threads may share it."""
