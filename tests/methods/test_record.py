"""The whole record: oligo sets, reference materials, rights, studies and terms of files."""

from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from labhub import audit
from labhub.accounts.actor import VISITOR, Actor, Role
from labhub.db import db, transaction
from labhub.errors import Invalid
from labhub.methods import commands, exchange, queries
from labhub.methods.models import FileVisibility, MethodVersion
from tests.factories import make_actor, make_laboratory, make_method, make_sop, method_content

FIRST_KEYS = (
    "code", "wished_code", "source_code", "title", "specificity", "target", "targets", "taxon", "technique",
    "chemistry", "quantitative", "oligos", "amplicon_bp", "amplicon", "amplicon_accession", "reference_gene",
    "reference_method", "calibrant", "reaction_microlitre", "template_nanogram", "thermal_profile",
    "reagents", "matrices", "licence", "validation", "standardisation", "lmo_unique_identifiers",
    "target_copies_per_haploid_genome", "same_oligos_as", "notes", "sources", "verified", "verification",
    "origin",
)  # fmt: skip
"""The record as the first release sealed it."""


def oligo(role: str, sequence: str, set_name: str = "") -> dict[str, Any]:
    return {
        "set": set_name,
        "role": role,
        "name": f"{set_name}-{role}",
        "sequence": sequence,
        "label5": "FAM" if role == "probe" else None,
        "label3": "BHQ1" if role == "probe" else None,
        "final_concentration_nanomolar": 300,
    }


def whole_content() -> dict[str, Any]:
    """Return a duplex method with everything that a record can hold."""
    return method_content(
        multiplex=True,
        oligos=[
            *method_content()["oligos"],
            oligo("forward", "TGCAGATTCGCGATCAGTCA", "P-35S"),
            oligo("reverse", "CTTGACCATGGTAGATCTGACTA", "P-35S"),
            oligo("probe", "AAGCCTGACCTGGAAGCACTGGA", "P-35S"),
        ],
        oligo_sets=[
            {
                "name": "P-35S",
                "target": "P-35S",
                "amplicon_bp": 60,
                "amplicon": None,
                "amplicon_accession": "V00140",
            }
        ],
        instrument="any real-time cycler",
        rights=["patent-note", "free-for-regulators"],
        rights_note="See the licence of the owner.",
        reference_materials=[
            {
                "name": "MON810 maize",
                "code": "ERM-BF413d",
                "producer": "JRC",
                "matrix": "maize flour",
                "certified_value": 0.1,
                "certified_unit": "% m/m",
                "expanded_uncertainty": 0.02,
                "note": None,
            }
        ],
        studies=[
            {
                "kind": "collaborative-trial",
                "title": "Ring trial",
                "year": 2021,
                "laboratories": 2,
                "replicates": 2,
                "unit": "% m/m",
                "slope": -3.4,
                "r2": 0.995,
                "lod_copies": 5,
                "lod_copies_low": 3.5,
                "lod_copies_high": 9.25,
                "specificity_tested": 20,
                "specificity_amplified": 0,
                "levels": [
                    {"label": "0.1 %", "assigned": 0.1, "mean": 0.105, "bias_percent": 5, "s_r": 0.01}
                    | {"s_R": 0.02, "rsdr_percent": 9.5, "rsdR_percent": 19, "tested": 4, "positive": 4}
                ],
                "data": [["A", "0.1 %", 1, 0.1], ["A", "0.1 %", 2, None], ["B", "0.1 %", 1, 0.11]],
            }
        ],
    )


def test_whole_record_is_kept_as_it_was_sent(app: Flask) -> None:
    sent = exchange.check(whole_content()).content
    version = make_method(state="published", **whole_content())
    db.session.expire_all()
    stored = queries.content_of(version)
    for name in exchange.CONTENT:
        if name not in ("code", "wished_code", "origin"):
            assert stored[name] == sent[name], name
    assert stored["rights"] == ["free-for-regulators", "patent-note"]
    assert queries.is_intact(version)


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_export_of_the_whole_record_imports_again_unchanged(app: Flask, format_: str) -> None:
    version = make_method(**whole_content())
    with transaction():
        actor = make_actor(Role.MANAGER, laboratory=version.method.laboratory)
        content = queries.write([queries.exported(version, actor)], format_)
        report = commands.import_sent(actor, content, f"methods.{format_}")
    assert [row.outcome.value for row in report.rows] == ["unchanged"], report.rows


