"""A picture of a read: what each reference explains of it, elements and junctions, and what nothing explains.

Nothing here knows a database or a request. A read is one of ``identify_queries.find``.
"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from labhub.i18n import Message, _

INK, GREEN, BLUE, RED, SAND = "#1d2a22", "#14532d", "#1e4f8f", "#9b1c1c", "#8a6d1a"
WIDTH, MARGIN = 360, 8
"""Width of a picture and the free space at its sides, in its own units."""
LEAST_WIDTH = 1.5
ROW, BAR = 20, 7
MOST_ROWS = 6
"""References that are drawn; the table has them all."""
MOST_LABEL = 22


def picture(read: Mapping[str, Any]) -> str:
    """Return the picture of a read as SVG; what it shows stands in the page's tables too."""
    drawing = _Drawing(read["length"])
    drawing.line(read)
    hits = [*read["hits"][:MOST_ROWS], *read["pieces"][:MOST_ROWS]]
    for place, hit in enumerate(hits):
        drawing.reference(hit, GREEN if hit["best"] else BLUE)
        if place == 0 or hit in read["pieces"]:
            drawing.parts(hit)
    return drawing.svg(_label(read))


def _label(read: Mapping[str, Any]) -> Message:
    open_ = read["length"] - read["explained"]
    return _(
        "%(read)s, %(length)s bases: %(explained)s explained by references, %(open)s by nothing.",
        read=read["name"],
        length=read["length"],
        explained=read["explained"],
        open=open_,
    )


class _Drawing:
    def __init__(self, length: int) -> None:
        self.length = max(1, length)
        self.height = 0
        self.pieces: list[str] = []

    def _x(self, base: float) -> float:
        """Return where the space before a base (counted from 0) lies."""
        return MARGIN + base / self.length * (WIDTH - 2 * MARGIN)

    def _box(self, start: int, end: int, top: float, height: float, style: str, title: str) -> None:
        x, right = self._x(start - 1), self._x(end)
        self.pieces.append(
            f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(LEAST_WIDTH, right - x):.1f}" height="{height}" '
            f"{style}><title>{escape(title)}</title></rect>"
        )

    def _text(self, x: float, y: float, text: str, colour: str = INK, anchor: str = "start") -> None:
        self.pieces.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="9" fill="{colour}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def line(self, read: Mapping[str, Any]) -> None:
        """Draw the read itself, with its unexplained stretches."""
        self._text(MARGIN, 10, "1")
        self._text(WIDTH - MARGIN, 10, str(self.length), anchor="end")
        self._box(1, self.length, 15, 5, f'fill="#dfe6dc" stroke="{INK}" stroke-width=".5"', read["name"])
        for each in read["unexplained"]:
            self._box(
                each["start"],
                each["end"],
                13.5,
                8,
                f'fill="{RED}" fill-opacity=".8" stroke="{RED}" stroke-dasharray="3 2"',
                f"{each['start']}–{each['end']}",
            )
        self.height = 26

    def reference(self, hit: Mapping[str, Any], colour: str) -> None:
        """Draw what a reference explains, under its name."""
        top = self.height
        start = self._x(hit["query_start"] - 1)
        label = f"{hit['reference']} {'→' if hit['strand'] == '+' else '←'} {hit['identity']:.1f} %"
        if start > WIDTH / 2:
            self._text(self._x(hit["query_end"]), top + 8, label, colour, "end")
        else:
            self._text(start, top + 8, label, colour)
        blocks = hit["blocks"]
        if len(blocks) > 1:
            y = top + 10 + BAR / 2
            self.pieces.append(
                f'<line x1="{start:.1f}" x2="{self._x(hit["query_end"]):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-dasharray="2 2"/>'
            )
        for block in blocks:
            self._box(
                block["query_start"],
                block["query_end"],
                top + 10,
                BAR,
                f'fill="{colour}"',
                f"{hit['reference']} {block['ref_start']}–{block['ref_end']}",
            )
        self.height += ROW

    def parts(self, hit: Mapping[str, Any]) -> None:
        """Draw elements of a reference and its junctions under what it explains."""
        lanes: list[float] = []
        top = self.height
        for each in hit["elements"][:12]:
            x, right = self._x(each["query_start"] - 1), self._x(each["query_end"])
            label = (
                each["label"] if len(each["label"]) <= MOST_LABEL else each["label"][: MOST_LABEL - 1] + "…"
            )
            wide = max(right, x + 4.6 * len(label))
            if wide > WIDTH - MARGIN:
                wide = WIDTH - MARGIN
            text_x = min(x, wide - 4.6 * len(label)) if right < x + 4.6 * len(label) else x
            text_x = max(MARGIN, text_x)
            lane = next((n for n, end in enumerate(lanes) if end + 3 < min(x, text_x)), len(lanes))
            if lane == len(lanes):
                lanes.append(0)
            lanes[lane] = max(wide, right)
            y = top + 15 * lane
            self._box(
                each["query_start"],
                each["query_end"],
                y,
                4,
                f'fill="#f3e3b3" stroke="{SAND}" stroke-width=".6"',
                f"{each['label']} ({each['kind']})",
            )
            self._text(text_x, y + 12, label, SAND)
        bottom = top + 15 * len(lanes)
        for each in hit["junctions"][:20]:
            x = self._x((each["query_start"] + each["query_end"] - 1) / 2)
            name = f"{each['left']} | {each['right']}".rstrip(" |")
            self.pieces.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 11:.1f}" y2="{max(bottom, top + 2):.1f}" '
                f'stroke="{RED}" stroke-width="1"><title>{escape(name)}</title></line>'
            )
        self.height = int(bottom + 4)

    def svg(self, label: Message) -> str:
        """Return the whole picture."""
        return (
            f'<svg class="read-picture" viewBox="0 0 {WIDTH} {self.height + 4}" role="img" direction="ltr" '
            f'aria-label={quoteattr(str(label))} xmlns="http://www.w3.org/2000/svg">{"".join(self.pieces)}</svg>'
        )
