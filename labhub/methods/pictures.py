"""Pictures of methods as SVG: primers and probes on their amplicon, to scale.

Positions are found, never asked for: each oligo is laid on both strands under the IUPAC code. Letters of
the amplicon that are not known (N) match nothing but N, as in the hub's in-silico PCR. Nothing here
knows a database or a request. Charts of validation studies stand in ``charts.py``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from labhub.i18n import Text, _, current_language
from labhub.methods.models import OLIGO_ROLE_NAMES, OligoRole
from labhub.sequences.oligos import IUPAC, reverse_complement

LEAST_INSIDE = 12
"""Bases of an oligo that must lie on the amplicon where it hangs over an end."""
MOST_PLACES = 200
"""Places of one oligo that are looked at; more are not told apart."""
MOST_MISMATCHES = 8
"""However long an oligo is: each more costs a pass over the amplicon."""
WIDTHS = (340, 720)
"""Widths of a picture in pixels: a telephone's and a desk's."""

INK, GREEN, PALE, BLUE, RED, GREY = "#1d2a22", "#14532d", "#e3efe5", "#1e4f8f", "#9b1c1c", "#4a5250"
"""Colours of the pictures; each has a contrast of 7 or more on white, save the pale fill of bars."""
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# Where the oligos lie -------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """An oligo and where it lies on the plus strand of the amplicon, counted from 1."""

    role: str
    name: str
    bases: str
    label5: str = ""
    label3: str = ""
    strand: int = 0
    """1: it reads as the amplicon; -1: as the other strand; 0: it was not found."""
    start: int = 0
    """First base; below 1 where the oligo hangs over the beginning."""
    end: int = 0
    """Last base; beyond the amplicon's length where the oligo hangs over the end."""
    mismatches: tuple[int, ...] = ()
    """Bases of the amplicon that the oligo does not match."""
    unknown: tuple[int, ...] = ()
    """Bases under the oligo that are not known (N)."""
    places: int = 0
    """Number of places where it fits equally well."""
    assumed: bool = False
    """Drawn at the end because an amplicon reaches from primer to primer; its bases are not known."""

    @property
    def label(self) -> str:
        """The name, or where there is none the role."""
        return self.name or str(_(OLIGO_ROLE_NAMES[OligoRole(self.role)]))


AMPLICON_KEYS = ("amplicon", "amplicon_bp", "amplicon_accession")


@dataclass(frozen=True)
class AmpliconMap:
    """One amplicon with the oligos of its set."""

    name: str
    """Of the oligo set; empty for a method's only one."""
    length_bp: int
    """0 where nothing is known of the amplicon: then nothing can be drawn."""
    bases: str
    sites: tuple[Site, ...]

    @property
    def placed(self) -> list[Site]:
        """The oligos that were found."""
        return [site for site in self.sites if site.strand]

    @property
    def missing(self) -> list[Site]:
        """The oligos that were not found."""
        return [site for site in self.sites if not site.strand]

    @property
    def unknown(self) -> list[tuple[int, int]]:
        """Stretches of bases that are not known, first and last base."""
        if not self.bases:
            return [(1, self.length_bp)] if self.length_bp else []
        return [(run.start() + 1, run.end()) for run in re.finditer("N+", self.bases)]


def maps_of(content: Mapping[str, Any]) -> list[AmpliconMap]:
    """Return a map for each oligo set of a method's content that has oligos."""
    sets = [{"name": "", **{key: content.get(key) for key in ("amplicon", "amplicon_bp")}}]
    sets += content.get("oligo_sets") or []
    maps = []
    for each in sets:
        own = [oligo for oligo in content["oligos"] if (oligo.get("set") or "") == each["name"]]
        if own:
            parts = tuple(
                (
                    oligo["role"],
                    oligo["name"] or "",
                    oligo["sequence"],
                    oligo["label5"] or "",
                    oligo["label3"] or "",
                )
                for oligo in own
            )
            maps.append(map_of(each["name"], each.get("amplicon") or "", each.get("amplicon_bp") or 0, parts))
    return maps