def test_draft_changes_part_by_part(app: Flask) -> None:
    version = make_method(**whole_content())
    actor = make_actor(Role.MANAGER, laboratory=version.method.laboratory)
    with transaction():
        changed = commands.change_draft(actor, version.method.code, {"studies": []}, expected=version.edition)
    content = queries.content_of(changed)
    assert content["studies"] == []
    assert content["reference_materials"] == exchange.check(whole_content()).content["reference_materials"]
    assert db.session.execute(text("SELECT count(*) FROM method_study_level")).scalar_one() == 0


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"oligo_sets": [{"name": ""}]}, "oligo_sets.0.name", "needed"),
        ({"oligo_sets": [{"name": "a"}, {"name": "a"}]}, "oligo_sets.1.name", "already"),
        ({"oligos": [oligo("probe", "ACGT", "b")]}, "oligos.0.set", "no oligo set b"),
        (
            {"oligo_sets": [{"name": "a", "amplicon_bp": 4, "amplicon": "ACG"}]},
            "oligo_sets.0.amplicon_bp",
            "has 3 bases",
        ),
        ({"reference_materials": [{"producer": "JRC"}]}, "reference_materials.0.name", "code"),
        (
            {"reference_materials": [{"code": "x", "certified_value": 1}]},
            "reference_materials.0.certified_unit",
            "unit",
        ),
        ({"rights": ["gratis"]}, "rights", "free-for-regulators"),
        ({"assay_format": "gel"}, "assay_format", "elisa"),
        ({"studies": [{"kind": "ring"}]}, "studies.0.kind", "collaborative-trial"),
        ({"studies": [{"kind": "single-laboratory", "r2": 2}]}, "studies.0.r2", "at most 1"),
        (
            {"studies": [{"kind": "single-laboratory", "levels": [{"tested": 1, "positive": 2}]}]},
            "studies.0.levels.0.positive",
            "tested",
        ),
        (
            {"studies": [{"kind": "single-laboratory", "specificity_amplified": 1}]},
            "studies.0.specificity_amplified",
            "tested",
        ),
        (
            {"studies": [{"kind": "single-laboratory", "lod_copies_low": 5, "lod_copies_high": 2}]},
            "studies.0.lod_copies_low",
            "upper end",
        ),
        ({"studies": [{"kind": "single-laboratory", "data": [["A", "1", 1]]}]}, "studies.0.data.0", "result"),
        (
            {"studies": [{"kind": "single-laboratory", "data": [["A", "1", 1, 2], ["A", "1", 1, 3]]}]},
            "studies.0.data.1",
            "twice",
        ),
        ({"studies": [{"kind": "single-laboratory", "colour": 1}]}, "studies.0.colour", "no such field"),
    ],
)
def test_wrong_part_is_named_with_its_place(fields: dict[str, Any], field: str, words: str) -> None:
    errors = exchange.check({**method_content(), **fields}).errors
    assert list(errors) == [field]
    assert words in str(errors[field][0])


@pytest.mark.req("D11")
def test_more_oligos_than_a_method_can_have_are_refused() -> None:
    most = exchange.MOST_OLIGOS
    fine = exchange.check(method_content(oligos=[oligo("probe", "ACGTACGT")] * most))
    assert fine.errors == {}
    assert "oligos" in exchange.check(method_content(oligos=[oligo("probe", "ACGTACGT")] * (most + 1))).errors


def test_any_forward_primer_may_begin_and_any_reverse_primer_end_the_amplicon() -> None:
    bases = "TCGAAGGACGAAGG" + "N" * 20 + "AAGATAGTGG"
    primers = [oligo("forward", "GGGGGGGG"), oligo("forward", "TCGAAGGACG"), oligo("reverse", "CCACTATCTT")]
    content = method_content(oligos=primers, amplicon=bases, amplicon_bp=None)
    assert exchange.check(content).warnings == []
    del primers[1]
    assert len(exchange.check(content | {"oligos": primers}).warnings) == 1


def test_each_set_needs_its_primers_for_submission(app: Flask) -> None:
    content = whole_content()
    content["oligos"] = content["oligos"][:-2]
    gaps = exchange.submission_gaps(exchange.check(content).content, ["sop"])
    assert set(gaps) == {"oligo_sets.0.oligos", "oligo_sets.0.oligos.probe"}


def test_protein_test_needs_format_and_protein_and_no_oligos() -> None:
    content = method_content(technique="protein", oligos=[], amplicon_bp=None, amplicon_accession=None)
    gaps = exchange.submission_gaps(exchange.check(content).content, ["sop"])
    assert set(gaps) == {"assay_format", "analyte"}
    content |= {"assay_format": "lateral-flow", "analyte": "Cry1Ab protein"}
    assert exchange.submission_gaps(exchange.check(content).content, ["sop"]) == {}


def test_isothermal_and_sequencing_methods_say_their_format() -> None:
    for technique, format_ in (("isothermal", "lamp"), ("sequencing", "amplicon-sequencing")):
        content = method_content(technique=technique)
        assert set(exchange.submission_gaps(exchange.check(content).content, ["sop"])) == {"assay_format"}
        content["assay_format"] = format_
        assert exchange.submission_gaps(exchange.check(content).content, ["sop"]) == {}


