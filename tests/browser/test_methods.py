"""The journey of a method, in English and in Arabic: from the draft to a Party's desk; and its pages fit."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Hub, Visit
from tests.browser.test_pages import AXE
from tests.browser.test_stories import PDF, api

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

FIELDS = {
    "title": "Duplex qPCR: maize event MON810 and P-35S, journey",
    "taxon_scientific": "Zea mays",
    "taxon_common": "maize",
    "target": "maize event MON810",
    "targets": "MON810\nP-35S",
    "lmo_unique_identifiers": "MON-ØØ81Ø-6",
    "chemistry": "TaqMan",
    "amplicon_bp": "92",
    "amplicon_accession": "AF434709",
    "reaction_microlitre": "25",
    "template_nanogram": "100",
    "reference_method": "QT-TAX-ZM-002",
    "calibrant": "ERM-BF413, JRC",
    "reagents": "Universal master mix",
    "thermal_profile": "95 °C 10 min; 45 cycles of 95 °C 15 s, 60 °C 60 s",
    "matrices": "maize flour\nfeed",
    "licence": "CC BY 4.0",
    "validation_slope": "-3.4",
    "validation_r2": "0.998",
    "oligo_sets-0-name": "P-35S",
    "oligo_sets-0-target": "P-35S",
    "oligo_sets-0-amplicon_bp": "84",
    "oligo_sets-0-amplicon_accession": "AF434709",
    "reference_materials-0-name": "Maize MON810 10 %",
    "reference_materials-0-code": "ERM-BF413gk",
    "reference_materials-0-producer": "JRC",
    "reference_materials-0-certified_value": "9.9",
    "reference_materials-0-certified_unit": "g/100 g",
}
OLIGOS = [
    ("", "forward", "TCGAAGGACGAAGGACTCTAACG"),
    ("", "reverse", "GCCACCTTCCTTTTCCACTATCTT"),
    ("", "probe", "[FAM]AACATCCTTTGCCATTGCCCAGC[TAMRA]"),
    ("P-35S", "forward", "GCCTCTGCCGACAGTGGT"),
    ("P-35S", "reverse", "AAGACGTGGTTGGAACGTCTTC"),
    ("P-35S", "probe", "[FAM]CAAAGATGGACCCCCACCCACG[TAMRA]"),
]
RESULTS = "laboratory,level,replicate,value\n" + "".join(
    f"Lab {laboratory},{level},{replicate},{value * (1 + laboratory / 40 - replicate / 60):.4f}\n"
    for laboratory in range(1, 10)
    for level, value in (("0.1 %", 0.1), ("1 %", 1.0))
    for replicate in range(1, 4)
)


def form_to(page: Page, end: str) -> Locator:
    """Return the form whose address ends so; words differ by language, addresses do not."""
    return page.locator(f'main form[action$="{end}"]')


def press(page: Page, end: str) -> None:
    """Send the form whose address ends so."""
    with page.expect_navigation():
        form_to(page, end).first.evaluate("form => form.requestSubmit()")


def write(page: Page, fields: dict[str, str]) -> None:
    """Fill in fields by name."""
    for name, value in fields.items():
        page.fill(f'[name="{name}"]', value)


def unfold(page: Page) -> None:
    """Open everything that is folded."""
    page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")


def begin_draft(page: Page, tmp_path: Path) -> str:
    """Fill in the form of a new method with two oligo sets, and return its code."""
    page.goto("/methods/new")
    unfold(page)
    page.select_option("[name=specificity]", "event")
    page.select_option("[name=technique]", "qpcr")
    page.select_option("[name=quantitative]", "true")
    write(page, FIELDS)
    page.check('[name=rights][value="free-for-regulators"]')
    with page.expect_navigation():
        page.locator('button[name=more][value="oligo_sets"]').click()  # now oligos can name the set
    unfold(page)
    for place, (oligo_set, role, sequence) in enumerate(OLIGOS):
        page.select_option(f'[name="oligo-{place}-set"]', oligo_set)
        page.select_option(f'[name="oligo-{place}-role"]', role)
        name = f"{oligo_set or 'mon'}-{role}"
        write(page, {f"oligo-{place}-name": name, f"oligo-{place}-sequence": sequence})
        page.fill(f'[name="oligo-{place}-final_concentration_nanomolar"]', "300")
    page.locator("main form").last.evaluate("form => form.requestSubmit()")
    page.wait_for_url("**/methods/LH-*")
    code = page.url.split("?")[0].split("/methods/")[1].split("/")[0]
    sop = tmp_path / "sop.pdf"
    sop.write_bytes(PDF)
    page.set_input_files("[name=file]", sop)
    press(page, "/files")
    expect(page.get_by_text("sop.pdf").first).to_be_visible()
    return code


def add_study(page: Page, code: str, tmp_path: Path) -> None:
    """Add a collaborative trial with raw results, which the hub works out."""
    page.goto(f"/methods/{code}/studies/new")
    page.select_option("[name=kind]", "collaborative-trial")
    write(page, {"title": "Ring trial", "unit": "% m/m", "level-0-label": "0.1 %", "level-0-assigned": "0.1"})
    write(page, {"level-1-label": "1 %", "level-1-assigned": "1"})
    press(page, "/studies")
    page.goto(f"/methods/{code}/versions/1/studies/0")
    file = tmp_path / "results.csv"
    file.write_text(RESULTS)
    page.set_input_files("[name=file]", file)
    press(page, "/studies/0/data")


def speak(page: Page, language: str) -> None:
    """Choose the language of the person's pages."""
    page.goto("/account")
    page.select_option("[name=language]", language)
    press(page, "/account/language")
    assert page.locator("html").get_attribute("lang") == language


