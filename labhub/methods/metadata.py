"""How a version of a method is cited and described for machines: citation, DataCite, schema.org, links.

Everything is made from one ``Edition``, the exported record with the names that it does not hold itself,
and is the same for the same version. Only what was published can be cited.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

from labhub.lmos.unique_identifier import display
from labhub.methods.criteria import Report
from labhub.methods.exchange import HUB_FACTS

PUBLISHER: Final = "labhub"
NETWORK: Final = (
    "Network of Laboratories for the Detection and Identification of Living Modified Organisms, "
    "Cartagena Protocol on Biosafety"
)
DATACITE_NAMESPACE: Final = "http://datacite.org/schema/kernel-4"
DATACITE_SCHEMA: Final = "https://schema.datacite.org/meta/kernel-4.7/metadata.xsd"
LICENCES: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), spdx, address)
    for pattern, spdx, address in (
        (r"CC0([ -]1\.0)?", "CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        (r"CC[ -]BY[ -]4\.0", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        (r"CC[ -]BY[ -]SA[ -]4\.0", "CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
        (r"CC[ -]BY[ -]NC[ -]4\.0", "CC-BY-NC-4.0", "https://creativecommons.org/licenses/by-nc/4.0/"),
        (r"CC[ -]BY[ -]ND[ -]4\.0", "CC-BY-ND-4.0", "https://creativecommons.org/licenses/by-nd/4.0/"),
    )
)
"""Licences that have a name and an address which programs know."""
MEDIA_TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
    "rdml": "application/zip",
    "fasta": "text/plain",
    "order-sheet": "text/csv",
    "order-sheet-xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
    "datacite": "application/vnd.datacite.datacite+json",
    "datacite-xml": "application/vnd.datacite.datacite+xml",
    "bibtex": "application/x-bibtex",
    "ris": "application/x-research-info-systems",
}
"""Media types of what a version can be had as, without parameters."""
CONTENT_FORMATS: Final = ("json", "csv", "pdf", "rdml", "fasta", "zip")
"""Formats that hold the method, in the order of links; the others describe it."""
SPECIFICITY_WORDS: Final = {
    "screening": "element-specific (screening)",
    "construct": "construct-specific",
    "event": "event-specific",
    "taxon": "taxon-specific",
}
TECHNIQUE_WORDS: Final = {
    "end-point": "end-point PCR",
    "qpcr": "real-time PCR",
    "dpcr": "digital PCR",
    "isothermal": "isothermal amplification",
    "protein": "protein test",
    "sequencing": "sequencing",
}
"""The words of descriptions for machines, in English whatever the reader's language."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Edition:
    """One version of a method, as documents, packs and metadata present it."""

    record: Record
    """The exported record, with the files that the reader may see."""
    base: str
    """Address of the hub, without a slash at the end."""
    laboratory: str = ""
    """Name of the owner; empty for compiled methods."""
    lmos: tuple[str, ...] = ()
    """LMOs that it detects, as an index names them."""
    elements: tuple[str, ...] = ()
    siblings: tuple[int, ...] = ()
    """Numbers of the published versions of the same method, this one among them."""
    judgement: Report | None = None
    """By the minimum performance criteria that were the newest when it was published."""

    @property
    def facts(self) -> Record:
        """What the hub says of the version."""
        facts: Record = self.record[HUB_FACTS]
        return facts

    @property
    def code(self) -> str:
        """The method's code."""
        return str(self.facts["code"])

    @property
    def number(self) -> int:
        """The version's number."""
        return int(self.facts["version"])

    @property
    def name(self) -> str:
        """Code and version as file names and identifiers begin: ``QT-EVE-ZM-001-v1``."""
        return f"{self.code}-v{self.number}"

    @property
    def seal(self) -> str:
        """SHA-256 of the content at publication; empty for a draft."""
        return str(self.facts.get("content_hash") or "")

    @property
    def is_published(self) -> bool:
        """Whether it was published, and so can be cited."""
        return bool(self.facts.get("published_at")) and bool(self.seal)

    @property
    def published_on(self) -> str:
        """Day of publication, ISO 8601; empty for a draft."""
        return str(self.facts.get("published_at") or "")[:10]

    @property
    def method_address(self) -> str:
        """Address of the method, whatever its present version."""
        return f"{self.base}/methods/{self.code}"

    @property
    def address(self) -> str:
        """Address of this version."""
        return self.version_address(self.number)

    def version_address(self, number: int) -> str:
        """Return the address of a version of the method."""
        return f"{self.method_address}/versions/{number}"

    def download_address(self, format_: str) -> str:
        """Return the address of this version in a format."""
        return f"{self.method_address}/download?format={format_}&version={self.number}"

    @property
    def linkset_address(self) -> str:
        """Address of the set of links (RFC 9264)."""
        return f"{self.address}/linkset"

    @property
    def author(self) -> str:
        """Who is cited: the laboratory, or the hub for what it compiled."""
        return self.laboratory or PUBLISHER

    @property
    def author_address(self) -> str:
        """Address of the laboratory's page; empty for compiled methods."""
        code = self.facts.get("laboratory")
        return f"{self.base}/laboratories/{code}" if code and self.laboratory else ""


