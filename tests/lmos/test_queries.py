"""Finding LMOs and elements, lists, and the matrix."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from flask import Flask

from labhub.accounts.actor import VISITOR
from labhub.db import db, transaction
from labhub.errors import NotFound
from labhub.lmos import commands, queries
from labhub.lmos.models import Claim
from labhub.lmos.terms import Standing
from tests.factories import make_element, make_lmo

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def has(element: str, source: str = "one", **rest: object) -> dict[str, object]:
    return {"element": element, "sign": "has", "source": source, **rest}


def lacks(element: str, source: str = "one", **rest: object) -> dict[str, object]:
    return {"element": element, "sign": "lacks", "source": source, **rest}


def events(**filters: object) -> list[str]:
    query = queries.visible_lmos(VISITOR, **filters)  # type: ignore[arg-type]
    return sorted(row.event for row in db.session.execute(query))


def test_an_lmo_is_found_in_any_spelling(app: Flask) -> None:
    lmo = make_lmo("MON810", unique_identifier="MON-ØØ81Ø-6")
    for text in ("MON-ØØ81Ø-6", "mon-00810-6", "MON008106", "mon–∅∅81∅–6", "MON810", " Mon810 "):
        assert queries.find_lmo(text) is lmo, text
        assert queries.match_lmo(text) is lmo, text


def test_a_stack_is_found_with_its_events_in_any_order(app: Flask) -> None:
    lmo = make_lmo("NK603 x MON810", unique_identifier="MON-00603-6 x MON-00810-6")
    assert lmo.is_stack
    for text in (
        "MON-00603-6 x MON-00810-6",
        "MON-ØØ81Ø-6 × MON-ØØ6Ø3-6",
        "MON-00603-6-x-MON-00810-6",
        "NK603 x MON810",
    ):
        assert queries.find_lmo(text) is lmo, text


def test_an_lmo_without_identifier_is_addressed_by_its_event(app: Flask) -> None:
    lmo = make_lmo("Huanong No. 1")
    assert lmo.slug == "huanong-no-1"
    assert queries.find_lmo("huanong-no-1") is lmo
    assert queries.find_lmo("Huanong No. 1") is lmo


def test_an_event_with_the_shape_of_an_identifier_stays_an_event(app: Flask) -> None:
    lmo = make_lmo("LLRICE601", unique_identifier="BCS-OS003-7")
    assert lmo.event == "LLRICE601"
    assert queries.match_lmo("llrice601") is lmo
    assert queries.find_lmo("LLRICE601") is lmo


def test_an_unknown_lmo_is_not_found(app: Flask) -> None:
    make_lmo("KMD1")
    for text in ("", " ", "%", "MON-00810-6", "../x", "×", "ﷺ" * 200):
        assert queries.match_lmo(text) is None
        with pytest.raises(NotFound):
            queries.find_lmo(text)


def test_a_synonym_names_an_lmo_unless_two_share_it(app: Flask) -> None:
    one = make_lmo("DAS1507", other_names=["TC1507", "1507"])
    make_lmo("OTHER", other_names=["1507"])
    assert queries.match_lmo("tc1507") is one
    assert queries.match_lmo("1507") is None


def test_an_element_is_found_by_name_slug_and_synonym(app: Flask) -> None:
    element = make_element("P-35S::pat", synonyms=["CaMV 35S promoter"])
    assert queries.find_element("p-35s::PAT") is element
    assert queries.find_element("p-35s-pat") is element
    assert queries.match_element("camv 35s PROMOTER") is element
    assert queries.find_element("camv 35s PROMOTER") is element
    make_element("P-e35S", synonyms=["CaMV 35S promoter"])
    assert queries.match_element("CaMV 35S promoter") is None
    with pytest.raises(NotFound):
        queries.find_element("CaMV 35S promoter")


def test_identifiers_that_fail_their_digit_load_with_a_warning(app: Flask) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
    for spelling, digit in (("SYN-ØØØJG-2", "3"), ("SY-GTSB77-8", "7")):
        lmo = queries.find_lmo(spelling)
        texts = [str(warning) for warning in queries.warnings(lmo)]
        assert len(texts) == 1
        assert spelling in texts[0]
        assert f"should be {digit}" in texts[0]
    assert queries.warnings(queries.find_lmo("MON-ØØ81Ø-6")) == []
    assert queries.warnings(queries.find_lmo("kmd1")) == []


def test_a_stored_letter_for_a_digit_stays_doubtful_and_a_near_neighbour_does_not(app: Flask) -> None:
    right = make_lmo("MON810", unique_identifier="MON-00810-6")
    wrong = make_lmo("MON810 again", unique_identifier="MON-OO81O-6")
    make_lmo("Stack", unique_identifier="MON-OO81O-6 x MON-00603-6")
    near = make_lmo("MON910", unique_identifier="MON-00910-6")
    assert queries.warnings(right) == []
    assert [str(text) for text in queries.warnings(wrong)] == [
        "MON-OO81O-6 has a letter O or I where the known identifier MON-ØØ81Ø-6 has a digit."
    ]
    assert all("meant?" not in str(text) for text in queries.warnings(near))


def test_only_two_seeded_lmos_are_doubtful(app: Flask) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
    doubtful = {lmo.unique_identifier for lmo in queries.all_lmos() if queries.warnings(lmo)}
    assert doubtful == {"SYN-000JG-2", "SY-GTSB77-8"}


def test_every_seeded_stack_is_found_without_dashes(app: Flask) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
    stacks = [lmo for lmo in queries.all_lmos() if lmo.is_stack]
    assert len(stacks) == 7
    for lmo in stacks:
        events = (lmo.unique_identifier or "").replace("-", "").split(" x ")
        for joint in ("x", "-x-", " x ", "×"):
            assert queries.find_lmo(joint.join(events)) is lmo
            assert queries.find_lmo(joint.join(reversed(events)).lower()) is lmo


def test_the_list_is_searched_and_filtered(app: Flask) -> None:
    maize = {"scientific": "Zea mays", "common": "maize"}
    make_lmo(
        "MON810",
        unique_identifier="MON-ØØ81Ø-6",
        species=maize,
        trade_name="YieldGard",
        claims=[has("P-35S"), lacks("T-nos")],
        verified=True,
    )
    make_lmo("NK603 x MON810", parents=["NK603", "MON810"], species=maize, claims=[has("T-nos")])
    make_lmo("KMD1", species={"scientific": "Oryza sativa"}, other_names=["Ke Ming Dao"])
    for q in ("MON-ØØ81", "mon00810", "mon 810", "yieldgard"):
        assert "MON810" in events(q=q), q
    assert events(q="ke ming") == ["KMD1"]
    assert events(q="%") == []
    assert events(q="_") == []
    assert events(taxon="zea MAYS") == ["MON810", "NK603 x MON810"]
    assert events(taxon="maize", stacked=False) == ["MON810"]
    assert events(stacked=True) == ["NK603 x MON810"]
    assert events(element="t-nos") == ["NK603 x MON810"]
    assert events(element="nothing") == []
    assert events(verified=True) == ["MON810"]


def test_elements_are_counted_by_the_lmos_that_have_them(app: Flask) -> None:
    make_lmo("A", claims=[has("P-35S", "one"), has("P-35S", "two")])
    make_lmo("B", claims=[lacks("P-35S")])
    make_element("bar", kind="gene", donor_organism="Streptomyces hygroscopicus")
    rows = {row.name: row.lmos for row in db.session.execute(queries.visible_elements(VISITOR))}
    assert rows == {"P-35S": 1, "bar": 0}
    found = db.session.execute(queries.visible_elements(VISITOR, q="streptomyces", kind="gene")).all()
    assert [row.name for row in found] == ["bar"]


def test_sources_that_disagree_make_a_disputed_cell_with_both_claims(app: Flask) -> None:
    lmo = make_lmo("A", claims=[has("P-35S", "one"), lacks("P-35S", "two"), has("bar"), lacks("pat")])
    found = queries.matrix()
    signs = {column["name"]: found.sign(lmo.id, column["id"]) for column in found.elements}
    assert signs == {"P-35S": Standing.DISPUTED, "bar": Standing.HAS, "pat": Standing.LACKS}
    claims = {row["name"]: cell for row, cell in queries.element_claims(lmo.id)}
    assert claims["P-35S"].standing is Standing.DISPUTED
    assert [claim["source"] for claim in claims["P-35S"].claims] == ["one", "two"]


def test_a_pair_without_claim_is_unknown_never_absent(app: Flask) -> None:
    make_lmo("A", claims=[has("P-35S")])
    other = make_lmo("B")
    found = queries.matrix()
    assert found.sign(other.id, found.elements[0]["id"]) is Standing.UNKNOWN


def test_the_matrix_is_narrowed_to_a_taxon_and_to_elements(app: Flask) -> None:
    maize = {"scientific": "Zea mays", "common": "maize"}
    make_lmo("A", species=maize, claims=[has("P-35S"), has("bar")])
    make_lmo("B", species={"scientific": "Glycine max"}, claims=[has("pat")])
    make_element("hpt")
    found = queries.matrix(taxon="Zea mays")
    assert [row["event"] for row in found.lmos] == ["A"]
    assert [column["name"] for column in found.elements] == ["bar", "P-35S"]
    found = queries.matrix(elements=["P-35S", "hpt"])
    assert [row["event"] for row in found.lmos] == ["B", "A"]
    assert [column["name"] for column in found.elements] == ["hpt", "P-35S"]
    with pytest.raises(NotFound):
        queries.matrix(elements=["nothing"])


def test_the_matrix_of_the_seeds_equals_their_claims(app: Flask) -> None:
    with transaction():
        commands.load_seeds(SEEDS)
    expected: dict[tuple[int, int], set[str]] = {}
    for claim in db.session.query(Claim):
        expected.setdefault((claim.lmo_id, claim.element_id), set()).add(claim.sign.value)
    signs = {("has",): "+", ("lacks",): "-", ("has", "lacks"): "±"}
    found = queries.matrix()
    assert len(found.lmos) == 115
    for row in found.lmos:
        for column in found.elements:
            said = tuple(sorted(expected.get((row["id"], column["id"]), ())))
            assert found.sign(row["id"], column["id"]).value == signs.get(said, "?")
    assert {element_id for _lmo, element_id in expected} == {column["id"] for column in found.elements}


@pytest.mark.shared
def test_the_matrix_of_verified_claims_is_the_shared_table(app: Flask, shared_data: Path) -> None:
    """``matrix.csv`` shows no claim from memory; with them, 19 of its ``?`` have a sign here."""
    with transaction():
        commands.load_seeds(SEEDS)
    everything, verified = queries.matrix(), queries.matrix(verified=True)
    columns = {column["name"]: column["id"] for column in everything.elements}
    shared = list(csv.DictReader(StringIO((shared_data / "matrix.csv").read_text(encoding="utf-8"))))
    differences, cells, from_memory = [], 0, set()
    for row in shared:
        lmo = queries.match_lmo(row["event"])
        assert lmo is not None, row["event"]
        for name in row.keys() - {"oecd_unique_id", "event", "species"}:
            cells += 1
            ours = verified.sign(lmo.id, columns[name]).value
            if ours != row[name]:
                differences.append((row["event"], name, row[name], ours))
            if everything.sign(lmo.id, columns[name]).value != row[name]:
                from_memory.add((row["event"], name, row[name]))
    assert cells == 115 * 39
    assert differences == []
    assert len(from_memory) == 19
    assert {sign for _event, _name, sign in from_memory} == {"?"}


def test_exported_files_name_everything(app: Flask) -> None:
    make_lmo("A", unique_identifier="MON-ØØ81Ø-6", claims=[has("P-35S", "one"), lacks("P-35S", "two")])
    make_lmo("B", species={"scientific": "=Zea"})
    lines = queries.export_matrix(VISITOR, "csv").decode().splitlines()
    assert lines == [
        "unique_identifier,event,taxon,P-35S",
        "MON-00810-6,A,,±",
        ",B,'=Zea,?",
    ]
    assert b'"P-35S": "\xc2\xb1"' in queries.export_matrix(VISITOR, "json")