def sets_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each oligo set with its amplicon and rows of oligo, site and remark, as pages show them."""
    maps = {amplicon.name: amplicon for amplicon in maps_of(content)}
    first = {"name": "", "target": None, **{key: content.get(key) for key in AMPLICON_KEYS}}
    shown = []
    for each in [first, *(content.get("oligo_sets") or [])]:
        own = [oligo for oligo in content["oligos"] if (oligo.get("set") or "") == each["name"]]
        amplicon = maps.get(each["name"])
        if each is first and not own and not any(first[key] for key in AMPLICON_KEYS):
            continue
        sites = amplicon.sites if amplicon else ()
        rows = [
            (oligo, site, remark(site, amplicon) if amplicon else "")
            for oligo, site in zip(own, sites, strict=True)
        ]
        shown.append({**each, "rows": rows})
    return shown


@lru_cache(maxsize=256)
def map_of(name: str, amplicon: str, length_bp: int, oligos: tuple[tuple[str, ...], ...]) -> AmpliconMap:
    """Return where each of ``oligos`` (role, name, bases, 5' and 3' label) lies on an amplicon.

    Without the amplicon's bases the first forward and the first reverse primer stand at its ends.

    >>> found = map_of("", "ACGTTGCAACGGATCCTTAGGCATCA", 26, (("forward", "F", "ACGTTGCAACGG", "", ""),))
    >>> found.sites[0].start, found.sites[0].end, found.sites[0].strand
    (1, 12, 1)
    """
    if amplicon:
        sites = [locate(amplicon, *oligo) for oligo in oligos]
        return AmpliconMap(name, len(amplicon), amplicon, tuple(sites))
    sites, seen = [], set()
    for role, label, bases, label5, label3 in oligos:
        site = Site(role, label, bases, label5, label3)
        size = len(bases)
        if role in ("forward", "reverse") and role not in seen and size <= length_bp:
            seen.add(role)
            start, strand = (1, 1) if role == "forward" else (length_bp - size + 1, -1)
            site = Site(
                role, label, bases, label5, label3, strand, start, start + size - 1, places=1, assumed=True
            )
        sites.append(site)
    return AmpliconMap(name, length_bp, "", tuple(sites))


def locate(amplicon: str, role: str, name: str, bases: str, label5: str = "", label3: str = "") -> Site:
    """Return the oligo where it fits the amplicon best: fewest mismatches, then fewest bases hanging over.

    At most one base in five may differ, and at most ``MOST_MISMATCHES``. Of equally good places a reverse
    primer takes the last on the other strand, any other oligo the first as it reads.

    >>> locate("TTACGTTGCAACGGATAA", "probe", "P", "ATCCGTTGCAACGT").start
    3
    """
    best: tuple[int, bool, int] | None = None
    found: Site | None = None
    equal = 0
    last = role == OligoRole.REVERSE
    for strand in (1, -1):
        pattern = bases if strand == 1 else reverse_complement(bases)
        for start, mismatches in _fits(amplicon, pattern):
            over = max(0, 1 - start) + max(0, start + len(bases) - 1 - len(amplicon))
            rank = (mismatches + over, (strand == 1) is last, -start if last else start)
            equal = 1 if best is None or rank[0] < best[0] else equal + (rank[0] == best[0])
            if best is None or rank < best:
                best = rank
                found = _site(amplicon, pattern, start, Site(role, name, bases, label5, label3, strand))
    if found is None:
        return Site(role, name, bases, label5, label3)
    return Site(**{**vars(found), "places": equal})


def _site(amplicon: str, pattern: str, start: int, bare: Site) -> Site:
    wrong: list[int] = []
    unknown: list[int] = []
    for offset, letter in enumerate(pattern):
        place = start + offset
        if 1 <= place <= len(amplicon) and not IUPAC[amplicon[place - 1]] <= IUPAC[letter]:
            (unknown if amplicon[place - 1] == "N" else wrong).append(place)
    ends = {"start": start, "end": start + len(pattern) - 1}
    return Site(**{**vars(bare), **ends, "mismatches": tuple(wrong), "unknown": tuple(unknown)})


def _fits(amplicon: str, pattern: str) -> Iterable[tuple[int, int]]:
    """Give the starts (from 1) where a pattern fits, with the number of bases that do not match.

    All starts are tried at once: bit *s* of a number says how the pattern stands at start *s*, so an
    amplicon of 100,000 bases costs a few milliseconds.
    """
    size, inside = len(pattern), min(len(pattern), LEAST_INSIDE)
    pad = size - inside
    length = len(amplicon) + 2 * pad
    starts = length - size + 1
    if starts < 1:
        return
    every = (1 << starts) - 1
    beside = ((1 << pad) - 1) | (((1 << pad) - 1) << (pad + len(amplicon)))
    at = _letters(amplicon)
    matching = {
        wanted: beside | sum(bits << pad for letter, bits in at if IUPAC[letter] <= IUPAC[wanted])
        for wanted in set(pattern)
    }
    levels = [every] + [0] * min(size // 5, MOST_MISMATCHES)
    for offset, wanted in enumerate(pattern):
        here = (matching[wanted] >> offset) & every
        for count in range(len(levels) - 1, 0, -1):
            levels[count] = (levels[count] & here) | (levels[count - 1] & ~here)
        levels[0] &= here
    seen = 0
    for mismatches, bits in enumerate(levels):
        while bits and seen < MOST_PLACES:
            place = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            start = place - pad + 1
            over = max(0, 1 - start) + max(0, start + size - 1 - len(amplicon))
            if not over or mismatches * 6 <= size - over:
                seen += 1
                yield start, mismatches


@lru_cache(maxsize=16)
def _letters(amplicon: str) -> tuple[tuple[str, int], ...]:
    """Return each letter of the amplicon with a number whose bit *i* says whether it stands at *i*."""
    backwards = amplicon[::-1]
    present = sorted(set(amplicon))
    return tuple(
        (letter, int(backwards.translate({ord(each): "01"[each == letter] for each in present}), 2))
        for letter in present
    )


def remark(site: Site, amplicon: AmpliconMap) -> Text | str:
    """Say in a sentence what the drawing of an oligo cannot: not found, hanging over, several places."""
    if not site.strand:
        if not amplicon.length_bp:
            return _("Nothing is known of the amplicon.")
        if amplicon.unknown:
            return _("Not found among the known bases of the amplicon.")
        return _("Not found on the amplicon.")
    if site.assumed:
        return _("Drawn at the end, because an amplicon reaches from primer to primer.")
    before, after = max(0, 1 - site.start), max(0, site.end - amplicon.length_bp)
    if before or after:
        return _("Bases that hang over the end of the amplicon: %(number)s.", number=before + after)
    if site.places > 1:
        return _("Places where it fits equally well: %(number)s. One is drawn.", number=site.places)
    return ""


# The drawing ----------------------------------------------------------------------------------

MARGIN = 12.0
LANE = 30
LETTER = 6.3
"""Width of a letter of a label, in pixels; generous for most fonts."""


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text_of(value: Any) -> str:
    return escape(_NOT_XML.sub("", str(value)))


def _attribute(value: Any) -> str:
    return quoteattr(_NOT_XML.sub("", str(value)))


@dataclass(frozen=True)
class Scale:
    """From a base of the amplicon to pixels."""

    first: int
    last: int
    width: int

    @property
    def base(self) -> float:
        """Width of one base in pixels."""
        return (self.width - 2 * MARGIN) / (self.last - self.first + 1)

    def left(self, place: int) -> float:
        """Return the left edge of a base.

        >>> Scale(1, 100, 340).left(1), Scale(1, 100, 340).left(101)
        (12.0, 328.0)
        """
        return round(MARGIN + (place - self.first) * self.base, 2)


def scale_of(amplicon: AmpliconMap, width: int) -> Scale:
    """Return the scale of a map: the amplicon, and what hangs over its ends."""
    starts = [site.start for site in amplicon.placed]
    ends = [site.end for site in amplicon.placed]
    return Scale(min([1, *starts]), max([amplicon.length_bp, *ends]), width)


def draw(maps: Sequence[AmpliconMap], title: str, width: int = 720) -> str:
    """Return the maps below each other as an SVG document ``width`` pixels wide, with title and description.

    All text of users is escaped; there is no style and no script, so every content policy admits it.
    """
    parts: list[str] = []
    top = 8.0
    for amplicon in maps:
        if amplicon.length_bp:
            drawn, height = _draw_one(amplicon, scale_of(amplicon, width), titled=len(maps) > 1)
            parts.append(f'<g transform="translate(0 {_number(top)})">{drawn}</g>')
            top += height + 10
    legend, top = _legend(maps, width, top)
    parts.append(legend)
    height = round(max(top, 20))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc" direction="ltr" '
        "font-family=\"system-ui, 'Noto Sans', 'Noto Sans Arabic', sans-serif\" font-size=\"11\">"
        f'<title id="title">{_text_of(title)}</title><desc id="desc">{_text_of(described(maps))}</desc>'
        '<defs><pattern id="unknown" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/>'
        f'<rect width="2" height="6" fill="{GREY}"/></pattern></defs>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _legend(maps: Sequence[AmpliconMap], width: int, top: float) -> tuple[str, float]:
    """Return what the signs that are drawn mean, side by side while there is room, and where it ends."""
    placed = [site for amplicon in maps for site in amplicon.placed]
    entries: list[tuple[str, Text]] = []
    if any(site.role == OligoRole.PROBE for site in placed):
        entries.append((f'<path d="M0 0H20" stroke="{BLUE}" stroke-width="5"/>', _("Probe")))
    if any(site.label5 for site in placed):
        circle = f'<circle cx="10" cy="0" r="4.5" fill="#ffffff" stroke="{BLUE}" stroke-width="2"/>'
        entries.append((circle, _("Label at the 5' end")))
    if any(site.label3 for site in placed):
        square = f'<rect x="6" y="-4" width="8" height="8" fill="#ffffff" stroke="{BLUE}" stroke-width="2"/>'
        entries.append((square, _("Label at the 3' end")))
    if any(site.mismatches for site in placed):
        cross = f'<path d="{_cross(10, 0)}" stroke="{RED}" stroke-width="1.8"/>'
        entries.append((cross, _("Base that does not match")))
    if any(amplicon.length_bp and amplicon.unknown for amplicon in maps):
        hatched = f'<rect x="0" y="-5" width="20" height="10" fill="url(#unknown)" stroke="{GREEN}"/>'
        entries.append((hatched, _("Bases that are not known")))
    parts, x, y = [], MARGIN, top + 8
    for sign, text in entries:
        room = 28 + len(str(text)) * LETTER + 14
        if x > MARGIN and x + room > width - MARGIN:
            x, y = MARGIN, y + 20
        words = _label(26, 4, _isolated(str(text)), "start")
        parts.append(f'<g transform="translate({_number(x)} {_number(y)})">{sign}{words}</g>')
        x += room
    return f'<g class="legend">{"".join(parts)}</g>', y + 14 if entries else top


def sizes_of(maps: Sequence[AmpliconMap]) -> dict[str, tuple[int, int]] | None:
    """Return width and height of the drawing for narrow and wide screens; nothing where none is possible."""
    if not any(amplicon.length_bp for amplicon in maps):
        return None
    narrow, wide = (_size(tuple(maps), width, current_language()) for width in WIDTHS)
    return {"narrow": narrow, "wide": wide}


@lru_cache(maxsize=512)
def _size(maps: tuple[AmpliconMap, ...], width: int, language: str) -> tuple[int, int]:
    """``language`` is not read here, but the legend's words are as long as they are in it."""
    found = re.search(r'height="([0-9.]+)"', draw(maps, "", width))
    return width, round(float(found[1])) if found else 20


