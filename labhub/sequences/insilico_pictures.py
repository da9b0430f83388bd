"""Pictures of products of in-silico PCR: where primers and probe lie, to scale, and the same in words.

Nothing here knows a database or a request. A row is a product as ``insilico_queries`` lists it.
"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from labhub.i18n import N_, Message, _, ngettext
from labhub.sequences.insilico import aligned
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import SETS

INK, GREEN, BLUE, RED = "#1d2a22", "#14532d", "#1e4f8f", "#9b1c1c"
WIDTH, MARGIN, LEAST_WIDTH = 360, 8, 4
"""Width of a picture, the free space at its sides, and the narrowest box, in its own units."""
ABOVE, BELOW = 11, 28
"""Tops of the boxes over and under the line."""


def probe_in(oligo: str, product: str, most: int) -> dict[str, Any] | None:
    """Return where a probe lies best in a product: first base (from 1), strand, site and mismatches.

    ``most`` is the number of mismatches that the search has found; the first such place on the plus strand
    of the product is taken, else on the other.

    >>> probe_in("ACGGT", "TTACGATTT", 1)
    {'start': 3, 'strand': '+', 'oligo': 'ACGGT', 'site': 'ACGAT', 'mismatches': [4]}
    """
    wanted = SETS[np.frombuffer(oligo.encode(), np.uint8)]
    for strand, text in (("+", product), ("-", reverse_complement(product))):
        seen = SETS[np.frombuffer(text.encode(), np.uint8)]
        room = len(seen) - len(wanted) + 1
        if room <= 0:
            return None
        count = np.zeros(room, np.int16)
        for place, letter in enumerate(wanted.tolist()):
            part = seen[place : place + room]
            count += ((part & (~letter & 15)) != 0) | (part == 0)
        best = int(np.argmin(count))
        if count[best] <= most:
            found = aligned(oligo, text[best : best + len(oligo)])
            return {
                "start": best + 1 if strand == "+" else len(product) - best - len(oligo) + 1,
                "strand": strand,
                "oligo": found.oligo,
                "site": found.site,
                "mismatches": list(found.mismatches),
            }
    return None


def in_words(row: Mapping[str, Any]) -> list[Message]:
    """Return what the picture of a product shows, as sentences."""
    said = [
        ngettext(
            "A product of %(number)s bp on %(reference)s, from base %(start)s to base %(end)s.",
            "A product of %(number)s bp on %(reference)s, from base %(start)s to base %(end)s.",
            row["size"],
            reference=row["reference"],
            start=row["start"],
            end=row["end"],
        )
    ]
    if row["wraps"]:
        said.append(_("It crosses the origin of the circular record."))
    sites = row["sites"]
    if not sites:
        return said
    for side, letter in ends_of(row):
        said.append(
            _("%(oligo)s: %(mismatches)s", oligo=_(PRIMERS[letter]), mismatches=_mismatches(sites[side]))
        )
    if sites.get("probe"):
        probe = sites["probe"]
        said.append(
            _(
                "Probe from base %(start)s of the product on strand %(strand)s: %(mismatches)s",
                start=probe["start"],
                strand=probe["strand"],
                mismatches=_mismatches(probe),
            )
        )
    return said


PRIMERS: dict[str, str] = {"F": N_("Forward primer"), "R": N_("Reverse primer")}


def ends_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the two ends of a product, ``left`` and ``right`` on the plus strand, with F or R."""
    first, second = row["pair"]
    if row["pair"] == "FR" and row["strand"] == "-":
        first, second = second, first
    return [("left", first), ("right", second)]


def _mismatches(site: Mapping[str, Any]) -> Message:
    places = site["mismatches"]
    if not places:
        return _("no mismatch.")
    return ngettext(
        "%(number)s mismatch, at base %(places)s from the 5′ end.",
        "%(number)s mismatches, at bases %(places)s from the 5′ end.",
        len(places),
        places=", ".join(str(place) for place in places),
    )


def rows_of_site(site: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return oligo, bars and site, one letter under the other, both 5' to 3' of the oligo.

    >>> rows_of_site({"oligo": "ACGT", "site": "AGGT", "mismatches": [2]})
    ('ACGT', '|.||', 'AGGT')
    """
    wrong = set(site["mismatches"])
    bars = "".join("." if place in wrong else "|" for place in range(1, len(site["oligo"]) + 1))
    return site["oligo"], bars, site["site"]


def picture(row: Mapping[str, Any]) -> str:
    """Return a product as SVG: a line to scale, the primers at its ends, the probe, a tick a mismatch."""
    size = row["size"]
    scale = (WIDTH - 2 * MARGIN) / size
    sites = row["sites"] or {}
    title = " ".join(str(sentence) for sentence in in_words(row))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 58" role="img" direction="ltr" '
        f'class="product-picture" aria-label={quoteattr(title)}>',
        f'<line x1="{MARGIN}" y1="24" x2="{WIDTH - MARGIN}" y2="24" stroke="{INK}" stroke-width="2"/>',
    ]
    for side, letter in ends_of(row) if sites else ():
        length, places = len(sites[side]["oligo"]), sites[side]["mismatches"]
        if side == "left":
            parts += _box(0, length, ABOVE, letter, GREEN, scale)
            parts += _ticks([place - 1 for place in places], ABOVE, scale)
        else:
            parts += _box(size - length, length, BELOW, letter, GREEN, scale)
            parts += _ticks([size - place for place in places], BELOW, scale)
    if sites.get("probe"):
        probe = sites["probe"]
        start, length = probe["start"] - 1, len(probe["oligo"])
        top = ABOVE if probe["strand"] == "+" else BELOW
        parts += _box(start, length, top, "P", BLUE, scale)
        places = [
            start + place - 1 if probe["strand"] == "+" else start + length - place
            for place in probe["mismatches"]
        ]
        parts += _ticks(places, top, scale)
    for x, anchor, text in (
        (MARGIN, "start", row["start"]),
        (WIDTH / 2, "middle", f"{size} bp"),
        (WIDTH - MARGIN, "end", row["end"]),
    ):
        parts.append(f'<text x="{x}" y="54" font-size="10" fill="{INK}" text-anchor="{anchor}">{text}</text>')
    return "".join([*parts, "</svg>"])


def _box(start: int, length: int, top: int, letter: str, colour: str, scale: float) -> list[str]:
    """Return an oligo as a box above the line (it reads as the plus strand) or below it, with its letter."""
    width = max(length * scale, LEAST_WIDTH)
    left = min(MARGIN + start * scale, WIDTH - MARGIN - width)
    parts = [f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="10" rx="2" fill="{colour}"/>']
    if width >= 9:
        x, anchor, ink = left + width / 2, "middle", "#fff"
    elif left < WIDTH / 2:
        x, anchor, ink = left + width + 3, "start", colour
    else:
        x, anchor, ink = left - 3, "end", colour
    parts.append(
        f'<text x="{x:.1f}" y="{top + 8.5}" font-size="9" fill="{ink}" text-anchor="{anchor}">'
        f"{escape(letter)}</text>"
    )
    return parts


def _ticks(places: list[int], top: int, scale: float) -> list[str]:
    """Return a red tick for each base that differs, longer than the box so that it is seen beside it."""
    found = []
    for place in places:
        x = f"{MARGIN + (place + 0.5) * scale:.1f}"
        found.append(
            f'<line x1="{x}" y1="{top - 4}" x2="{x}" y2="{top + 14}" stroke="{RED}" stroke-width="1.6"/>'
        )
    return found
