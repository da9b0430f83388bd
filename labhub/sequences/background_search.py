"""In-silico PCR in a part of a library: every product that begins there, whatever lies around.

A part owns the products whose left primer begins in it. What the right primer needs is read beyond the
part's end, and for a circular record that ends near by from its beginning too. So parts that lie side by
side give every product of the library once, and no step has to remember the sites of another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labhub.i18n import Message
from labhub.sequences.insilico import Assay, Products, Settings, found_from, merged, sites
from labhub.sequences.packed import PackedLibrary


@dataclass(frozen=True, eq=False)
class Part:
    """What a part of a library gave."""

    products: Products
    refused: list[tuple[int, Message]]
    """Places of assays that cannot be searched, and why."""
    truncated: list[int]
    """Places of assays with so many sites or products in this part that not all were looked at."""


def products_of_part(
    assays: Sequence[Assay], library: PackedLibrary, low: int, high: int, settings: Settings
) -> Part:
    """Return the products whose left primer begins in the packed positions ``low`` to ``high``."""
    numbered = [replace(assay, name=str(place)) for place, assay in enumerate(assays)]
    reach = min(high + settings.max_size, library.size)
    spans = [(low, reach)]
    ends = library.offsets + library.lengths
    for record in np.flatnonzero(library.circular & (ends > low) & (ends < reach + settings.max_size)):
        begin = int(library.offsets[record])
        spans.append((begin, min(begin + settings.max_size, int(ends[record]))))
    every = merged([sites(numbered, library, first, last, settings) for first, last in spans], settings)
    found = found_from(numbered, every, library, settings)
    begins = library.offsets[found.products.record] + found.products.start
    return Part(
        products=found.products.take((begins >= low) & (begins < high)),
        refused=[(int(name), message) for name, message in found.refused],
        truncated=[int(name) for name, _message in found.truncated],
    )
