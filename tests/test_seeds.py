"""Files of seeds/: complete, sourced and well formed; and what ``tools/make_seeds`` writes."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labhub.lmos.unique_identifier import normalise

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "seeds"
SHARED_DATA = ROOT.parent / "shared" / "data"

FILES = (
    "parties.csv",
    "elements.json",
    "lmos.json",
    "methods.json",
    "activities.csv",
    "indicators.csv",
)

BY_HAND = ("criteria.json", "taxa.csv")
"""Seeds that ``tools/make_seeds`` does not write."""

NUMBERS_OF_INDICATORS = (1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2, 1, 2)
"""How many indicators each of the activities A01 to A14 has."""


def read(name: str) -> list[dict[str, Any]]:
    with (SEEDS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if name.endswith(".csv") else json.load(file)


PARTIES, ELEMENTS, LMOS, METHODS, ACTIVITIES, INDICATORS = (read(name) for name in FILES)


@pytest.mark.parametrize(
    ("name", "number"), list(zip(FILES, (198, 98, 115, 120, 14, 25), strict=True)), ids=FILES
)
def test_file_holds_every_record(name: str, number: int) -> None:
    assert len(read(name)) == number


@pytest.mark.parametrize("name", (*FILES, *BY_HAND))
def test_every_record_has_a_source_and_a_verified_mark(name: str) -> None:
    for record in read(name):
        sources = record.get("sources") or [record.get("source")]
        assert all(sources), record
        assert record["verified"] in (True, False, "1", "0"), record


@pytest.mark.parametrize("name", (*FILES, *BY_HAND))
def test_sources_page_names_every_file_and_its_number_of_records(name: str) -> None:
    page = (SEEDS / "SOURCES.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {len(read(name))} |" in page


@pytest.mark.parametrize("name", [*FILES, "SOURCES.md"])
def test_file_is_utf8_with_plain_line_ends(name: str) -> None:
    data = (SEEDS / name).read_bytes()
    assert b"\r" not in data
    assert data.endswith(b"\n")
    assert not data.startswith(b"\xef\xbb\xbf")
    data.decode("utf-8")


def test_parties_and_non_parties_are_complete() -> None:
    assert Counter(party["status"] for party in PARTIES) == {"party": 173, "non-party": 25}
    assert len({party["iso2"] for party in PARTIES}) == 198
    assert len({party["iso3"] for party in PARTIES}) == 198
    for party in PARTIES:
        assert all(party[f"name_{language}"] for language in ("en", "fr", "es", "zh", "ar", "ru"))
        assert {party["ldc"], party["sids"], party["eit"]} <= {"0", "1"}


def test_namibia_keeps_its_code() -> None:
    assert [party["name_en"] for party in PARTIES if party["iso2"] == "NA"] == ["Namibia"]


def test_two_parties_have_no_date_and_three_no_region() -> None:
    undated = {party["iso2"] for party in PARTIES if party["status"] == "party" and not party["party_since"]}
    assert undated == {"ME", "SL"}
    assert {party["iso2"] for party in PARTIES if not party["region"]} == {"EU", "VA", "CK"}
    assert not any(party["party_since"] for party in PARTIES if party["status"] == "non-party")
    for party in PARTIES:
        assert re.fullmatch(r"(\d{4}-\d\d-\d\d)?", party["party_since"])


def test_element_names_are_unique_and_kinds_known() -> None:
    assert len({element["name"] for element in ELEMENTS}) == len(ELEMENTS)
    assert {element["kind"] for element in ELEMENTS} == {"promoter", "terminator", "gene", "marker", "other"}


def test_claims_name_seeded_elements_once_per_source() -> None:
    names = {element["name"] for element in ELEMENTS}
    for lmo in LMOS:
        claims = [(claim["element"], claim["sign"], claim["source"]) for claim in lmo["claims"]]
        assert len(claims) == len(set(claims))
        for claim in lmo["claims"]:
            assert claim["element"] in names
            assert claim["sign"] in ("has", "lacks")
            assert claim["source"]
            assert claim["verified"] is (claim["source"] != "from memory")


def test_lmo_identifiers_are_canonical_and_unique() -> None:
    identifiers = [lmo["unique_identifier"] for lmo in LMOS if lmo["unique_identifier"]]
    assert len(identifiers) == len(set(identifiers)) == 110
    for identifier in identifiers:
        assert normalise(identifier) == identifier
    assert len({lmo["event"] for lmo in LMOS}) == 115


def test_stacks_name_their_parents() -> None:
    for lmo in LMOS:
        assert lmo["stacked"] is bool(lmo["parents"])
        if lmo["stacked"]:
            assert lmo["unique_identifier"] == " x ".join(lmo["parents"])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["source_code"])
def test_method_is_well_formed(method: dict[str, Any]) -> None:
    assert method["title"]
    assert method["target"]
    assert method["specificity"] in ("screening", "construct", "event", "taxon")
    assert method["technique"] in ("end-point", "qpcr", "dpcr", "isothermal", "protein", "sequencing")
    assert method["origin"] == "compiled"
    roles = Counter(oligo["role"] for oligo in method["oligos"])
    assert roles["forward"] == roles["reverse"] == 1
    assert set(roles) <= {"forward", "reverse", "probe"}
    for oligo in method["oligos"]:
        assert oligo["name"]
        assert re.fullmatch("[ACGTRYSWKMBDHVN]+", oligo["sequence"])
    assert method["amplicon"] is None or len(method["amplicon"]) == method["amplicon_bp"]
    for identifier in method["lmo_unique_identifiers"]:
        assert normalise(identifier) == identifier


def test_methods_are_seen_twice_or_agree_with_their_amplicon() -> None:
    for method in METHODS:
        verification = method["verification"]
        assert verification["n_places"] >= 2 or verification["amplicon_consistent"] is True
        assert verification["seen_in"]


def test_method_codes_are_unique() -> None:
    codes = [method["code"] for method in METHODS if method["code"]]
    assert len(codes) == len(set(codes)) == 118
    assert len({method["source_code"] for method in METHODS}) == 120


def test_indicator_codes_are_those_of_the_decision() -> None:
    assert [activity["code"] for activity in ACTIVITIES] == [f"A{number:02}" for number in range(1, 15)]
    assert [indicator["code"] for indicator in INDICATORS] == [
        f"A{activity:02}.{number}"
        for activity, numbers in enumerate(NUMBERS_OF_INDICATORS, start=1)
        for number in range(1, numbers + 1)
    ]
    for indicator in INDICATORS:
        assert indicator["activity"] == indicator["code"][:3]
        assert indicator["title"]
        assert indicator["record"]
        assert indicator["distinct_by"]


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no shared data folder")
def test_make_seeds_writes_these_very_files(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "tools" / "make_seeds", SHARED_DATA, "--out", tmp_path], check=True
    )
    for name in (*FILES, "SOURCES.md"):
        assert (tmp_path / name).read_bytes() == (SEEDS / name).read_bytes(), name


def test_make_seeds_names_what_a_folder_lacks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_seeds", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "parties.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_taxa_have_one_scientific_name_and_a_source_each() -> None:
    name = "taxa.csv"
    rows = read(name)
    page = (SEEDS / "SOURCES.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {len(rows)} |" in page
    assert all(row["source"] and row["verified"] in ("0", "1") for row in rows)
    accepted = [row["scientific"] for row in rows if row["kind"] == "scientific"]
    assert len(accepted) == len(set(accepted))
    assert {row["scientific"] for row in rows} == set(accepted)
    assert len({row["name"].casefold() for row in rows}) == len(rows)
