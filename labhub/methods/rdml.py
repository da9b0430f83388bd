"""The assays of methods as RDML 1.3: targets with their oligos, dyes and documentation, no runs.

Laboratories load such a file into the software of their instrument or into RDML-Tools and add runs to it.
RDML has one forward primer, one reverse primer and two probes for a target; further oligos, labels inside
an oligo and what else RDML has no element for stand in the documentation of the target.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, Final
from xml.etree import ElementTree
from zipfile import ZipFile

from labhub.lmos.unique_identifier import display
from labhub.methods.archives import entry
from labhub.methods.metadata import PUBLISHER, Edition, citation

NAMESPACE: Final = "http://www.rdml.org"
VERSION: Final = "1.3"
MEMBER: Final = "rdml_data.xml"
NO_DYE: Final = "not reported"
"""Each target must refer to a dye; this one stands for what is not known."""
PLACES: Final = {"forward": ("forwardPrimer",), "reverse": ("reversePrimer",), "probe": ("probe1", "probe2")}
INTERCALATING: Final = (
    ("sybr", "SYBR Green I", "non-saturating DNA binding dye"),
    ("evagreen", "EvaGreen", "saturating DNA binding dye"),
    ("eva green", "EvaGreen", "saturating DNA binding dye"),
    ("lcgreen", "LCGreen", "saturating DNA binding dye"),
    ("syto", "SYTO 9", "saturating DNA binding dye"),
)
"""Words of a chemistry, the dye that they mean, and how RDML calls its chemistry."""
PROBES: Final = (
    ("taqman", "hydrolysis probe"),
    ("hydrolysis", "hydrolysis probe"),
    ("beacon", "hybridization probe"),
    ("hybridi", "hybridization probe"),
)


def rdml(editions: Sequence[Edition]) -> bytes:
    """Return the assays of versions as an RDML file: a ZIP archive with one XML document."""
    content = rdml_xml(editions)
    made = BytesIO()
    with ZipFile(made, "w") as archive:
        archive.writestr(entry(MEMBER, len(content)), content)
    return made.getvalue()


def rdml_xml(editions: Sequence[Edition]) -> bytes:
    """Return the XML document; elements stand in the order that its schema asks for."""
    root = ElementTree.Element("rdml", {"xmlns": NAMESPACE, "version": VERSION})
    made = max((str(edition.facts.get("published_at") or "") for edition in editions), default="")
    if made:
        _add(root, "dateMade", made)
    for edition in editions:
        number = _add(root, "id")
        _add(number, "publisher", PUBLISHER)
        _add(number, "serialNumber", f"{edition.code} version {edition.number}")
    for edition in editions:
        documentation = _add(root, "documentation", id=edition.name)
        _add(documentation, "text", documentation_text(edition))
    dyes: dict[str, str | None] = {}
    targets = [target for edition in editions for target in _targets(edition, dyes)]
    for name, chemistry in dyes.items():
        dye = _add(root, "dye", id=name)
        if name == NO_DYE:
            _add(dye, "description", "The source or laboratory names no dye.")
        if chemistry:
            _add(dye, "dyeChemistry", chemistry)
    root.extend(targets)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name, attributes)
    element.text = text
    return element


def sets_of(record: Mapping[str, Any]) -> list[tuple[dict[str, Any], list[Mapping[str, Any]]]]:
    """Return the oligo sets of a record, each with its oligos; the method's own set has no name."""
    own = {key: record.get(key) for key in ("target", "amplicon_bp", "amplicon", "amplicon_accession")}
    sets = [{"name": "", **own}, *(record.get("oligo_sets") or ())]
    found = []
    for each in sets:
        oligos = [oligo for oligo in record["oligos"] if (oligo.get("set") or "") == each["name"]]
        if oligos:
            found.append((dict(each), oligos))
    return found


def _targets(edition: Edition, dyes: dict[str, str | None]) -> Iterable[ElementTree.Element]:
    record = edition.record
    for each, oligos in sets_of(record):
        target = ElementTree.Element(
            "target", {"id": f"{edition.name} {each['name']}" if each["name"] else edition.name}
        )
        title = str(record["title"])
        _add(target, "description", f"{title} ({each['name']})" if each["name"] else title)
        _add(target, "documentation", id=edition.name)
        for name, value in _references(edition, each):
            reference = _add(target, "xRef")
            _add(reference, "name", name)
            _add(reference, "id", value)
        _add(target, "type", "ref" if record["specificity"] == "taxon" else "toi")
        efficiency = fold_increase(record)
        if efficiency is not None:
            _add(target, "amplificationEfficiencyMethod", "standard curve of the validation")
            _add(target, "amplificationEfficiency", f"{efficiency:.6g}")
        dye, chemistry = dye_of(record, oligos)
        dyes[dye] = dyes.get(dye) or chemistry
        _add(target, "dyeId", id=dye)
        _sequences(target, each, oligos)
        yield target


