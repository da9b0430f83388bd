"""Maps of records as SVG: features, primers and products to scale, on a line or on a circle.

A map and the table beside it are made of the same parts (``MapParts``), so that whoever cannot see the
one reads the other. There is no style and no script in a drawing; every text of users is escaped. On a
page each part is a link to its row, which the keyboard reaches in the order of the sequence.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from xml.sax.saxutils import escape, quoteattr

from labhub.i18n import Text, _, ngettext

WIDTHS = (340, 960)
"""Widths of a map in pixels: a telephone's and a desk's."""
MOST_SINGLE = 80
"""Features that are drawn one by one: the longest; the others of a record stand in groups."""
STRETCHES = 40
"""Equal stretches of a record, each with one group."""
MOST_PRODUCTS = 60
MOST_SEGMENTS = 60
"""Parts of one location that are drawn apart; a feature with more is drawn as one."""
MOST_LABEL = 40

INK, GREY, PALE = "#1d2a22", "#4a5250", "#dfe6dc"
_COLOURS = {
    "promoter": "#b45309",
    "regulatory": "#b45309",
    "terminator": "#9b1c1c",
    "polyA_signal": "#9b1c1c",
    "CDS": "#1e4f8f",
    "gene": "#14532d",
    "primer_bind": "#7a1f6b",
    "rep_origin": "#6a4b00",
    "source": "#5f6b63",
}
_OTHER, _GROUP, _PRODUCT = "#3f5f55", "#8a9490", "#7a1f6b"
"""Each colour has a contrast of 3 or more on white; no meaning is told by colour alone."""
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

LANE, RING, ROW = 18.0, 12.0, 13.0
"""Height of a lane of a line, width of a ring of a circle, height of a label beside a circle."""
LETTER = 6.3
"""Width of a letter of 11 pixels; wide ones count twice."""


# What there is to draw ------------------------------------------------------------------------


@dataclass(frozen=True)
class MapFeature:
    """A feature; ``start`` and ``end`` count from 1, ``end < start`` over the origin of a circle."""

    number: int
    kind: str
    label: str
    start: int
    end: int
    strand: int
    location: str = ""


@dataclass(frozen=True)
class MapGroup:
    """Features of a stretch of the record that are too many to be drawn one by one."""

    number: int
    start: int
    end: int
    count: int
    kinds: tuple[tuple[str, int], ...]

    @property
    def label(self) -> Text:
        return ngettext("%(num)s feature", "%(num)s features", self.count, num=self.count)


@dataclass(frozen=True)
class MapSite:
    """Where an oligo lies: offset of its first base in the product, its length and direction."""

    role: str
    offset: int
    size: int
    strand: int


@dataclass(frozen=True)
class MapProduct:
    """A product of a method: ``start`` counts from 1, ``strand`` is that of the forward primer."""

    number: int
    name: str
    start: int
    end: int
    size: int
    strand: int
    mm_f: int
    mm_r: int
    probe_mm: int | None
    sites: tuple[MapSite, ...] = ()


@dataclass(frozen=True)
class MapParts:
    """Everything that the map of a record shows."""

    accession: str
    title: str
    length: int
    circular: bool
    features: tuple[MapFeature, ...]
    groups: tuple[MapGroup, ...] = ()
    products: tuple[MapProduct, ...] = ()
    feature_count: int = 0
    product_count: int = 0

    @property
    def notes(self) -> list[Text]:
        """What the map does not show one by one."""
        said: list[Text] = []
        if self.groups:
            said.append(
                _(
                    "The record has %(count)s features: the %(single)s longest are drawn one by one, the "
                    "others in groups.",
                    count=self.feature_count,
                    single=len(self.features),
                )
            )
        if self.product_count > len(self.products):
            said.append(
                _(
                    "The first %(shown)s of %(count)s products are drawn.",
                    shown=len(self.products),
                    count=self.product_count,
                )
            )
        return said


def parts_of(
    accession: str,
    title: str,
    length: int,
    circular: bool,
    features: Iterable[MapFeature],
    products: Sequence[MapProduct] = (),
) -> MapParts:
    """Return what the map of a record shows: the longest features one by one, the others in groups.

    >>> many = [MapFeature(n, "gene", f"g{n}", n, n + 1, 1) for n in range(1, 1000)]
    >>> parts = parts_of("LHS-1", "", 1000, False, many)
    >>> len(parts.features), sum(group.count for group in parts.groups)
    (80, 919)
    """
    every = list(features)
    single, rest = every, []
    if len(every) > MOST_SINGLE:
        by_size = sorted(every, key=lambda each: (-span(each.start, each.end, length), each.number))
        single, rest = by_size[:MOST_SINGLE], by_size[MOST_SINGLE:]
    return MapParts(
        accession=accession,
        title=title,
        length=length,
        circular=circular,
        features=tuple(sorted(single, key=lambda each: (each.start, each.number))),
        groups=_groups(rest, length),
        products=tuple(products[:MOST_PRODUCTS]),
        feature_count=len(every),
        product_count=len(products),
    )


def _groups(features: Iterable[MapFeature], length: int) -> tuple[MapGroup, ...]:
    """Gather features by the stretch of the record in which their middle lies."""
    kinds: dict[int, Counter[str]] = {}
    for each in features:
        middle = (each.start - 1 + span(each.start, each.end, length) // 2) % length
        kinds.setdefault(middle * STRETCHES // length, Counter())[each.kind] += 1
    groups = []
    for number, stretch in enumerate(sorted(kinds), start=1):
        count = kinds[stretch]
        start, end = -(-stretch * length // STRETCHES) + 1, -(-(stretch + 1) * length // STRETCHES)
        groups.append(MapGroup(number, start, max(start, end), count.total(), tuple(count.most_common(6))))
    return tuple(groups)


def span(start: int, end: int, length: int) -> int:
    """Return the bases from a first to a last one, over the origin where the last comes before.

    >>> span(11, 20, 100), span(95, 5, 100)
    (10, 11)
    """
    return (end - start) % length + 1


def segments(feature: MapFeature, length: int) -> list[tuple[int, int]]:
    """Return the parts of a feature's location as (offset from its start, bases), neighbours joined.

    >>> segments(MapFeature(1, "CDS", "", 5, 30, 1, "join(5..10,21..30)"), 100)
    [(0, 6), (16, 10)]
    >>> segments(MapFeature(1, "CDS", "", 95, 5, 1, "join(95..100,1..5)"), 100)
    [(0, 11)]
    """
    whole = span(feature.start, feature.end, length)
    local = re.sub(r"[\w.]+:[<>]?\d+(\.\.[<>]?\d+)?", "", feature.location)
    found = [(int(first), int(last)) for first, last in re.findall(r"(\d+)\.\.[<>]?(\d+)", local)]
    if not 1 < len(found) <= MOST_SEGMENTS:
        return [(0, whole)]
    parts = sorted(((first - feature.start) % length, span(first, last, length)) for first, last in found)
    joined: list[tuple[int, int]] = []
    for offset, size in parts:
        if offset + size > whole:
            return [(0, whole)]
        if joined and offset <= sum(joined[-1]):
            before, reach = joined[-1]
            joined[-1] = (before, max(reach, offset + size - before))
        else:
            joined.append((offset, size))
    return joined


# Words ----------------------------------------------------------------------------------------


def strand_sign(strand: int) -> str:
    """Return the sign of a strand."""
    return {1: "+", -1: "−"}.get(strand, "±")


def told_feature(feature: MapFeature) -> Text:
    """Return a feature in words."""
    return _(
        "%(label)s: %(kind)s, %(start)s to %(end)s, strand %(strand)s",
        label=feature.label,
        kind=feature.kind,
        start=feature.start,
        end=feature.end,
        strand=strand_sign(feature.strand),
    )


def told_kinds(group: MapGroup) -> str:
    """Return the kinds of a group with their numbers."""
    return ", ".join(f"{kind} {count}" for kind, count in group.kinds)


def told_group(group: MapGroup) -> Text:
    """Return a group in words."""
    return _(
        "%(label)s between %(start)s and %(end)s: %(kinds)s",
        label=group.label,
        start=group.start,
        end=group.end,
        kinds=told_kinds(group),
    )


def told_product(product: MapProduct) -> Text:
    """Return a product in words."""
    return _(
        "Product of %(name)s: %(start)s to %(end)s, %(size)s bp, strand %(strand)s; mismatches: forward "
        "primer %(forward)s, reverse primer %(reverse)s",
        name=product.name,
        start=product.start,
        end=product.end,
        size=product.size,
        strand=strand_sign(product.strand),
        forward=product.mm_f,
        reverse=product.mm_r,
    )


def told_map(parts: MapParts) -> Text:
    """Return what a map shows, in words."""
    return _(
        "%(accession)s, %(length)s bp: %(features)s features, %(products)s products.",
        accession=parts.accession,
        length=parts.length,
        features=parts.feature_count,
        products=parts.product_count,
    )


# Drawing --------------------------------------------------------------------------------------


@dataclass
class _Pen:
    """Collects the pieces of a drawing."""

    prefix: str
    linked: bool
    pieces: list[str]

    def part(self, anchor: str, words: Text, shapes: str) -> None:
        """Add a part with its words: on a page a link to its row."""
        title = f"<title>{_text(words)}</title>"
        if self.linked:
            # The title names a part; what has no label of its own is named twice, for older readers.
            name = "" if "<text" in shapes else f" aria-label={_quoted(words)}"
            self.pieces.append(
                f'<a class="map-part" id="{self.prefix}-{anchor}" href="#{anchor}"{name}>{title}{shapes}</a>'
            )
        else:
            self.pieces.append(f'<g role="img" aria-label={_quoted(words)}>{title}{shapes}</g>')


def draw(parts: MapParts, width: int, *, prefix: str = "", linked: bool = False) -> str:
    """Return the map as an SVG element ``width`` pixels wide.

    ``linked`` makes each part a link to the row of its table (``feature-3``, ``group-2``, ``product-1``);
    ``prefix`` keeps the names of two maps on one page apart. Always from left to right.
    """
    pen = _Pen(prefix or "map", linked, [])
    if parts.circular:
        height = _circle(parts, width, pen)
    else:
        height = _line(parts, width, pen)
    title = _("Map of %(accession)s", accession=parts.accession)
    said = " ".join(str(text) for text in [told_map(parts), *parts.notes])
    name = pen.prefix
    role = "group" if linked else "img"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sequence-map" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="{role}" aria-labelledby="{name}-title {name}-desc" '
        "direction=\"ltr\" font-family=\"system-ui, 'Noto Sans', 'Noto Sans Arabic', sans-serif\" "
        f'font-size="11"><title id="{name}-title">{_text(title)}</title>'
        f'<desc id="{name}-desc">{_text(said)}</desc>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(pen.pieces)}</svg>\n'
    )


def _colour(kind: str) -> str:
    return _COLOURS.get(kind, _OTHER)


def _text(text: Text) -> str:
    return escape(_NOT_XML.sub("\ufffd", str(text)))


def _quoted(text: Text) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", str(text)))


def text_width(text: str) -> float:
    """Return about how wide a text of 11 pixels is; rather too much than too little."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return (len(text) + wide) * LETTER