def first_seal_of(version: MethodVersion) -> str:
    """Return the seal as the first release computed it, written out here again."""
    content = queries.content_of(version)
    first = {key: content[key] for key in FIRST_KEYS}
    first["oligos"] = [{key: each[key] for key in each if key != "set"} for each in content["oligos"]]
    files = [
        {key: getattr(file, key) for key in ("name", "kind", "media_type", "size_bytes", "sha256")}
        | {"role": file.role.value}
        for file in version.files
    ]
    sealed = {"content": first, "files": files, "number": version.number}
    return sha256(audit.canonical(sealed).encode()).hexdigest()


@pytest.mark.req("G4")
def test_seals_of_the_first_release_still_hold(app: Flask) -> None:
    version = make_method(state="draft")
    make_sop(make_actor(Role.MANAGER, laboratory=version.method.laboratory), version.method.code)
    with transaction():
        version.rights = []  # the first release did not know it
    assert queries.seal_of(version) == first_seal_of(version)


@pytest.mark.req("G4")
@pytest.mark.parametrize(
    "table", ["method_oligo_set", "method_reference_material", "method_study", "method_study_level"]
)
def test_database_refuses_to_change_a_part_of_a_published_version(app: Flask, table: str) -> None:
    make_method(state="published", **whole_content())
    column = {"method_oligo_set": "target", "method_study_level": "label"}.get(table, "note")
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match="a published version never changes"), transaction():
            db.session.execute(text(statement))


@pytest.mark.req("G4")
@pytest.mark.parametrize("column", ["analyte", "rights_note", "criteria_version", "instrument"])
def test_database_refuses_to_change_a_new_column_of_a_published_version(app: Flask, column: str) -> None:
    make_method(state="published")
    with pytest.raises(Exception, match="a published version never changes"), transaction():
        db.session.execute(text(f"UPDATE method_version SET {column} = 'x'"))


def make_file(actor: Actor, code: str, name: str, visibility: FileVisibility, **terms: Any) -> int:
    stored = make_sop(actor, code, name=name, content=f"%PDF-1.4\n{name}\n%%EOF\n".encode())
    file = queries.find_file(actor, code, stored)
    with transaction():
        file.visibility = visibility
        for key, value in terms.items():
            setattr(file, key, value)
    return stored


@pytest.mark.req("A2")
def test_file_is_seen_by_those_it_is_meant_for(app: Flask) -> None:
    laboratory = make_laboratory()
    manager = make_actor(Role.MANAGER, laboratory=laboratory)
    stranger = make_actor(Role.ANALYST, laboratory=make_laboratory())
    reviewer = make_actor(Role.REVIEWER)
    version = make_method(actor=manager)
    code = version.method.code
    files = {each: make_file(manager, code, f"{each.value}.pdf", each) for each in FileVisibility}

    def seen(actor: Actor | None) -> set[str]:
        found = queries.find_version(actor, code)
        return {file["visibility"] for file in queries.files_of(found, actor)}

    assert seen(manager) == {"public", "network", "laboratory"}
    with transaction():
        commands.submit(manager, code)
    assert seen(reviewer) == {"public", "network", "laboratory"}
    with transaction():
        commands.publish(reviewer, code)
    assert seen(manager) == {"public", "network", "laboratory"}
    assert seen(stranger) == seen(reviewer) == {"public", "network"}
    assert seen(VISITOR) == seen(None) == {"public"}
    with pytest.raises(Exception, match="There is no file"):
        queries.find_file(stranger, code, files[FileVisibility.LABORATORY])


@pytest.mark.req("A2")
def test_hidden_file_is_absent_from_downloads(app: Flask, client: FlaskClient) -> None:
    manager = make_actor(Role.MANAGER, laboratory=make_laboratory())
    code = make_method(actor=manager).method.code
    make_file(manager, code, "ours.pdf", FileVisibility.LABORATORY)
    make_sop(manager, code, name="all.pdf")
    with transaction():
        commands.submit(manager, code)
    with transaction():
        commands.publish(make_actor(Role.REVIEWER), code)
    for format_ in ("json", "csv"):
        got = client.get(f"/api/v1/methods/{code}/download?format={format_}").text
        assert "all.pdf" in got
        assert "ours.pdf" not in got
    listed = client.get(f"/api/v1/methods/{code}").get_json()["files"]
    assert [file["name"] for file in listed] == ["all.pdf"]
    assert "ours.pdf" not in client.get(f"/methods/{code}").text


@pytest.mark.parametrize("tag", ["English", "e", "fr_FR"])
def test_language_of_a_file_is_a_tag(tag: str) -> None:
    with pytest.raises(Invalid, match="as a tag"):
        exchange.language_tag(tag)


def test_reference_method_is_found_by_its_code(app: Flask) -> None:
    version = make_method(state="published", code="QT-TAX-ZM-002")
    assert queries.reference_link(VISITOR, "qt-tax-zm-002") is version.method
    assert queries.reference_link(VISITOR, "LH-1") is version.method
    assert queries.reference_link(VISITOR, "hmg") is None
    assert queries.reference_link(VISITOR, None) is None
    draft = make_method()
    assert queries.reference_link(VISITOR, draft.method.code) is None
