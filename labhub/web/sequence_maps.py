"""The map of a sequence: features, and the products of methods in it; page and API show the same."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Response, g

from labhub.accounts.actor import Actor
from labhub.errors import Invalid, NotAllowed, NotFound
from labhub.i18n import Text, _
from labhub.methods import assays, link_queries
from labhub.methods import queries as method_queries
from labhub.sequences import insilico, maps, queries
from labhub.sequences.models import ReferenceSequence, Topology
from labhub.sequences.oligos import IUPAC, read_oligo, reverse_complement
from labhub.sequences.packed import pack
from labhub.web.downloads import SANDBOX

MOST_METHODS = 20
MOST_BASES = 5_000_000
"""Bases of a record in which products are searched while somebody waits."""


@dataclass(frozen=True)
class SequenceMap:
    """The map of a record, and what could not be put on it."""

    parts: maps.MapParts
    codes: tuple[str, ...]
    """Methods whose products were looked for."""
    remarks: tuple[Text, ...]
    features: tuple[Any, ...]
    """The rows of the table of features."""


def map_of(actor: Actor, sequence: ReferenceSequence, codes: list[str] | None) -> SequenceMap:
    """Return the map of a record whose bases the reader may see; without ``codes``, with its own methods.

    Raises ``NotAllowed`` for a record whose bases are closed, ``Invalid`` for a method that is not there.
    """
    if not queries.may_see_bases(actor, sequence):
        raise NotAllowed(
            _(
                "The bases of a sealed record are shown to the managers of its laboratory and to those whom "
                "they name."
            )
        )
    features = queries.feature_rows(actor, sequence)
    if codes is None:
        linked = link_queries.linked_methods(actor, [link.code for link in sequence.method_links])
        codes = [method.code for method in linked[:MOST_METHODS]]
    chosen, remarks = _assays(actor, codes)
    products: list[maps.MapProduct] = []
    if chosen and sequence.length_bp > MOST_BASES:
        remarks.append(
            _("Products are searched for the map in records of at most %(most)s bases.", most=MOST_BASES)
        )
    elif chosen:
        products, more = _products(actor, sequence, chosen)
        remarks += more
    drawn = maps.parts_of(
        sequence.accession,
        sequence.title,
        sequence.length_bp,
        sequence.topology is Topology.CIRCULAR,
        (
            maps.MapFeature(
                feature.position,
                feature.kind,
                feature.label,
                feature.start_bp,
                feature.end_bp,
                feature.strand,
                feature.location,
            )
            for feature in features
        ),
        products,
    )
    return SequenceMap(drawn, tuple(codes), tuple(remarks), tuple(features))


def picture(actor: Actor, sequence: ReferenceSequence, methods: str | None, width: int) -> Response:
    """Answer with the map as a picture that can run nothing and load nothing."""
    found = map_of(actor, sequence, codes_of(methods))
    nearest = min(maps.WIDTHS, key=lambda each: abs(each - width))
    response = Response(maps.draw(found.parts, nearest), mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = g.content_security_policy = SANDBOX
    return response


def codes_of(text: str | None) -> list[str] | None:
    """Return the codes of a text with commas; nothing was said when there is no text.

    >>> codes_of("LH-1, LH-2,"), codes_of(""), codes_of(None)
    (['LH-1', 'LH-2'], [], None)
    """
    if text is None:
        return None
    return list(dict.fromkeys(code.strip() for code in text.split(",") if code.strip()))


def _assays(actor: Actor, codes: list[str]) -> tuple[list[insilico.Assay], list[Text]]:
    if len(codes) > MOST_METHODS:
        raise Invalid(_("At most %(number)s can be named.", number=MOST_METHODS), field="methods")
    found: list[insilico.Assay] = []
    remarks: list[Text] = []
    for code in codes:
        try:
            content: Any = method_queries.content_of(method_queries.find_version(actor, code))
        except NotFound as refusal:
            raise Invalid(refusal.message, field="methods") from None
        found += assays.assays_of(content)
        remarks += [
            _("%(code)s: %(reason)s", code=code, reason=reason) for reason in assays.not_searched(content)
        ]
    return found, remarks


def _products(
    actor: Actor, sequence: ReferenceSequence, chosen: list[insilico.Assay]
) -> tuple[list[maps.MapProduct], list[Text]]:
    bases = queries.bases_of(actor, sequence)
    library = pack([(sequence.accession, bases, sequence.topology is Topology.CIRCULAR)])
    found = insilico.search(chosen, library)
    remarks: list[Text] = [
        _("%(code)s: %(reason)s", code=name, reason=reason)
        for name, reason in [*found.refused, *found.truncated]
    ]
    made = []
    rows = found.products
    for row in range(min(len(rows), maps.MOST_PRODUCTS)):
        assay = chosen[int(rows.assay[row])]
        start, size, strand = int(rows.start[row]), int(rows.size[row]), int(rows.strand[row])
        probe_mm = int(rows.probe_mm[row])
        forward, reverse = (read_oligo(oligo).bases for oligo in (assay.forward, assay.reverse))
        left, right = (forward, reverse) if strand == 1 else (reverse, forward)
        roles = ("forward", "reverse") if strand == 1 else ("reverse", "forward")
        sites = [
            maps.MapSite(roles[0], 0, min(len(left), size), 1),
            maps.MapSite(roles[1], max(size - len(right), 0), min(len(right), size), -1),
        ]
        if assay.probe and probe_mm >= 0:
            probe = read_oligo(assay.probe).bases
            place = probe_place(library.bases(0, start, size), probe)
            if place is not None:
                sites.append(maps.MapSite("probe", place[0], len(probe), place[1]))
        made.append(
            maps.MapProduct(
                number=row + 1,
                name=assay.name,
                start=start + 1,
                end=(start + size - 1) % sequence.length_bp + 1,
                size=size,
                strand=strand,
                mm_f=int(rows.mm_f[row]),
                mm_r=int(rows.mm_r[row]),
                probe_mm=probe_mm if probe_mm >= 0 else None,
                sites=tuple(sites),
            )
        )
    if len(rows) > len(made):
        remarks.append(
            _(
                "The first %(shown)s of %(count)s products are drawn.",
                shown=len(made),
                count=len(rows),
            )
        )
    return made, remarks


_BITS = {"A": 1, "C": 2, "G": 4, "T": 8}
_SETS = np.zeros(128, np.uint8)
for _letter, _stands in IUPAC.items():
    _SETS[ord(_letter)] = sum(_BITS[base] for base in _stands)


def probe_place(product: str, probe: str) -> tuple[int, int] | None:
    """Return the offset and the strand at which a probe lies with fewest mismatches, the first of equals.

    >>> probe_place("AAACGTTTGGG", "CCCAA"), probe_place("ACG", "ACGT")
    ((6, -1), None)
    """
    places = len(product) - len(probe) + 1
    if places < 1:
        return None
    letters = _SETS[np.frombuffer(product.replace("U", "T").encode("ascii"), np.uint8)]
    best: tuple[int, int, int] | None = None
    for strand, oligo in ((1, probe), (-1, reverse_complement(probe))):
        wrong = np.zeros(places, np.int32)
        for place, mask in enumerate(_SETS[np.frombuffer(oligo.encode("ascii"), np.uint8)]):
            window = letters[place : place + places]
            wrong += (window == 0) | ((window & ~mask) != 0)
        offset = int(np.argmin(wrong))
        if best is None or wrong[offset] < best[0]:
            best = (int(wrong[offset]), offset, strand)
    return (best[1], best[2]) if best else None