def fitted(text: str, width: float) -> str:
    """Return as much of a text as fits, with … where it was cut; nothing where not even two letters do.

    >>> fitted("promoter", 30), fitted("promoter", 100), fitted("promoter", 5)
    ('pro…', 'promoter', '')
    """
    text = text if len(text) <= MOST_LABEL else text[: MOST_LABEL - 1] + "…"
    if text_width(text) <= width:
        return text
    while text and text_width(text) + LETTER > width:
        text = text[:-1]
    return f"{text}…" if len(text) > 1 else ""


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def step_of(length: int, most: int) -> int:
    """Return the distance of ticks: 1, 2 or 5 with zeros, so that at most ``most`` stand on a record.

    >>> step_of(8024, 8), step_of(300, 5)
    (2000, 100)
    """
    step = 1
    while length / step > most:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


# On a line ------------------------------------------------------------------------------------

_MARGIN = 14.0


@dataclass
class _Placed:
    """A part of a line with the label beside or inside its bar, and how far both reach."""

    left: float
    right: float
    label: str
    label_x: float
    anchor: str
    inside: bool
    lane: int = 0


def _placed(x0: float, x1: float, label: str, width: float) -> _Placed:
    """Find room for a label: inside the bar, to its right, or to its left, where most fits."""
    wanted = fitted(label, 10_000)
    needed = text_width(wanted)
    if needed + 16 <= x1 - x0:
        return _Placed(x0, x1, wanted, (x0 + x1) / 2, "middle", True)
    room_right, room_left = width - 4 - (x1 + 4), (x0 - 4) - 4
    if needed <= room_right or room_right >= room_left:
        cut = fitted(wanted, room_right)
        return _Placed(x0, x1 + 4 + text_width(cut), cut, x1 + 4, "start", False)
    cut = fitted(wanted, room_left)
    return _Placed(x0 - 4 - text_width(cut), x1, cut, x0 - 4, "end", False)


