"""The journey of a sequence: from the file to a finding, and a sealed one that is asked and never seen."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, expect

from labhub.sequences.oligos import reverse_complement
from tests.browser.conftest import Hub, Visit
from tests.browser.test_methods import check_pages, press, write
from tests.factories import make_genbank

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]


def random_bases(number: int, seed: int) -> str:
    return "".join(Random(seed).choices("ACGT", k=number))


PUBLIC = random_bases(3000, 11)
HIDDEN = random_bases(3000, 12)
OUTSIDE = random_bases(200, 13)


def upload(page: Page, path: Path, visibility: str) -> str:
    """Upload a file and return the accession of its record."""
    page.goto("/sequences/upload")
    page.set_input_files("[name=file]", path)
    page.check(f"#f-visibility-{visibility}")
    press(page, "/sequences/upload")
    page.wait_for_url("**/sequences/LHS-*")
    return page.url.rsplit("/", 1)[1].split("?")[0]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_sequence_is_published_searched_and_identified(
    visit: Callable[..., Visit], tmp_path: Path, language: str
) -> None:
    bases = PUBLIC if language == "en" else reverse_complement(PUBLIC)[500:] + "ACGT" * 20
    source = tmp_path / "vector.gb"
    source.write_bytes(make_genbank(bases, accession=f"VEC{language.upper()}", topology="circular"))
    accession = upload(visit("analyst", language=language, javascript=False).page, source, "public")

    manager = visit("manager", language=language, javascript=False).page
    manager.goto(f"/sequences/{accession}")
    press(manager, "/submission")
    reviewer = visit("reviewer", language=language, javascript=False).page
    reviewer.goto(f"/sequences/{accession}")
    press(reviewer, "/publication")

    page = visit("stranger", width=390, language=language, javascript=False).page
    page.goto(f"/sequences/{accession}")
    expect(page.locator("svg.sequence-map a.map-part").first).to_be_visible()
    page.goto("/insilico")
    primers = {"forward": bases[-40:-20], "reverse": reverse_complement(bases[60:80])}  # over the origin
    write(page, {**primers, "references": accession})
    press(page, "/insilico")
    expect(page.locator("main table").get_by_text(accession).first).to_be_visible()
    expect(page.locator("main table").get_by_text("120").first).to_be_visible()

    page.goto("/identify")
    write(page, {"reads": f">read\n{bases[1000:1400]}{OUTSIDE}{bases[1400:1700]}"})
    press(page, "/identify")
    expect(page.get_by_text(accession).first).to_be_visible()
    # What nothing explains: bases 401 to 600, but for chance at its ends.
    assert re.search(r"\b(39|40)\d\D{1,4}(59|60)\d\b", page.locator("main").inner_text())


def test_sealed_sequence_is_asked_and_never_seen(visit: Callable[..., Visit], tmp_path: Path) -> None:
    source = tmp_path / "hidden.fasta"
    source.write_text(f">hidden\n{HIDDEN}\n")
    manager = visit("manager", javascript=False).page
    accession = upload(manager, source, "sealed")
    manager.goto(f"/sequences/{accession}/sealed")
    manager.check("#f-use")
    manager.select_option("[name=laboratory]", "LAB-BR")
    write(manager, {"reason": "Screening of a shipment"})
    press(manager, "/grants")

    page = visit("stranger", javascript=False).page
    answers = []
    for forward in (HIDDEN[1000:1020], OUTSIDE[:20]):
        page.goto("/sealed")
        write(page, {"forward": forward, "reverse": reverse_complement(HIDDEN[1200:1220])})
        press(page, "/sealed")
        answers.append(page.locator("[data-answer]").first.get_attribute("data-answer"))
    assert answers == ["found", "not-found"]
    for address in (f"/sequences/{accession}", f"/sequences/{accession}/map.svg"):
        assert page.goto(address).status == 404  # type: ignore[union-attr]

    manager.goto(f"/sequences/{accession}/sealed")
    expect(manager.get_by_text("Bruno Alves").first).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_sequences_fit_their_width_and_can_be_used_by_all(
    hub: Hub, visit: Callable[..., Visit], width: int, language: str
) -> None:
    check_pages(
        visit("analyst", width=width, language=language).page,
        [
            "/sequences", "/sequences/upload", "/insilico", "/identify", "/specificity",
            "/specificity/changes", "/sequences/backgrounds", "/sealed", "/jobs", "/sequences/LHS-1",
        ],
    )  # fmt: skip