@pytest.fixture
def speaker(visit: Callable[..., Visit]) -> Iterator[Callable[..., Page]]:
    """Return a function that signs a person in, in a language; afterwards all speak English again."""
    pages: list[Page] = []

    def begin(who: str, language: str, **screen: Any) -> Page:
        page = visit(who, language=language, **screen).page
        pages.append(page)
        speak(page, language)
        return page

    yield begin
    for page in pages:
        speak(page, "en")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_method_goes_from_a_draft_to_the_desk_of_a_party(
    hub: Hub, speaker: Callable[..., Page], tmp_path: Path, language: str
) -> None:
    analyst = speaker("analyst", language)
    code = begin_draft(analyst, tmp_path)
    add_study(analyst, code, tmp_path)
    analyst.goto(f"/methods/{code}")
    expect(analyst.locator("img.oligo-map")).to_be_visible()
    assert analyst.locator("img.oligo-map").evaluate("image => image.naturalWidth") > 0

    manager = speaker("manager", language)
    manager.goto(f"/methods/{code}")
    press(manager, "/submission")

    reviewer = speaker("reviewer", language)
    reviewer.goto("/methods/review")
    reviewer.get_by_role("link", name=code, exact=True).first.click()
    press(reviewer, "/review")
    unfold(reviewer)
    reviewer.select_option("#f-comment-field", "thermal_profile")
    reviewer.fill("#f-comment-text", "Is 45 cycles right? Others use 40.")
    press(reviewer, "/comments")
    expect(reviewer.get_by_text("Others use 40.").first).to_be_visible()
    reviewer.locator('form[action$="/return"] [name=reason]').fill("Please see the comment.")
    press(reviewer, "/return")

    analyst.goto(f"/methods/{code}")
    expect(analyst.get_by_text("Please see the comment.").first).to_be_visible()
    expect(analyst.get_by_text("Others use 40.").first).to_be_visible()
    analyst.goto(f"/methods/{code}/edit")
    analyst.fill("[name=thermal_profile]", "95 °C 10 min; 40 cycles of 95 °C 15 s, 60 °C 60 s")
    press(analyst, "/edit")
    manager.goto(f"/methods/{code}")
    press(manager, "/submission")
    assert form_to(manager, "/publication").count() == 0

    reviewer.goto(f"/methods/{code}")
    press(reviewer, "/review")
    press(reviewer, "/publication")
    status, body = api(hub, "", f"/api/v1/methods/{code}")
    assert (status, json.loads(body)["state"]) == (200, "published")
    assert [oligo["set"] for oligo in json.loads(body)["oligos"]] == ["", "", "", "P-35S", "P-35S", "P-35S"]

    manager.goto(f"/methods/{code}")
    unfold(manager)
    manager.fill("[name=change_note]", "A longer probe.")
    press(manager, "/versions")
    manager.goto(f"/methods/{code}/edit")
    manager.fill('[name="oligo-2-sequence"]', "AACATCCTTTGCCATCGCCCAGC")
    press(manager, "/edit")
    manager.goto(f"/methods/{code}/versions/2")
    press(manager, "/submission")
    reviewer.goto(f"/methods/{code}/versions/2")
    press(reviewer, "/review")
    press(reviewer, "/publication")

    party = speaker("focal", language, width=390)
    find_by_facet(party, code)
    party.get_by_role("link", name=code, exact=True).first.click()
    party.wait_for_load_state()
    expect(party.locator("#used-by")).to_be_visible()
    compare(party, code)
    party.goto(f"/methods/{code}")
    party.locator('a[href*="/compare-versions"]').first.click()
    expect(party.locator("del.gone", has_text=re.compile("^T$"))).to_have_count(1)
    expect(party.locator("ins.come", has_text=re.compile("^C$"))).to_have_count(1)
    party.goto(f"/methods/{code}")
    with party.expect_download() as waiting:
        party.locator(f'a[href*="/methods/{code}/download?format=json"]').first.click()
    record = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    record = record[0] if isinstance(record, list) else record
    assert record["record"]["version"] == 2
    assert record["studies"][0]["levels"][0]["rsdR_percent"] is not None