def described(maps: Iterable[AmpliconMap]) -> str:
    """Return the picture in words, for those who do not see it."""
    sentences = []
    for amplicon in maps:
        for site in amplicon.sites:
            note = str(remark(site, amplicon))
            if site.strand:
                known = {"name": _isolated(site.label), "start": site.start, "end": site.end}
                if site.strand == 1:
                    sentences.append(str(_("%(name)s: bases %(start)s to %(end)s, as written.", **known)))
                else:
                    sentences.append(
                        str(_("%(name)s: bases %(start)s to %(end)s, on the other strand.", **known))
                    )
                if site.mismatches:
                    places = ", ".join(map(str, site.mismatches))
                    sentences.append(str(_("Does not match at base %(places)s.", places=places)))
                if note:
                    sentences.append(note)
            else:
                sentences.append(f"{_isolated(site.label)}: {note}")
    return " ".join(sentences)


def _isolated(text: str) -> str:
    return f"\u2068{text}\u2069"


def _label(x: float, y: float, text: Any, anchor: str = "middle", *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}" fill="{INK}"{weight}>'
        f"{_text_of(text)}</text>"
    )


def _draw_one(amplicon: AmpliconMap, scale: Scale, *, titled: bool) -> tuple[str, float]:
    parts: list[str] = []
    top = 0.0
    if titled:
        heading = _("%(name)s, %(number)s bp", name=_isolated(amplicon.name), number=amplicon.length_bp)
        if not amplicon.name:
            heading = _("%(number)s bp", number=amplicon.length_bp)
        parts.append(_label(MARGIN, 12, _isolated(str(heading)), "start", bold=True))
        top = 20.0
    above = _lanes([site for site in amplicon.placed if site.strand == 1], scale)
    below = _lanes([site for site in amplicon.placed if site.strand == -1], scale)
    bar = top + LANE * len(above) + 4
    for number, lane in enumerate(reversed(above)):
        for site in lane:
            parts.append(_arrow(site, scale, bar - 8 - LANE * (len(above) - 1 - number), text_above=True))
    left, right = scale.left(1), scale.left(amplicon.length_bp + 1)
    parts.append(
        f'<rect class="amplicon" x="{_number(left)}" y="{_number(bar)}" width="{_number(right - left)}" '
        f'height="12" fill="{PALE}" stroke="{GREEN}"/>'
    )
    for first, last in amplicon.unknown:
        x, size = scale.left(first), scale.left(last + 1) - scale.left(first)
        parts.append(
            f'<rect class="unknown" x="{_number(x)}" y="{_number(bar)}" width="{_number(size)}" height="12" '
            f'fill="url(#unknown)" stroke="{GREEN}"/>'
        )
    bottom = bar + 12
    for number, lane in enumerate(below):
        for site in lane:
            parts.append(_arrow(site, scale, bottom + 8 + LANE * number, text_above=False))
    ruler = bottom + LANE * len(below) + 8
    parts.append(_ruler(amplicon, scale, ruler))
    return "".join(parts), ruler + 22


