"""The order sheet of oligos: what a synthesis company needs to know, with weight and melting temperature."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, Final

from labhub.methods.metadata import Edition
from labhub.sequences.oligos import IUPAC, gc_fraction
from labhub.workbooks import Column, Due, SheetToWrite, write_book

COLUMNS: Final = (
    "name", "sequence", "modification_5", "modification_3", "internal_modifications", "length", "scale",
    "molecular_weight", "tm_celsius", "gc_percent", "role", "oligo_set", "method_code", "version",
)  # fmt: skip
"""``scale`` is left empty for the person who orders."""
NUMBERS: Final = ("length", "molecular_weight", "tm_celsius", "gc_percent", "version")
WIDTHS: Final = {"name": 24, "sequence": 48, "internal_modifications": 28, "method_code": 20}
"""Characters that a column of the workbook is wide, where not 16."""
MOST_SPELLINGS: Final = 64
"""An oligo with more meanings than this gets no melting temperature."""
WATER: Final = 18.0153
"""Lost by each bond between two nucleotides, g/mol."""
PHOSPHATE: Final = 79.9799
"""HPO3, g/mol: free nucleotides carry it, the 5' end of an oligo as it is made does not."""
OLIGO_NANOMOLAR: Final = 250
SODIUM_MILLIMOLAR: Final = 50


def order_lines(editions: Iterable[Edition]) -> list[dict[str, str]]:
    """Return a line for each oligo, by ``COLUMNS``; an oligo of several methods stands under each."""
    lines = []
    for edition in editions:
        for oligo in edition.record["oligos"]:
            low, high = melting_celsius(oligo["sequence"])
            lines.append(
                {
                    "name": oligo["name"] or f"{edition.code} {oligo['role']}",
                    "sequence": oligo["sequence"],
                    "modification_5": oligo["label5"] or "",
                    "modification_3": oligo["label3"] or "",
                    "internal_modifications": "; ".join(_inside(oligo)),
                    "length": str(len(oligo["sequence"])),
                    "scale": "",
                    "molecular_weight": f"{molecular_weight(oligo['sequence']):.1f}",
                    "tm_celsius": "" if low is None or high is None else f"{(low + high) / 2:.1f}",
                    "gc_percent": f"{100 * gc_fraction(oligo['sequence']):.1f}",
                    "role": oligo["role"],
                    "oligo_set": oligo.get("set") or "",
                    "method_code": edition.code,
                    "version": str(edition.number),
                }
            )
    return lines


def order_book(editions: Iterable[Edition]) -> bytes:
    """Return the same lines as a workbook (XLSX), with numbers as numbers."""
    columns = [
        Column(name, Due.NUMBER if name in NUMBERS else Due.TEXT, width=WIDTHS.get(name, 16))
        for name in COLUMNS
    ]
    rows = [
        {name: _cell(name, text) for name, text in line.items() if text} for line in order_lines(editions)
    ]
    return write_book([SheetToWrite("oligos", columns, rows)])


def _cell(name: str, text: str) -> str | int | float:
    if name in ("length", "version"):
        return int(text)
    return float(text) if name in NUMBERS else text


def _inside(oligo: Mapping[str, Any]) -> list[str]:
    return [f"{each['name']} after base {each['after_base']}" for each in oligo["modifications"]]


def molecular_weight(bases: str) -> float:
    """Return the weight of a single-stranded DNA oligo in g/mol, without labels and modifications.

    Both ends are OH, as oligos are made. An ambiguous letter weighs the mean of its bases, as in an equal
    mixture. Source of the weights: Biopython.

    >>> round(molecular_weight("ACGT"), 1), round(molecular_weight("N"), 1)
    (1173.8, 247.0)
    """
    from Bio.Data.IUPACData import unambiguous_dna_weights as weights

    nucleotides = sum(sum(weights[base] for base in IUPAC[letter]) / len(IUPAC[letter]) for letter in bases)
    return float(nucleotides - (len(bases) - 1) * WATER - PHOSPHATE)


def spellings(bases: str) -> list[str]:
    """Return what an oligo with ambiguous letters stands for; nothing when that is too much.

    >>> spellings("AYG"), spellings("NNNN")
    (['ACG', 'ATG'], [])
    """
    count = 1
    for letter in bases:
        count *= len(IUPAC[letter])
        if count > MOST_SPELLINGS:
            return []
    return ["".join(each) for each in product(*(sorted(IUPAC[letter]) for letter in bases))]


def melting_celsius(bases: str) -> tuple[float | None, float | None]:
    """Return the lowest and highest melting temperature of what an oligo stands for.

    Nearest neighbours after SantaLucia and Hicks (2004), 250 nmol/L oligo, 50 mmol/L sodium, no magnesium,
    salt correction of SantaLucia (1998): a guide for comparing oligos, not an annealing temperature.
    Nothing for one base, or for more than 64 meanings.

    >>> low, high = melting_celsius("CCACGTCTTCAAAGCAAGTGG")
    >>> 50 < low == high < 62
    True
    """
    from Bio.SeqUtils import MeltingTemp

    if len(bases) < 8:
        return None, None
    found = [
        float(
            MeltingTemp.Tm_NN(  # type: ignore[no-untyped-call]
                each, nn_table=MeltingTemp.DNA_NN4, dnac1=OLIGO_NANOMOLAR, dnac2=0, Na=SODIUM_MILLIMOLAR
            )
        )
        for each in spellings(bases)
    ]
    return (min(found), max(found)) if found else (None, None)
