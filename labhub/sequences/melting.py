"""Melting temperatures of primers on their sites, by nearest neighbours (Biopython).

``Tm_NN`` with the table of Allawi and SantaLucia (1997) and SantaLucia's salt correction (1998). With
``dnac1 = dnac2`` of half the oligo's concentration it equals primer3's ``calc_tm`` with that
``dna_conc`` to 0.001 degC (``engines.md``, section 7). Concentrations belong to each figure: they are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Any

from labhub.errors import Invalid
from labhub.i18n import _
from labhub.sequences.insilico import Assay, Products, aligned_primers
from labhub.sequences.oligos import IUPAC
from labhub.sequences.packed import PackedLibrary

MOST_EXPANSIONS = 256
"""Plain sequences of a degenerate oligo that are computed."""
MOST_TEMPERATURES = 200_000
"""Different pairs of oligo and site that are computed in one search."""


@dataclass(frozen=True)
class Conditions:
    """What a melting temperature depends on beside the bases."""

    sodium_millimolar: float = 50.0
    """Monovalent cations."""
    magnesium_millimolar: float = 0.0
    dntp_millimolar: float = 0.0
    oligo_nanomolar: float = 50.0
    """Of each primer, where the method does not give it."""

    def check(self) -> None:
        """Raise ``Invalid`` when a concentration is out of its range."""
        if not 0 < self.oligo_nanomolar <= 1e6:
            raise Invalid(_("The concentration of oligos must be above 0, in nM."), field="oligo")
        if not 0 <= self.magnesium_millimolar <= 1e3 or not 0 <= self.dntp_millimolar <= 1e3:
            raise Invalid(_("Magnesium and dNTP must be 0 to 1000 mM."), field="magnesium")
        if not 0 <= self.sodium_millimolar <= 5e3 or not self.sodium_millimolar + self.magnesium_millimolar:
            raise Invalid(_("There must be salt: sodium 0 to 5000 mM, or magnesium."), field="sodium")

    def __str__(self) -> str:
        return (
            f"Na+ {self.sodium_millimolar:g} mM, Mg2+ {self.magnesium_millimolar:g} mM, "
            f"dNTP {self.dntp_millimolar:g} mM, "
            f"oligo {self.oligo_nanomolar:g} nM where its method does not say"
        )


@dataclass(frozen=True)
class Melting:
    """Least, mean and most over the plain sequences that a degenerate oligo stands for, in degC."""

    least: float
    mean: float
    most: float

    def __str__(self) -> str:
        """Return one figure, or the three of a degenerate oligo.

        >>> str(Melting(58.123, 58.123, 58.123)), str(Melting(57.0, 58.04, 59.0))
        ('58.1', '57.0/58.0/59.0')
        """
        if self.least == self.most:
            return f"{self.mean:.1f}"
        return f"{self.least:.1f}/{self.mean:.1f}/{self.most:.1f}"


@lru_cache
def _tables() -> Any:
    """Return Biopython's module: loaded when the first temperature is asked for."""
    from Bio.SeqUtils import MeltingTemp

    return MeltingTemp


def melting(oligo: str, site: str, conditions: Conditions, nanomolar: float | None = None) -> Melting | None:
    """Return the melting temperature of an oligo on a site, both 5' to 3' of the oligo; None where undefined.

    A site's ambiguous letters pair like the oligo where they may. Mismatches use the published neighbours
    (``DNA_IMM1``, ``DNA_TMM1``); two in a row have none, so the figure is then not given.
    """
    amount = nanomolar or conditions.oligo_nanomolar
    found = [
        temperature
        for plain in islice(_plain(oligo, site), MOST_EXPANSIONS)
        if (temperature := _temperature(plain, _opposite(plain, site), conditions, amount)) is not None
    ]
    return Melting(min(found), sum(found) / len(found), max(found)) if found else None


def _plain(oligo: str, site: str) -> Any:
    """Yield the plain sequences of an oligo, those that fit the site best first."""
    choices = []
    for letter, seen in zip(oligo, site, strict=True):
        fitting = IUPAC[letter] & IUPAC.get(seen, frozenset())
        choices.append([*sorted(fitting), *sorted(IUPAC[letter] - fitting)])
    return map("".join, product(*choices))


def _opposite(plain: str, site: str) -> str:
    """Return the strand that lies under an oligo, 3' to 5': the complement of the site."""
    complement = {"A": "T", "C": "G", "G": "C", "T": "A"}
    under = []
    for base, seen in zip(plain, site, strict=True):
        stands = IUPAC.get(seen, frozenset())
        under.append(complement[base if base in stands else min(stands, default=base)])
    return "".join(under)


@lru_cache(maxsize=65536)
def _temperature(plain: str, under: str, conditions: Conditions, nanomolar: float) -> float | None:
    tables = _tables()
    try:
        return float(
            tables.Tm_NN(
                plain,
                check=False,
                c_seq=under,
                nn_table=tables.DNA_NN3,
                saltcorr=7 if conditions.magnesium_millimolar else 5,
                dnac1=nanomolar / 2,
                dnac2=nanomolar / 2,
                Na=conditions.sodium_millimolar,
                Mg=conditions.magnesium_millimolar,
                dNTPs=conditions.dntp_millimolar,
                strict=True,
            )
        )
    except (ValueError, KeyError, IndexError, ZeroDivisionError):
        return None


def of_products(
    assays: Sequence[Assay],
    library: PackedLibrary,
    products: Products,
    conditions: Conditions,
    nanomolar: dict[str, tuple[float | None, float | None]],
) -> tuple[list[str], list[str]]:
    """Return the melting temperatures of both primers on each product; empty where undefined."""
    known: dict[tuple[str, str, float | None], str] = {}
    columns: tuple[list[str], list[str]] = ([], [])
    for row in range(len(products)):
        assay = assays[products.assay[row]]
        amounts = nanomolar.get(assay.name, (None, None))
        pair = aligned_primers(assay, library, products, row)
        if products.kind[row] == 0 and products.strand[row] < 0:
            pair = (pair[1], pair[0])
        elif products.kind[row]:
            amounts = (amounts[products.kind[row] - 1],) * 2
        for place, (primer, amount) in enumerate(zip(pair, amounts, strict=True)):
            key = (primer.oligo, primer.site, amount)
            if key not in known:
                if len(known) >= MOST_TEMPERATURES:
                    raise Invalid(
                        _("The sites are too many to compute their melting temperatures; leave --tm out.")
                    )
                found = melting(primer.oligo, primer.site, conditions, amount)
                known[key] = "" if found is None else str(found)
            columns[place].append(known[key])
    return columns