def _shown(site: Site, scale: Scale) -> str:
    places = f" {site.start}\u2013{site.end}"
    most = max(8, int((scale.width - 2 * MARGIN) / LETTER) - len(places) - 1)
    name = site.label if len(site.label) <= most else site.label[: most - 1] + "…"
    return f"{_isolated(name)}{places}"


def _extent(site: Site, scale: Scale) -> tuple[float, float, float]:
    """Return the room that an oligo and its label take: left, right, and the middle of the label."""
    left, right = scale.left(site.start), scale.left(site.end + 1)
    half = (len(_shown(site, scale)) - 2) * LETTER / 2
    middle = (left + right) / 2
    middle = max(MARGIN / 2 + half, min(scale.width - MARGIN / 2 - half, middle))
    return min(left, middle - half), max(right, middle + half), middle


def _lanes(sites: Sequence[Site], scale: Scale) -> list[list[Site]]:
    """Return the oligos in lanes in which neither arrows nor labels overlap, the nearest lane first."""
    lanes: list[list[Site]] = []
    ends: list[float] = []
    for site in sorted(sites, key=lambda site: _extent(site, scale)[0]):
        left, right, _middle = _extent(site, scale)
        for number, end in enumerate(ends):
            if left >= end + 4:
                lanes[number].append(site)
                ends[number] = right
                break
        else:
            lanes.append([site])
            ends.append(right)
    return lanes


