"""Versions as documents, packs and metadata need them, made without a database."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from labhub.methods import exchange
from labhub.methods.metadata import Edition
from tests.factories import method_content


def make_edition(
    code: str = "QT-EVE-ZM-020",
    number: int = 1,
    *,
    state: str = "published",
    published_at: str | None = "2026-03-02T10:00:00+00:00",
    files: Sequence[dict[str, Any]] = (),
    facts: Mapping[str, Any] | None = None,
    edition: Mapping[str, Any] | None = None,
    **fields: object,
) -> Edition:
    """Return a version as documents need it, without a database; ``fields`` are those of the record."""
    checked = exchange.check(method_content(**{"code": code, "origin": "submitted", **fields}))
    assert not checked.errors, checked.errors
    record = {
        **checked.content,
        "record": {
            "code": code,
            "version": number,
            "state": state,
            "laboratory": "LAB-1",
            "published_at": published_at,
            "superseded_at": None,
            "withdrawn_at": None,
            "withdrawal_reason": None,
            "change_note": None,
            "content_hash": sha256(f"{code} {number}".encode()).hexdigest() if published_at else None,
            "criteria_version": None,
            "files": list(files),
            **(facts or {}),
        },
    }
    names = {"laboratory": "Reference Laboratory", "siblings": (number,), **(edition or {})}
    return Edition(record, "https://hub.example", **names)


def whole_record() -> dict[str, Any]:
    """Return fields of a method that use every part of the record: sets, studies, materials, long texts."""
    probe = {"label5": "FAM", "label3": "BHQ1", "final_concentration_nanomolar": 150}
    plain = {"label5": None, "label3": None, "final_concentration_nanomolar": 400}
    return {
        "title": "Duplex real-time PCR for the quantification of the maize event MON810 beside the "
        "taxon-specific gene for alcohol dehydrogenase 1, with an internal control for inhibition by "
        "co-extracted polysaccharides",
        "multiplex": True,
        "oligos": [
            {"role": "forward", "name": "M810-F", "sequence": "TCGAAGGACGAAGGACTCTAACG", **plain},
            {"role": "reverse", "name": "M810-R", "sequence": "GCCACCTTCCTTTTCCACTATCTT", **plain},
            {
                "role": "probe",
                "name": "M810-P",
                "sequence": "AACATCCTTTGCCATTGCCCAGC",
                **probe,
                "modifications": [{"after_base": 9, "name": "ZEN"}],
            },
            {"set": "adh1", "role": "forward", "name": "Adh1-F", "sequence": "CCAGCCTCATGGCCAAAG", **plain},
            {"set": "adh1", "role": "reverse", "name": "Adh1-R", "sequence": "CCTTCTTGGCGGCTTATCTG", **plain},
            {
                "set": "adh1",
                "role": "probe",
                "name": "Adh1-P",
                "sequence": "CTTAGGGGCAGACTCCCGTGTTCCCT",
                **{**probe, "label5": "VIC"},
            },
            {"set": "adh1", "role": "other", "name": "clamp", "sequence": "ACGTRYKMNN" * 12, **plain},
        ],
        "oligo_sets": [
            {
                "name": "adh1",
                "target": "alcohol dehydrogenase 1",
                "amplicon": "CCAGCCTCATGGCCAAAG" + "N" * 1300 + "CAGATAAGCCGCCAAGAAGG",
                "amplicon_accession": "X04050",
            }
        ],
        "reference_materials": [
            {
                "name": "MON810 maize powder",
                "code": "ERM-BF413gk",
                "producer": "JRC Geel",
                "matrix": "maize flour",
                "certified_value": 9.9,
                "certified_unit": "% m/m",
                "expanded_uncertainty": 0.5,
                "note": "Keep dry and dark.",
            }
        ],
        "rights": ["free-for-regulators", "patent-note"],
        "rights_note": "Free of charge for authorities; kits need a licence.",
        "studies": [
            {
                "kind": "collaborative-trial",
                "title": "Ring trial of the network",
                "body": "EURL GMFF",
                "year": 2024,
                "standard": "ISO 5725-2:2019",
                "laboratories": 12,
                "replicates": 4,
                "unit": "% m/m",
                "slope": -3.38,
                "r2": 0.997,
                "lod_copies": 5,
                "lod_copies_low": 3.2,
                "lod_copies_high": 9.8,
                "specificity_tested": 40,
                "specificity_amplified": 0,
                "levels": [
                    {
                        "label": f"L{place}",
                        "assigned": assigned,
                        "laboratories": 11,
                        "laboratories_excluded": 1,
                        "results": 44,
                        "mean": assigned * 1.03,
                        "bias_percent": 3,
                        "s_r": assigned * 0.12,
                        "s_R": assigned * 0.2,
                        "rsdr_percent": 11.7,
                        "rsdR_percent": 19.4,
                    }
                    for place, assigned in enumerate((0.09, 0.5, 0.9, 2, 5), 1)
                ],
                "data": [["A", "L1", 1, 0.09]],
            },
            {
                "kind": "in-house-verification",
                "laboratory": "Field laboratory",
                "year": 2025,
                "levels": [{"label": "5 copies", "tested": 60, "positive": 58}],
            },
        ],
        "notes": ["Needs 50 cycles.", "Do not freeze the master mix twice."],
        "sources": [{"title": "Paper", "url": "https://example.org/" + "long/" * 30, "year": 2020}],
    }