def _references(edition: Edition, each: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("labhub", edition.address)]
    found += [("OECD unique identifier", display(text)) for text in edition.record["lmo_unique_identifiers"]]
    if each.get("amplicon_accession"):
        found.append(("amplicon", each["amplicon_accession"]))
    return list(dict.fromkeys(found))


def fold_increase(record: Mapping[str, Any]) -> float | None:
    """Return the amplification efficiency as RDML gives it, 2 for 100 %, from efficiency or slope.

    >>> fold_increase({"validation": {"pcr_efficiency_percent": 95, "slope": None}})
    1.95
    >>> round(fold_increase({"validation": {"pcr_efficiency_percent": None, "slope": -3.322}}), 3)
    2.0
    """
    figures = record.get("validation") or {}
    if figures.get("pcr_efficiency_percent") is not None:
        return 1 + float(figures["pcr_efficiency_percent"]) / 100
    if figures.get("slope"):
        return float(10 ** (-1 / float(figures["slope"])))
    return None


def dye_of(record: Mapping[str, Any], oligos: Iterable[Mapping[str, Any]]) -> tuple[str, str | None]:
    """Return the dye by which a target is seen, and RDML's word for its chemistry where it is known."""
    chemistry = (record.get("chemistry") or "").casefold()
    probe = next((oligo for oligo in oligos if oligo["role"] == "probe"), None)
    if probe is not None:
        kind = next((kind for word, kind in PROBES if word in chemistry), None)
        return (probe["label5"], kind) if probe["label5"] else (NO_DYE, None)
    for word, dye, kind in INTERCALATING:
        if word in chemistry:
            return dye, kind
    return NO_DYE, None


def _sequences(
    target: ElementTree.Element, each: Mapping[str, Any], oligos: Iterable[Mapping[str, Any]]
) -> None:
    found: dict[str, Mapping[str, Any]] = {}
    for oligo in oligos:
        place = next((name for name in PLACES.get(oligo["role"], ()) if name not in found), None)
        if place is not None:
            found[place] = oligo
    sequences = _add(target, "sequences")
    for name in ("forwardPrimer", "reversePrimer", "probe1", "probe2"):
        if name in found:
            oligo = found[name]
            element = _add(sequences, name)
            if oligo["label3"]:
                _add(element, "threePrimeTag", oligo["label3"])
            if oligo["label5"]:
                _add(element, "fivePrimeTag", oligo["label5"])
            _add(element, "sequence", oligo["sequence"])
    if each.get("amplicon"):
        _add(_add(sequences, "amplicon"), "sequence", each["amplicon"])


def documentation_text(edition: Edition) -> str:
    """Return what RDML has no element for, one fact a line, in English."""
    record = edition.record
    lines = [citation(edition) or f"{edition.code}, version {edition.number}: not published."]
    for name, value in (
        ("Target", record.get("target")),
        ("Chemistry", record.get("chemistry")),
        ("Reaction volume, microlitres", record.get("reaction_microlitre")),
        ("DNA in one reaction, ng", record.get("template_nanogram")),
        ("Temperature programme", record.get("thermal_profile")),
        ("Reagents", record.get("reagents")),
        ("Reference method", record.get("reference_method")),
        ("Licence", record.get("licence")),
    ):
        lines.append(f"{name}: {value if value not in (None, '') else 'not reported'}")
    for each, oligos in sets_of(record):
        for oligo in oligos:
            concentration = oligo["final_concentration_nanomolar"]
            parts = [
                f"{oligo['role']} {oligo['name']}".strip(),
                oligo["sequence"],
                f"{concentration} nmol/L" if concentration is not None else "concentration not reported",
                *(f"{item['name']} after base {item['after_base']}" for item in oligo["modifications"]),
            ]
            if each["name"]:
                parts.insert(0, f"set {each['name']}")
            lines.append(f"Oligo: {', '.join(parts)}")
    return "\n".join(lines)
