"""Citation, DataCite, schema.org and links of a version."""

import json
import re
from xml.etree import ElementTree

import pytest

from labhub.methods import metadata
from tests.methods.editions import make_edition

DATACITE_NEEDS = ("identifiers", "creators", "titles", "publisher", "publicationYear", "types")
RELATIONS = {"IsVersionOf", "IsNewVersionOf", "IsPreviousVersionOf", "IsDerivedFrom"}


def test_citation_names_author_year_title_code_version_address_and_seal():
    edition = make_edition(number=2)
    assert metadata.citation(edition) == (
        "Reference Laboratory (2026). Event-specific qPCR: maize event MON810. "
        "labhub, QT-EVE-ZM-020, version 2. "
        f"https://hub.example/methods/QT-EVE-ZM-020/versions/2 (SHA-256 {edition.seal})"
    )


def test_draft_cannot_be_cited_and_has_no_links():
    draft = make_edition(state="draft", published_at=None)
    assert metadata.citation(draft) == metadata.link_header(draft) == ""
    assert metadata.links(draft) == []


def test_compiled_method_is_cited_under_the_hub():
    assert metadata.citation(make_edition(edition={"laboratory": ""})).startswith("labhub (2026). ")


def test_bibtex_is_one_entry_whatever_the_title():
    title = r"50 % & more_{nested \cmd} # $x ^ ~"
    text = metadata.bibtex(make_edition(title=title)).decode()
    assert text.startswith("@misc{labhub-QT-EVE-ZM-020-v1,\n")
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert r"50 \% \& more\_\{nested \textbackslash{}cmd\} \# \$x" in text


def test_ris_is_one_record():
    lines = metadata.ris(make_edition()).decode().split("\r\n")
    assert lines[0] == "TY  - DATA" and lines[-2] == "ER  - " and lines[-1] == ""
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines[:-1])


def test_datacite_has_what_is_mandatory_and_relations_between_versions():
    found = metadata.datacite(make_edition(number=2, edition={"siblings": (1, 2, 3)}))
    assert all(found[name] for name in DATACITE_NEEDS)
    assert found["schemaVersion"] == "http://datacite.org/schema/kernel-4"
    assert found["types"]["resourceTypeGeneral"] == "Dataset"
    related = {each["relationType"]: each["relatedIdentifier"] for each in found["relatedIdentifiers"]}
    assert set(related) <= RELATIONS
    assert related["IsNewVersionOf"].endswith("/versions/1")
    assert related["IsPreviousVersionOf"].endswith("/versions/3")
    assert found["rightsList"][0]["rightsIdentifier"] == "CC-BY-4.0"


def test_datacite_names_the_day_of_a_withdrawal():
    facts = {"withdrawn_at": "2026-04-01T00:00:00+00:00", "withdrawal_reason": "Primer fails."}
    found = metadata.datacite(make_edition(state="withdrawn", facts=facts))
    assert {"date": "2026-04-01", "dateType": "Withdrawn"} in found["dates"]
    assert "Primer fails." in found["descriptions"][0]["description"]


def test_datacite_in_xml_says_the_same():
    edition = make_edition(title="A < B & C")
    root = ElementTree.fromstring(metadata.datacite_xml(edition))
    name = {"d": metadata.DATACITE_NAMESPACE}
    assert root.tag == f"{{{metadata.DATACITE_NAMESPACE}}}resource"
    assert root.findtext("d:titles/d:title", namespaces=name) == "A < B & C"
    assert root.findtext("d:identifier", namespaces=name) == edition.address
    assert root.find("d:resourceType", name).get("resourceTypeGeneral") == "Dataset"
    right = root.find("d:rightsList/d:rights", name)
    assert (right.text, right.get("rightsURI")) == (
        "CC BY 4.0",
        "https://creativecommons.org/licenses/by/4.0/",
    )
    subjects = [each.text for each in root.findall("d:subjects/d:subject", name)]
    assert subjects == metadata.keywords(edition)


def test_schema_org_is_a_dataset_and_a_protocol_with_downloads():
    found = metadata.schema_org(make_edition())
    assert found["@type"] == ["Dataset", "bioschemas:LabProtocol"]
    assert all(found[name] for name in ("name", "description", "license", "creator", "citation"))
    assert 50 <= len(found["description"]) <= 5000
    formats = {each["encodingFormat"] for each in found["distribution"]}
    assert {"application/json", "text/csv", "application/pdf", "application/zip"} <= formats
    json.dumps(found)


def test_schema_org_of_a_draft_offers_nothing():
    found = metadata.schema_org(make_edition(state="draft", published_at=None))
    assert not {"distribution", "citation", "datePublished"} & set(found)


def test_link_header_has_the_relations_of_signposting():
    header = metadata.link_header(make_edition())
    relations = set(re.findall(r'rel="([^"]+)"', header))
    assert relations == {"cite-as", "type", "author", "license", "describedby", "item", "linkset"}
    assert '<https://hub.example/methods/QT-EVE-ZM-020/versions/1>; rel="cite-as"' in header
    assert header.isascii() and "\n" not in header


@pytest.mark.parametrize("licence", ['https://example.org/">;x,<y', "see https://example.org/lizenz-ä"])
def test_link_header_holds_no_sign_that_a_licence_could_break_out_with(licence):
    header = metadata.link_header(make_edition(licence=licence))
    targets = re.findall(r"<([^<>]*)>; rel=\"license\"", header)
    assert len(targets) == 1 and header.isascii()


def test_many_files_stand_in_the_linkset_and_not_in_the_header():
    file = {
        "name": "a.pdf",
        "media_type": "application/pdf",
        "role": "sop",
        "size_bytes": 1,
        "sha256": "0" * 64,
    }
    edition = make_edition(files=[{**file, "id": number} for number in range(100)])
    assert metadata.link_header(edition).count('rel="item"') < 40
    page = metadata.linkset(edition)["linkset"][0]
    assert len([each for each in page["item"] if "/files/" in each["href"]]) == 100


def test_linkset_leads_back_from_items_and_descriptions():
    page, *others = metadata.linkset(make_edition())["linkset"]
    assert page["cite-as"] == [{"href": page["anchor"]}]
    assert {other["anchor"] for other in others if "collection" in other} == {
        each["href"] for each in page["item"]
    }
    assert {other["anchor"] for other in others if "describes" in other} == {
        each["href"] for each in page["describedby"]
    }


def test_method_without_oligos_is_not_offered_as_fasta_or_rdml():
    edition = make_edition(technique="protein", oligos=[], amplicon_bp=None, amplicon_accession=None)
    addresses = [link.address for link in metadata.links(edition)]
    assert not [address for address in addresses if "rdml" in address or "fasta" in address]