def find_by_facet(page: Page, code: str) -> None:
    """Find the method by a word and a facet of the list."""
    page.goto("/methods?q=journey")
    page.locator('label[for="facets-switch"]').click()
    page.evaluate("document.querySelectorAll('#facets details').forEach(each => { each.open = true })")
    page.locator('input.facet-box[name="specificity"][value="event"]').check()
    page.wait_for_url(re.compile("specificity=event"))
    expect(page.get_by_role("link", name=code, exact=True).first).to_be_visible()


def compare(page: Page, code: str) -> None:
    """Set the method beside another one from its page."""
    page.locator('a[href*="/methods/compare"]').first.click()
    page.fill("#f-code", "QT-EVE-ZM-020")
    page.locator('main form[action$="/methods/compare"]').evaluate("form => form.requestSubmit()")
    page.wait_for_url(re.compile("code=QT-EVE-ZM-020"))
    expect(page.locator("table.compare thead a", has_text=code).first).to_be_visible()
    assert page.locator("table.compare tr.differs").count() > 3


def test_methods_ticked_on_the_list_stand_side_by_side(hub: Hub, visit: Callable[..., Visit]) -> None:
    page = visit(javascript=False).page
    page.goto("/methods")
    codes = [box.input_value() for box in page.locator('input[form="compare"]').all()[:2]]
    for code in codes:
        page.check(f'input[form="compare"][value="{code}"]')
    page.locator('button[form="compare"]').click()
    page.wait_for_url(re.compile("/methods/compare"))
    for code in codes:
        expect(page.locator("table.compare thead a", has_text=code).first).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_methods_fit_their_width_and_can_be_used_by_all(
    hub: Hub, visit: Callable[..., Visit], width: int, language: str
) -> None:
    addresses = [
        "/methods/QL-TAX-BN-003", "/methods/QT-EVE-ZM-020/compare-versions", "/methods/compare",
        "/methods/compare?code=QT-EVE-ZM-020", "/methods/compare?code=QT-EVE-ZM-020&code=QT-TAX-ZM-002",
        "/methods/compare?code=QT-EVE-ZM-020&code=QT-TAX-ZM-002&code=QL-TAX-BN-003&only=differences",
    ]  # fmt: skip
    check_pages(visit(width=width, language=language).page, addresses)


def check_pages(page: Page, addresses: list[str]) -> None:
    """Refuse pages that do not load, are wider than the screen, or break a rule of WCAG A or AA."""
    wrong: list[Any] = []
    for address in addresses:
        response = page.goto(address)
        assert response is not None
        if response.status != 200:
            wrong.append(f"{address}: {response.status}")
            continue
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if too_wide > 1:
            wrong.append(f"{address}: {too_wide} px too wide")
        page.evaluate(AXE)
        found = json.loads(
            page.evaluate(
                "axe.run({runOnly: ['wcag2a', 'wcag2aa']}).then(r => JSON.stringify(r.violations.map(v => "
                "[v.id, v.nodes.slice(0, 3).map(n => n.html)])))"
            )
        )
        wrong += [f"{address}: {rule} {nodes}" for rule, nodes in found]
    assert not wrong, "\n".join(wrong)