def _cross(x: float, y: float) -> str:
    low_x, high_x, low_y, high_y = (_number(value) for value in (x - 3, x + 3, y - 3, y + 3))
    return f"M{low_x} {low_y}L{high_x} {high_y}M{low_x} {high_y}L{high_x} {low_y}"


def _arrow(site: Site, scale: Scale, y: float, *, text_above: bool) -> str:
    """Return an oligo as an arrow from its 5' to its 3' end whose middle is at ``y``; a probe is blue."""
    left, right = scale.left(site.start), scale.left(site.end + 1)
    colour = BLUE if site.role == OligoRole.PROBE else GREEN if site.role != OligoRole.OTHER else GREY
    head = min(8.0, (right - left) / 2)
    high, low, wide_high, wide_low = y - 2.5, y + 2.5, y - 5.5, y + 5.5
    if site.strand == 1:
        neck = right - head
        points = [(left, high), (neck, high), (neck, wide_high), (right, y), (neck, wide_low), (neck, low)]
        points.append((left, low))
    else:
        neck = left + head
        points = [(right, high), (neck, high), (neck, wide_high), (left, y), (neck, wide_low), (neck, low)]
        points.append((right, low))
    shape = " ".join(f"{_number(x)},{_number(at)}" for x, at in points)
    begins, stops = (left, right) if site.strand == 1 else (right, left)
    parts = [f'<polygon points="{shape}" fill="{colour}"/>']
    if site.label5:
        parts.append(
            f'<circle cx="{_number(begins)}" cy="{_number(y)}" r="4.5" fill="#ffffff" stroke="{colour}" '
            'stroke-width="2"/>'
        )
    if site.label3:
        parts.append(
            f'<rect x="{_number(stops - 4)}" y="{_number(y - 4)}" width="8" height="8" fill="#ffffff" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
    for place in site.mismatches:
        x = scale.left(place) + scale.base / 2
        parts.append(
            f'<path class="mismatch" d="{_cross(x, y)}" stroke="#ffffff" stroke-width="4"/>'
            f'<path d="{_cross(x, y)}" stroke="{RED}" stroke-width="1.8"/>'
        )
    _left, _right, middle = _extent(site, scale)
    parts.append(_label(middle, y - 9 if text_above else y + 17, _shown(site, scale)))
    tip = f"{site.label}: {site.bases}"
    return (
        f'<g class="oligo" data-start="{site.start}" data-end="{site.end}" '
        f"data-name={_attribute(site.label)}><title>{_text_of(tip)}</title>{''.join(parts)}</g>"
    )


def tick_step(length_bp: int, width: int) -> int:
    """Return the bases between two ticks of a ruler: 1, 2 or 5 times a power of ten, 48 pixels apart or more.

    >>> tick_step(92, 340), tick_step(1279, 720)
    (20, 100)
    """
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor * (width - 2 * MARGIN) >= 48 * length_bp:
                return step * factor
        step *= 10


def _ruler(amplicon: AmpliconMap, scale: Scale, y: float) -> str:
    step = tick_step(scale.last - scale.first + 1, scale.width)
    ticks = [1, *range(step, amplicon.length_bp + 1, step)]
    if step == 1:
        ticks = list(range(1, amplicon.length_bp + 1))
    end = amplicon.length_bp
    if ticks[-1] != end:
        if (end - ticks[-1]) * scale.base < 50 and len(ticks) > 1:
            ticks.pop()
        ticks.append(end)
    middle = {place: scale.left(place) + scale.base / 2 for place in ticks}
    parts = [
        f'<path d="M{_number(scale.left(1))} {_number(y)}H{_number(scale.left(end + 1))}'
        + "".join(f"M{_number(x)} {_number(y)}v4" for x in middle.values())
        + f'" stroke="{INK}" fill="none"/>'
    ]
    for place, x in middle.items():
        text = f"{place} bp" if place == end else str(place)
        anchor = "end" if place == end else "start" if place == 1 else "middle"
        parts.append(_label(x + (4 if place == end else -4 if place == 1 else 0), y + 16, text, anchor))
    return f'<g class="ruler">{"".join(parts)}</g>'