def _in_lanes(items: Sequence[_Placed]) -> int:
    """Give each item the first lane in which it touches no other; return how many lanes there are."""
    lanes: list[list[tuple[float, float]]] = []
    for item in items:
        free = (
            number
            for number, lane in enumerate(lanes)
            if all(item.right + 5 <= left or right + 5 <= item.left for left, right in lane)
        )
        item.lane = next(free, len(lanes))
        if item.lane == len(lanes):
            lanes.append([])
        lanes[item.lane].append((item.left, item.right))
    return len(lanes)


def _line(parts: MapParts, width: int, pen: _Pen) -> int:
    scale = (width - 2 * _MARGIN) / parts.length

    def x(base: float) -> float:
        return _MARGIN + min(base, parts.length) * scale

    top = 30.0
    pen.pieces.append(_axis(parts, width, top, x))
    top += 14
    if parts.groups:
        for group in parts.groups:
            x0, x1 = x(group.start - 1), x(group.end)
            number = str(group.count)
            shapes = (
                f'<rect class="shape" x="{_n(x0)}" y="{_n(top)}" width="{_n(max(x1 - x0 - 1, 2))}" '
                f'height="14" fill="{_GROUP}"/>'
            )
            if text_width(number) + 2 <= x1 - x0:
                shapes += (
                    f'<text x="{_n((x0 + x1) / 2)}" y="{_n(top + 11)}" text-anchor="middle" '
                    f'fill="{INK}">{number}</text>'
                )
            pen.part(f"group-{group.number}", told_group(group), shapes)
        top += 22
    placed = []
    for feature in parts.features:
        size = span(feature.start, feature.end, parts.length)
        x0 = x(feature.start - 1)
        placed.append(_placed(x0, max(x(feature.start - 1 + size), x0 + 3), feature.label, width))
    lanes = _in_lanes(placed)
    for feature, item in zip(parts.features, placed, strict=True):
        pen.part(
            f"feature-{feature.number}", told_feature(feature), _line_feature(feature, parts, item, top, x)
        )
    top += lanes * LANE
    if parts.products:
        top += 6
        made = [
            _placed(
                x(each.start - 1),
                max(x(each.start - 1 + each.size), x(each.start - 1) + 6),
                product_label(each),
                width,
            )
            for each in parts.products
        ]
        count = _in_lanes(made)
        for product, item in zip(parts.products, made, strict=True):
            pen.part(f"product-{product.number}", told_product(product), _line_product(product, item, top, x))
        top += count * LANE
    return round(top + 10)


