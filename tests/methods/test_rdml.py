"""Assays as RDML 1.3."""

import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from labhub.methods.rdml import MEMBER, NAMESPACE, rdml, rdml_xml
from tests.methods.editions import make_edition, whole_record

N = {"r": NAMESPACE}


def root_of(*editions):
    return ElementTree.fromstring(rdml_xml(editions))


def texts(root, path):
    return [each.text for each in root.findall(path, N)]


def test_file_is_an_archive_with_one_document_and_always_the_same_bytes():
    edition = make_edition()
    assert rdml([edition]) == rdml([make_edition()])
    with ZipFile(BytesIO(rdml([edition]))) as archive:
        assert archive.namelist() == [MEMBER]
        assert archive.read(MEMBER) == rdml_xml([edition])


def test_target_has_primers_probe_and_labels_as_tags():
    root = root_of(make_edition())
    sequences = root.find("r:target/r:sequences", N)
    assert [each.tag.partition("}")[2] for each in sequences] == ["forwardPrimer", "reversePrimer", "probe1"]
    probe = sequences.find("r:probe1", N)
    assert [each.text for each in probe] == ["TAMRA", "FAM", "AACATCCTTTGCCATTGCCCAGC"]
    assert root.find("r:target/r:dyeId", N).get("id") == "FAM"
    assert texts(root, "r:dye/r:dyeChemistry") == ["hydrolysis probe"]


def test_event_is_a_target_of_interest_and_taxon_a_reference():
    assert texts(root_of(make_edition()), "r:target/r:type") == ["toi"]
    assert texts(root_of(make_edition(specificity="taxon")), "r:target/r:type") == ["ref"]


def test_efficiency_is_the_fold_increase():
    figures = {"validation": {"pcr_efficiency_percent": 95}}
    assert texts(root_of(make_edition(**figures)), "r:target/r:amplificationEfficiency") == ["1.95"]
    assert texts(root_of(make_edition(validation={})), "r:target/r:amplificationEfficiency") == []


def test_unknown_dye_is_said_to_be_unknown():
    edition = make_edition(chemistry=None, oligos=make_edition().record["oligos"][:2])
    assert [dye.get("id") for dye in root_of(edition).findall("r:dye", N)] == ["not reported"]


def test_intercalating_dye_comes_from_the_chemistry():
    edition = make_edition(chemistry="SYBR Green", oligos=make_edition().record["oligos"][:2])
    (dye,) = root_of(edition).findall("r:dye", N)
    assert dye.get("id") == "SYBR Green I"
    assert texts(dye, "r:dyeChemistry") == ["non-saturating DNA binding dye"]


def test_each_oligo_set_is_a_target_and_what_rdml_lacks_is_documented():
    root = root_of(make_edition(**whole_record()))
    names = [target.get("id") for target in root.findall("r:target", N)]
    assert names == ["QT-EVE-ZM-020-v1", "QT-EVE-ZM-020-v1 adh1"]
    (documentation,) = texts(root, "r:documentation/r:text")
    assert "ZEN after base 9" in documentation
    assert "set adh1, other clamp, " + "ACGTRYKMNN" * 12 in documentation


def test_identifiers_agree_and_every_base_is_iupac():
    editions = [make_edition(**whole_record()), make_edition("QT-TAX-ZM-002", specificity="taxon")]
    root = root_of(*editions)
    for place in ("documentation", "dye"):
        known = [each.get("id") for each in root.findall(f"r:{place}", N)]
        tag = "dyeId" if place == "dye" else place
        assert len(known) == len(set(known))
        assert {each.get("id") for each in root.findall(f"r:target/r:{tag}", N)} <= set(known)
    targets = [each.get("id") for each in root.findall("r:target", N)]
    assert len(targets) == len(set(targets)) == 3
    assert all(re.fullmatch("[ACGTRYSWKMBDHVN]+", text) for text in texts(root, ".//r:sequence"))


def test_version_without_oligos_gives_documentation_only():
    edition = make_edition(technique="protein", oligos=[], amplicon_bp=None, amplicon_accession=None)
    root = root_of(edition)
    assert root.findall("r:target", N) == [] and len(root.findall("r:documentation", N)) == 1


@pytest.mark.shared
def test_document_is_valid_by_the_schema_of_the_consortium(shared_data: Path):
    import xmlschema

    schema = xmlschema.XMLSchema(str(shared_data / "rdml/schema/RDML_v1_3_REC.xsd"))
    editions = [
        make_edition(**whole_record()),
        make_edition("QT-TAX-ZM-002", specificity="taxon", chemistry=None),
        make_edition("DRAFT-1", state="draft", published_at=None),
        make_edition("EL-1", technique="protein", oligos=[], amplicon_bp=None, amplicon_accession=None),
    ]
    schema.validate(rdml_xml(editions).decode())