def licence_of(record: Record) -> tuple[str, str, str]:
    """Return the licence as it is written, its SPDX name and its address; each may be empty.

    >>> licence_of({"licence": "CC BY 4.0"})
    ('CC BY 4.0', 'CC-BY-4.0', 'https://creativecommons.org/licenses/by/4.0/')
    >>> licence_of({"licence": "ask the owner"}), licence_of({"licence": None})
    (('ask the owner', '', ''), ('', '', ''))
    """
    text = str(record.get("licence") or "")
    for pattern, spdx, address in LICENCES:
        if pattern.fullmatch(text.strip()):
            return text, spdx, address
    found = re.search(r"https?://[^\s<>\"]+", text)
    return text, "", found[0] if found else ""


# Citation -------------------------------------------------------------------------------------


def citation(edition: Edition) -> str:
    """Return the citation of a version; empty for a draft, which cannot be cited.

    Author, year, title, hub, code, version, address and seal: the same for ever, because the version is.
    """
    if not edition.is_published:
        return ""
    return f"{citation_words(edition)} {edition.address} (SHA-256 {edition.seal})"


def citation_words(edition: Edition) -> str:
    """Return the citation without address and seal."""
    return (
        f"{edition.author} ({edition.published_on[:4]}). {_stopped(edition.record['title'])} {PUBLISHER}, "
        f"{edition.code}, version {edition.number}."
    )