def product_label(product: MapProduct) -> str:
    """Return what stands beside a product."""
    return f"{product.name} {product.size} bp"


def _axis(parts: MapParts, width: int, y: float, x: Callable[[float], float]) -> str:
    step = step_of(parts.length, 4 if width < 500 else 10)
    pieces = [f'<path d="M{_n(x(0))} {_n(y)}H{_n(x(parts.length))}" stroke="{INK}" stroke-width="2"/>']
    last_end = -1.0
    for base in [1, *range(step, parts.length + 1, step)]:
        at = x(base - 0.5)
        label, half = str(base), text_width(str(base)) / 2
        pieces.append(f'<path d="M{_n(at)} {_n(y - 5)}v10" stroke="{INK}"/>')
        middle = min(max(at, half + 1), width - half - 1)
        if middle - half > last_end + 4:
            pieces.append(
                f'<text x="{_n(middle)}" y="{_n(y - 9)}" text-anchor="middle" fill="{INK}">{label}</text>'
            )
            last_end = middle + half
    return "".join(pieces)


def _arrow(x0: float, x1: float, y: float, strand: int, height: float = 10) -> str:
    """Return the outline of a bar that points along its strand."""
    tip = min(6.0, (x1 - x0) * 0.7)
    low, middle = y + height, y + height / 2
    if strand == 1:
        return f"M{_n(x0)} {_n(y)}H{_n(x1 - tip)}L{_n(x1)} {_n(middle)}L{_n(x1 - tip)} {_n(low)}H{_n(x0)}Z"
    if strand == -1:
        return f"M{_n(x1)} {_n(y)}H{_n(x0 + tip)}L{_n(x0)} {_n(middle)}L{_n(x0 + tip)} {_n(low)}H{_n(x1)}Z"
    return f"M{_n(x0)} {_n(y)}H{_n(x1)}V{_n(low)}H{_n(x0)}Z"


def _line_feature(
    feature: MapFeature, parts: MapParts, item: _Placed, top: float, x: Callable[[float], float]
) -> str:
    y = top + item.lane * LANE
    colour = _colour(feature.kind)
    pieces = segments(feature, parts.length)
    shapes = ""
    if len(pieces) > 1:
        whole = span(feature.start, feature.end, parts.length)
        shapes += (
            f'<path d="M{_n(x(feature.start - 1))} {_n(y + 6)}H{_n(x(feature.start - 1 + whole))}" '
            f'stroke="{colour}"/>'
        )
    last = 0 if feature.strand == -1 else len(pieces) - 1
    for number, (offset, size) in enumerate(pieces):
        x0 = x(feature.start - 1 + offset)
        x1 = max(x(feature.start - 1 + offset + size), x0 + 3)
        points = feature.strand if number == last else 0
        shapes += f'<path class="shape" d="{_arrow(x0, x1, y + 1, points)}" fill="{colour}"/>'
    return shapes + _label(item, y, "#ffffff" if item.inside and len(pieces) == 1 else INK)


def _label(item: _Placed, y: float, colour: str) -> str:
    if not item.label:
        return ""
    outline = "" if colour == "#ffffff" else ' stroke="#ffffff" stroke-width="3" paint-order="stroke"'
    return (
        f'<text x="{_n(item.label_x)}" y="{_n(y + 10)}" text-anchor="{item.anchor}" fill="{colour}"{outline}>'
        f"{_text(item.label)}</text>"
    )


def _line_product(product: MapProduct, item: _Placed, top: float, x: Callable[[float], float]) -> str:
    y = top + item.lane * LANE
    x0 = x(product.start - 1)
    x1 = max(x(product.start - 1 + product.size), x0 + 6)
    shapes = f'<path class="shape" d="M{_n(x0)} {_n(y + 6)}H{_n(x1)}" stroke="{_PRODUCT}" stroke-width="2"/>'
    for site in product.sites:
        left = x0 + (x1 - x0) * site.offset / product.size
        right = max(left + (x1 - x0) * site.size / product.size, left + 2.5)
        fill = "#ffffff" if site.role == "probe" else _PRODUCT
        shapes += (
            f'<path d="{_arrow(left, right, y + 2, site.strand, 8)}" fill="{fill}" stroke="{_PRODUCT}"/>'
        )
    return shapes + _label(item, y, INK)


# On a circle ----------------------------------------------------------------------------------


@dataclass
class _Arc:
    """A part of a circle: where it begins, how far it reaches, its ring, and its label."""

    start: float
    size: float
    label: str
    ring: int = 0
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.start + self.size / 2


def _in_rings(arcs: Sequence[_Arc], most: int, gap: float) -> None:
    """Give each arc the first ring in which it touches no other; what finds none gets ring -1."""
    rings: list[list[_Arc]] = []
    for arc in arcs:
        for number in range(most):
            if number == len(rings):
                rings.append([])
            if all(_apart(arc, other, gap) for other in rings[number]):
                rings[number].append(arc)
                arc.ring = number
                break
        else:
            arc.ring = -1


def _apart(one: _Arc, other: _Arc, gap: float) -> bool:
    turn = 2 * pi
    ahead = (other.start - one.start) % turn
    behind = (one.start - other.start) % turn
    return ahead >= one.size + gap and behind >= other.size + gap


def _spread(arcs: list[_Arc], top: float, bottom: float) -> None:
    """Move labels apart, up and down, so that none touches the next."""
    arcs.sort(key=lambda arc: arc.y)
    least = top
    for arc in arcs:
        arc.y = max(arc.y, least)
        least = arc.y + ROW
    most = bottom
    for arc in reversed(arcs):
        arc.y = min(arc.y, most)
        most = arc.y - ROW