def _stopped(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."


_BIBTEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "$": r"\$", "#": r"\#",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def _bibtex(text: str) -> str:
    return "".join(_BIBTEX.get(sign, sign) for sign in " ".join(text.split()))


def bibtex(edition: Edition) -> bytes:
    """Return the citation as BibTeX."""
    fields = {
        "author": f"{{{_bibtex(edition.author)}}}",
        "title": f"{{{_bibtex(edition.record['title'])}}}",
        "year": edition.published_on[:4],
        "publisher": PUBLISHER,
        "howpublished": _bibtex(f"{PUBLISHER}, detection method {edition.code}"),
        "version": str(edition.number),
        "url": edition.address,
        "note": f"Seal (SHA-256): {edition.seal}",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    key = re.sub(r"[^A-Za-z0-9.-]", "-", f"labhub-{edition.name}")
    return f"@misc{{{key},\n{lines}\n}}\n".encode()


def ris(edition: Edition) -> bytes:
    """Return the citation as RIS."""
    lines = [
        ("TY", "DATA"),
        ("AU", edition.author),
        ("TI", edition.record["title"]),
        ("PY", edition.published_on[:4]),
        ("DA", edition.published_on.replace("-", "/")),
        ("PB", PUBLISHER),
        ("ET", str(edition.number)),
        ("AN", edition.code),
        ("UR", edition.address),
        ("N1", f"Seal (SHA-256): {edition.seal}"),
        ("ER", ""),
    ]
    return "".join(f"{tag}  - {' '.join(text.split())}\r\n" for tag, text in lines).encode()


def citation_cff(editions: Sequence[Edition]) -> bytes:
    """Return ``CITATION.cff`` (1.2.0) of a pack: of its one version, or of the selection with references.

    Strings are written as JSON, which YAML reads.
    """
    entries = [_cff(edition) for edition in editions if edition.is_published]
    if len(entries) == 1:
        top = {
            "cff-version": "1.2.0",
            "message": "Please cite this version of the method as below.",
            **entries[0],
        }
    else:
        top = {
            "cff-version": "1.2.0",
            "message": "Please cite each version of a method that you use as below.",
            "type": "dataset",
            "title": f"Selection of detection methods from {PUBLISHER}",
            "authors": [{"name": PUBLISHER}],
            "references": [
                {**entry, "type": "data", "date-released": entry["date-released"]} for entry in entries
            ],
        }
    return (json.dumps(top, ensure_ascii=False, indent=1) + "\n").encode()


def _cff(edition: Edition) -> dict[str, Any]:
    _text, spdx, _address = licence_of(edition.record)
    entry: dict[str, Any] = {
        "type": "dataset",
        "title": edition.record["title"],
        "authors": [{"name": edition.author}],
        "version": str(edition.number),
        "date-released": edition.published_on,
        "url": edition.address,
        "identifiers": [
            {"type": "other", "value": f"sha256:{edition.seal}", "description": "Seal of this version"}
        ],
        "keywords": keywords(edition) or ["detection method"],
    }
    if spdx:
        entry["license"] = spdx
    return entry


# Description ----------------------------------------------------------------------------------


def description(edition: Edition) -> str:
    """Return what the method is in two or three English sentences, for catalogues."""
    record = edition.record
    kind = f"{SPECIFICITY_WORDS[record['specificity']]} {TECHNIQUE_WORDS[record['technique']]} method"
    purpose = "quantitative" if record["quantitative"] else "qualitative"
    sentences = [f"{purpose.capitalize()}, {kind}: {_stopped(record['title'])}"]
    if record.get("target"):
        sentences.append(f"Target: {_stopped(record['target'])}")
    taxon = record.get("taxon") or {}
    names = [name for name in (taxon.get("scientific"), taxon.get("common")) if name]
    if names:
        sentences.append(f"Taxon: {', '.join(names)}.")
    if record.get("amplicon_bp"):
        sentences.append(f"Amplicon: {record['amplicon_bp']} bp.")
    if record.get("origin") == "compiled":
        sentences.append("Compiled by the hub from public sources; what they do not print is not reported.")
    if edition.facts.get("state") == "withdrawn":
        reason = edition.facts.get("withdrawal_reason") or ""
        sentences.append(f"This version was withdrawn: {_stopped(reason)}")
    return " ".join(sentences)


def keywords(edition: Edition) -> list[str]:
    """Return what one would look the method up by: class, technique, taxon, targets, LMOs; each once."""
    record = edition.record
    taxon = record.get("taxon") or {}
    words = [
        SPECIFICITY_WORDS[record["specificity"]],
        TECHNIQUE_WORDS[record["technique"]],
        taxon.get("scientific"),
        taxon.get("common"),
        *(record.get("targets") or ()),
        *(display(identifier) for identifier in record.get("lmo_unique_identifiers") or ()),
        *edition.elements,
    ]
    return list(dict.fromkeys(word for word in words if word))


# DataCite -------------------------------------------------------------------------------------


def datacite(edition: Edition) -> dict[str, Any]:
    """Return the metadata of a published version after DataCite 4.7, as its JSON form.

    The identifier is the version's address: the hub registers no DOI.
    """
    record = edition.record
    text, spdx, licence_address = licence_of(record)
    related: list[tuple[str, str]] = [("IsVersionOf", edition.method_address)]
    earlier = [number for number in edition.siblings if number < edition.number]
    later = [number for number in edition.siblings if number > edition.number]
    if earlier:
        related.append(("IsNewVersionOf", edition.version_address(max(earlier))))
    if later:
        related.append(("IsPreviousVersionOf", edition.version_address(min(later))))
    sources = [source["url"] for source in record.get("sources") or () if source.get("url")]
    related += [("IsDerivedFrom", url) for url in dict.fromkeys(sources)]
    dates = [{"date": edition.published_on, "dateType": "Issued"}]
    if withdrawn := edition.facts.get("withdrawn_at"):
        dates.append({"date": str(withdrawn)[:10], "dateType": "Withdrawn"})
    rights: dict[str, str] = {}
    if text:
        rights["rights"] = text
    if licence_address:
        rights["rightsUri"] = licence_address
    if spdx:
        rights |= {
            "rightsIdentifier": spdx,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    found: dict[str, Any] = {
        "schemaVersion": DATACITE_NAMESPACE,
        "identifiers": [{"identifier": edition.address, "identifierType": "URL"}],
        "alternateIdentifiers": [
            {"alternateIdentifier": edition.name, "alternateIdentifierType": "labhub method version"},
            {"alternateIdentifier": f"sha256:{edition.seal}", "alternateIdentifierType": "Seal (SHA-256)"},
        ],
        "creators": [{"name": edition.author, "nameType": "Organizational"}],
        "titles": [{"title": record["title"], "lang": "en"}],
        "publisher": {"name": PUBLISHER},
        "publicationYear": int(edition.published_on[:4]),
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Detection method"},
        "subjects": [{"subject": word} for word in keywords(edition)],
        "contributors": [
            {"name": NETWORK, "nameType": "Organizational", "contributorType": "HostingInstitution"}
        ],
        "dates": dates,
        "language": "en",
        "relatedIdentifiers": [
            {"relatedIdentifier": address, "relatedIdentifierType": "URL", "relationType": relation}
            for relation, address in related
        ],
        "formats": [MEDIA_TYPES[name] for name in CONTENT_FORMATS],
        "version": str(edition.number),
        "rightsList": [rights] if rights else [],
        "descriptions": [{"description": description(edition), "descriptionType": "Abstract", "lang": "en"}],
    }
    found["formats"] = list(dict.fromkeys(found["formats"]))
    return found


_PLURALS: Final = {
    "alternateIdentifiers": ("alternateIdentifier", "alternateIdentifier"),
    "titles": ("title", "title"),
    "subjects": ("subject", "subject"),
    "dates": ("date", "date"),
    "relatedIdentifiers": ("relatedIdentifier", "relatedIdentifier"),
    "rightsList": ("rights", "rights"),
    "descriptions": ("description", "description"),
}
"""Lists of the JSON form: the element of the XML form, and the key that is its text."""


def datacite_xml(edition: Edition) -> bytes:
    """Return the same as ``datacite`` in the XML form."""
    found = datacite(edition)
    ElementTree.register_namespace("", DATACITE_NAMESPACE)
    root = ElementTree.Element(
        "resource",
        {
            "xmlns": DATACITE_NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{DATACITE_NAMESPACE} {DATACITE_SCHEMA}",
        },
    )

    def add(parent: ElementTree.Element, name: str, text: str = "", **given: str) -> ElementTree.Element:
        attributes = {"xml:lang" if key == "lang" else key: value for key, value in given.items()}
        element = ElementTree.SubElement(parent, name, attributes)
        element.text = text or None
        return element

    identifier = found["identifiers"][0]
    add(root, "identifier", identifier["identifier"], identifierType=identifier["identifierType"])
    for group, each, typed in (
        ("creators", "creator", {}),
        ("contributors", "contributor", {"contributorType": "HostingInstitution"}),
    ):
        parent = add(root, group)
        for person in found[group]:
            element = add(parent, each, **typed)
            add(element, f"{each}Name", person["name"], nameType=person["nameType"])
    add(root, "publisher", found["publisher"]["name"])
    add(root, "publicationYear", str(found["publicationYear"]))
    types = found["types"]
    add(root, "resourceType", types["resourceType"], resourceTypeGeneral=types["resourceTypeGeneral"])
    for group, (each, text_key) in _PLURALS.items():
        if not found[group]:
            continue
        parent = add(root, group)
        for item in found[group]:
            rest = {_xml_name(key): value for key, value in item.items() if key != text_key}
            add(parent, each, item.get(text_key, ""), **rest)
    parent = add(root, "formats")
    for media_type in found["formats"]:
        add(parent, "format", media_type)
    add(root, "language", found["language"])
    add(root, "version", found["version"])
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _xml_name(key: str) -> str:
    return {"rightsUri": "rightsURI", "schemeUri": "schemeURI"}.get(key, key)


# schema.org -----------------------------------------------------------------------------------


def schema_org(edition: Edition) -> dict[str, Any]:
    """Return the version as a schema.org Dataset that is a Bioschemas LabProtocol too (JSON-LD)."""
    record = edition.record
    _text, _spdx, licence_address = licence_of(record)
    author: dict[str, Any] = {"@type": "Organization", "name": edition.author}
    if edition.author_address:
        author["@id"] = author["url"] = edition.author_address
    found: dict[str, Any] = {
        "@context": [
            "https://schema.org/",
            {"bioschemas": "https://bioschemas.org/terms/", "dct": "http://purl.org/dc/terms/"},
        ],
        "@id": edition.address,
        "@type": ["Dataset", "bioschemas:LabProtocol"],
        "dct:conformsTo": [
            {"@id": "https://bioschemas.org/profiles/Dataset/1.0-RELEASE"},
            {"@id": "https://bioschemas.org/profiles/LabProtocol/0.8-DRAFT"},
        ],
        "name": record["title"],
        "description": description(edition),
        "url": edition.address,
        "identifier": [
            {"@type": "PropertyValue", "propertyID": "labhub", "value": edition.name},
            *(
                [{"@type": "PropertyValue", "propertyID": "SHA-256", "value": edition.seal}]
                if edition.seal
                else []
            ),
        ],
        "version": str(edition.number),
        "creativeWorkStatus": str(edition.facts.get("state") or ""),
        "keywords": keywords(edition),
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "creator": author,
        "publisher": {"@type": "Organization", "name": PUBLISHER, "url": edition.base},
        "includedInDataCatalog": {
            "@type": "DataCatalog",
            "@id": f"{edition.base}/methods",
            "name": f"{PUBLISHER}: detection methods",
            "url": f"{edition.base}/methods",
        },
        "measurementTechnique": TECHNIQUE_WORDS[record["technique"]],
    }
    if record.get("target"):
        found["variableMeasured"] = record["target"]
    if record.get("licence"):
        found["license"] = licence_address or record["licence"]
    if edition.is_published:
        found["datePublished"] = edition.published_on
        found["citation"] = citation(edition)
        found["distribution"] = [
            {
                "@type": "DataDownload",
                "name": f"{edition.name} ({name})",
                "encodingFormat": MEDIA_TYPES[name],
                "contentUrl": edition.download_address(name),
            }
            for name in offered(record, CONTENT_FORMATS)
        ]
    if sources := [source for source in record.get("sources") or () if source.get("title")]:
        found["isBasedOn"] = [
            {"@type": "CreativeWork", "name": each["title"], **({"url": each["url"]} if each["url"] else {})}
            for each in sources
        ]
    taxon = record.get("taxon") or {}
    if taxon.get("scientific"):
        names = {"name": taxon["scientific"]}
        if taxon.get("common"):
            names["alternateName"] = taxon["common"]
        found["about"] = [{"@type": "Taxon", **names}]
    for name, value in (
        ("bioschemas:reagent", record.get("reagents")),
        ("bioschemas:labEquipment", record.get("instrument")),
        ("bioschemas:sample", record.get("matrices")),
        ("bioschemas:bioSampleUsed", None),
    ):
        if value:
            found[name] = value
    return found


def offered(record: Record, formats: Sequence[str]) -> list[str]:
    """Return the formats that a version has something for: no RDML, FASTA or order sheet without oligos.

    >>> offered({"oligos": []}, ("json", "fasta", "pdf"))
    ['json', 'pdf']
    """
    needs_oligos = {"rdml", "fasta", "order-sheet", "order-sheet-xlsx"}
    return [name for name in formats if record.get("oligos") or name not in needs_oligos]


# Signposting ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A typed link from a version's page (FAIR Signposting, RFC 8288)."""

    relation: str
    address: str
    media_type: str = ""


def links(edition: Edition) -> list[Link]:
    """Return the links of a version's page after the Signposting profile, level 1; none for a draft."""
    if not edition.is_published:
        return []
    _text, _spdx, licence_address = licence_of(edition.record)
    found = [
        Link("cite-as", edition.address),
        Link("type", "https://schema.org/AboutPage"),
        Link("type", "https://schema.org/Dataset"),
    ]
    if edition.author_address:
        found.append(Link("author", edition.author_address))
    if licence_address:
        found.append(Link("license", licence_address))
    for name in ("datacite", "datacite-xml", "bibtex", "ris"):
        found.append(Link("describedby", edition.download_address(name), MEDIA_TYPES[name]))
    for name in offered(edition.record, CONTENT_FORMATS):
        found.append(Link("item", edition.download_address(name), MEDIA_TYPES[name]))
    found += [
        Link("item", f"{edition.method_address}/files/{file['id']}", file["media_type"])
        for file in edition.facts.get("files") or ()
        if file.get("id") is not None
    ]
    return found


MOST_HEADER_LINKS = 40
"""More links stand in the linkset only: a header has to stay small."""


def link_header(edition: Edition) -> str:
    """Return the links as the value of a ``Link`` header; empty for a draft."""
    found = links(edition)
    if not found:
        return ""
    linkset = Link("linkset", edition.linkset_address, "application/linkset+json")
    parts = []
    for link in (linkset, *found[:MOST_HEADER_LINKS]):
        media_type = f'; type="{link.media_type.partition(";")[0]}"' if link.media_type else ""
        parts.append(f'<{_header_safe(link.address)}>; rel="{link.relation}"{media_type}')
    return ", ".join(parts)


def _header_safe(address: str) -> str:
    """Return an address without what would end it in a header; licences are written by people."""
    return re.sub(r"[^!#-;=?-~]", lambda sign: "".join(f"%{byte:02X}" for byte in sign[0].encode()), address)


def linkset(edition: Edition) -> dict[str, Any]:
    """Return the links as a linkset in JSON (RFC 9264): of the page, and back from each item."""
    page: dict[str, Any] = {"anchor": edition.address}
    found = links(edition)
    for link in found:
        target = {"href": link.address}
        if link.media_type:
            target["type"] = link.media_type.partition(";")[0]
        page.setdefault(link.relation, []).append(target)
    back = [{"href": edition.address, "type": "text/html"}]
    items = [
        {"anchor": link.address, "collection": back, "cite-as": [{"href": edition.address}]}
        for link in found
        if link.relation == "item"
    ]
    descriptions = [
        {"anchor": link.address, "describes": back} for link in found if link.relation == "describedby"
    ]
    return {"linkset": [page, *items, *descriptions]}