def _circle(parts: MapParts, width: int, pen: _Pen) -> int:
    """Draw a circle with rings of features inside, products outside, and labels in two columns."""
    narrow = width < 500
    radius = 66.0 if narrow else 170.0
    turn = 2 * pi / parts.length

    def arc_of(start: int, size: int, label: str, least: float) -> _Arc:
        return _Arc((start - 1) * turn, max(size * turn, least), label)

    features = [
        arc_of(each.start, span(each.start, each.end, parts.length), each.label, 3 / radius)
        for each in parts.features
    ]
    groups = [arc_of(each.start, span(each.start, each.end, parts.length), "", 0) for each in parts.groups]
    products = [arc_of(each.start, each.size, product_label(each), 6 / radius) for each in parts.products]
    offset = 1 if groups else 0
    _in_rings(features, (4 if narrow else 9) - offset, 4 / radius)
    _in_rings(products, 4, 4 / radius)
    outer = radius + 8 + RING * (1 + max((arc.ring for arc in products), default=-1))
    labelled = [arc for arc in [*features, *products] if arc.ring >= 0]
    sides: dict[bool, list[_Arc]] = {True: [], False: []}
    for arc in labelled:
        sides[sin(arc.middle) >= 0].append(arc)
    rows = max(len(side) for side in sides.values())
    height = max(2 * outer + 40, rows * ROW + 24)
    middle_x, middle_y = width / 2, height / 2
    for side in sides.values():
        for arc in side:
            arc.y = middle_y - cos(arc.middle) * (outer + 8)
        _spread(side, 14, height - 10)
    pen.pieces.append(
        f'<circle cx="{_n(middle_x)}" cy="{_n(middle_y)}" r="{_n(radius)}" fill="none" stroke="{INK}" '
        'stroke-width="2"/>'
    )
    pen.pieces.append(_circle_ticks(parts, narrow, radius, (middle_x, middle_y), features, offset))
    centre = (middle_x, middle_y)
    for group, arc in zip(parts.groups, groups, strict=True):
        shape = _band(centre, radius - 6 - RING / 2, arc.start, arc.size * 0.94, 0)
        pen.part(
            f"group-{group.number}",
            told_group(group),
            f'<path class="shape" d="{shape}" fill="{_GROUP}"/>',
        )
    left_out = 0
    for feature, arc in zip(parts.features, features, strict=True):
        if arc.ring < 0:
            left_out += 1
            continue
        ring = radius - 6 - RING / 2 - RING * (arc.ring + offset)
        colour = _colour(feature.kind)
        shapes = ""
        pieces = segments(feature, parts.length)
        if len(pieces) > 1:
            shapes += f'<path d="{_thin(centre, ring, arc.start, arc.size)}" fill="none" stroke="{colour}"/>'
        last = 0 if feature.strand == -1 else len(pieces) - 1
        for number, (offset_bp, size) in enumerate(pieces):
            points = feature.strand if number == last else 0
            reach = max(size * turn, 3 / radius)
            shape = _band(centre, ring, arc.start + offset_bp * turn, reach, points)
            shapes += f'<path class="shape" d="{shape}" fill="{colour}"/>'
        shapes += _leader(arc, centre, outer, width, ring + RING / 2 - 2)
        pen.part(f"feature-{feature.number}", told_feature(feature), shapes)
    for product, arc in zip(parts.products, products, strict=True):
        if arc.ring < 0:
            left_out += 1
            continue
        ring = radius + 8 + RING * arc.ring
        shapes = (
            f'<path class="shape" d="{_thin(centre, ring, arc.start, arc.size)}" fill="none" '
            f'stroke="{_PRODUCT}" stroke-width="2"/>'
        )
        for site in product.sites:
            begin = arc.start + arc.size * site.offset / product.size
            reach = max(arc.size * site.size / product.size, 2.5 / radius)
            fill = "#ffffff" if site.role == "probe" else _PRODUCT
            shape = _band(centre, ring, begin, reach, site.strand, 4)
            shapes += f'<path d="{shape}" fill="{fill}" stroke="{_PRODUCT}"/>'
        shapes += _leader(arc, centre, outer, width, ring + 5)
        pen.part(f"product-{product.number}", told_product(product), shapes)
    pen.pieces.append(
        f'<text x="{_n(middle_x)}" y="{_n(middle_y - 2)}" text-anchor="middle" font-weight="bold" '
        f'fill="{INK}">{_text(parts.accession)}</text>'
        f'<text x="{_n(middle_x)}" y="{_n(middle_y + 13)}" text-anchor="middle" fill="{INK}">'
        f"{parts.length} bp</text>"
    )
    if left_out:
        words = ngettext(
            "%(num)s part lies under others and stands in the table only.",
            "%(num)s parts lie under others and stand in the table only.",
            left_out,
            num=left_out,
        )
        height += 18
        pen.pieces.append(f'<text x="8" y="{_n(height - 6)}" fill="{INK}">{_text(words)}</text>')
    return round(height)


def _point(centre: tuple[float, float], radius: float, angle: float) -> str:
    return f"{_n(centre[0] + radius * sin(angle))} {_n(centre[1] - radius * cos(angle))}"


def _thin(centre: tuple[float, float], radius: float, start: float, size: float) -> str:
    """Return the line of an arc, clockwise from the top."""
    size = min(size, 2 * pi - 0.01)
    large = int(size > pi)
    return (
        f"M{_point(centre, radius, start)}A{_n(radius)} {_n(radius)} 0 {large} 1 "
        f"{_point(centre, radius, start + size)}"
    )


def _band(
    centre: tuple[float, float], radius: float, start: float, size: float, strand: int, half: float = 4.5
) -> str:
    """Return the outline of an arc that points along its strand."""
    size = min(size, 2 * pi - 0.01)
    tip = min(6 / radius, size * 0.7) if strand else 0.0
    first, last = start + (tip if strand == -1 else 0), start + size - (tip if strand == 1 else 0)
    large = int(last - first > pi)
    outer, inner = radius + half, radius - half
    path = (
        f"M{_point(centre, outer, first)}A{_n(outer)} {_n(outer)} 0 {large} 1 {_point(centre, outer, last)}"
    )
    if strand == 1:
        path += f"L{_point(centre, radius, start + size)}"
    path += (
        f"L{_point(centre, inner, last)}A{_n(inner)} {_n(inner)} 0 {large} 0 {_point(centre, inner, first)}"
    )
    if strand == -1:
        path += f"L{_point(centre, radius, start)}"
    return path + "Z"


def _leader(arc: _Arc, centre: tuple[float, float], outer: float, width: int, begin: float) -> str:
    """Return the label of an arc in its column, and the line that leads to it."""
    right = sin(arc.middle) >= 0
    edge = centre[0] + (outer + 8) * (1 if right else -1)
    room = (width - 4 - edge - 3) if right else (edge - 3 - 4)
    label = fitted(arc.label, room)
    if not label:
        return ""
    anchor, at = ("start", edge + 3) if right else ("end", edge - 3)
    return (
        f'<path d="M{_point(centre, begin, arc.middle)}L{_point(centre, outer + 1, arc.middle)}'
        f'L{_n(edge)} {_n(arc.y)}" fill="none" stroke="{GREY}" stroke-width="0.6"/>'
        f'<text x="{_n(at)}" y="{_n(arc.y + 4)}" text-anchor="{anchor}" fill="{INK}">{_text(label)}</text>'
    )


def _circle_ticks(
    parts: MapParts,
    narrow: bool,
    radius: float,
    centre: tuple[float, float],
    features: Sequence[_Arc],
    offset: int,
) -> str:
    rings = offset + 1 + max((arc.ring for arc in features), default=-1)
    inner = radius - 8 - RING * rings
    step = step_of(parts.length, 4 if narrow else 8)
    pieces = []
    for base in [1, *range(step, parts.length - step // 2 + 1, step)]:
        angle = (base - 0.5) * 2 * pi / parts.length
        pieces.append(
            f'<path d="M{_point(centre, radius + 3, angle)}L{_point(centre, radius - 3, angle)}" '
            f'stroke="{INK}"/>'
        )
        if inner > 34:
            x = centre[0] + (inner - 8) * sin(angle)
            y = centre[1] - (inner - 4) * cos(angle)
            pieces.append(
                f'<path d="M{_point(centre, inner + 3, angle)}L{_point(centre, inner, angle)}" '
                f'stroke="{GREY}"/><text x="{_n(x)}" y="{_n(y + 4)}" text-anchor="middle" font-size="9" '
                f'fill="{GREY}">{base}</text>'
            )
    return "".join(pieces)
