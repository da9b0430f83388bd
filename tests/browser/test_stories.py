"""One story for each kind of user, through the pages alone."""

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Hub, Visit

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

METHOD = {
    "title": "Event-specific qPCR: maize event MON810, by the story",
    "taxon_scientific": "Zea mays",
    "target": "maize event MON810",
    "targets": "MON810",
    "lmo_unique_identifiers": "MON-ØØ81Ø-6",
    "amplicon_bp": "92",
    "amplicon_accession": "AF434709",
    "reaction_microlitre": "25",
    "template_nanogram": "100",
    "reference_method": "QT-TAX-ZM-002",
    "calibrant": "ERM-BF413, JRC",
    "reagents": "Universal master mix",
    "thermal_profile": "95 °C 10 min; 45 cycles of 95 °C 15 s, 60 °C 60 s",
    "matrices": "maize flour",
    "licence": "CC BY 4.0",
    "validation_slope": "-3.4",
    "validation_r2": "0.998",
}

OLIGOS = [
    ("forward", "TCGAAGGACGAAGGACTCTAACG"),
    ("reverse", "GCCACCTTCCTTTTCCACTATCTT"),
    ("probe", "AACATCCTTTGCCATTGCCCAGC"),
]


def api(hub: Hub, who: str, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    address = hub.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        given = {"Authorization": f"Bearer {hub.tokens[who]}"} if who else {}
        connection.request(method, path, headers={**given, **headers})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def figure(hub: Hub) -> dict[str, object]:
    status, body = api(hub, "secretariat", "/api/v1/indicators/A08.2?by=party")
    assert status == 200, body
    answer = json.loads(body)
    return dict(answer[0] if isinstance(answer, list) else answer)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()
    page.wait_for_load_state()


def test_a_method_goes_from_upload_to_a_counted_download(
    hub: Hub, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    sop = tmp_path / "sop.pdf"
    sop.write_bytes(PDF)

    page = visit("analyst").page
    page.goto("/methods/new")
    for name, value in METHOD.items():
        page.fill(f"[name={name}]", value)
    page.select_option("[name=specificity]", "event")
    page.select_option("[name=technique]", "qpcr")
    page.select_option("[name=quantitative]", "true")
    page.check("[name=rights][value=free-for-regulators]")
    for place, (role, sequence) in enumerate(OLIGOS):
        page.select_option(f"[name=oligo-{place}-role]", role)
        page.fill(f"[name=oligo-{place}-name]", f"mon-{role}")
        page.fill(f"[name=oligo-{place}-sequence]", sequence)
        page.fill(f"[name=oligo-{place}-final_concentration_nanomolar]", "300")
        if role == "probe":
            page.fill(f"[name=oligo-{place}-label5]", "FAM")
            page.fill(f"[name=oligo-{place}-label3]", "TAMRA")
    page.locator("main form").last.evaluate("form => form.requestSubmit()")
    page.wait_for_url("**/methods/LH-*")
    address = page.url.split("?")[0]
    code = address.rsplit("/", 1)[1]
    page.set_input_files("[name=file]", sop)
    page.locator("form", has=page.locator("[name=file]")).evaluate("form => form.requestSubmit()")
    expect(page.get_by_text("sop.pdf").first).to_be_visible()

    stranger = visit("stranger").page
    assert stranger.goto(address).status == 404  # type: ignore[union-attr]

    manager = visit("manager").page
    manager.goto(address)
    press(manager, "Submit for review")
    expect(manager.get_by_role("button", name="Publish", exact=True)).to_have_count(0)

    reviewer = visit("reviewer").page
    reviewer.goto("/methods/review")
    reviewer.get_by_role("link", name=code).first.click()
    press(reviewer, "Take on the review")
    press(reviewer, "Publish")
    expect(reviewer.get_by_text("published").first).to_be_visible()

    before = figure(hub)
    focal = visit("focal").page
    focal.goto(f"/methods?q={code}")
    focal.get_by_role("link", name=code).first.click()
    with focal.expect_download() as waiting:
        focal.get_by_role("link", name="JSON").first.click()
    record = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
    record = record[0] if isinstance(record, list) else record
    assert [oligo["sequence"] for oligo in record["oligos"]] == [sequence for _role, sequence in OLIGOS]

    after = figure(hub)
    assert int(str(after["value"])) == int(str(before["value"])) + 1
    assert after["by"]["KE"] == before["by"].get("KE", 0) + 1  # type: ignore[index, attr-defined]
    download = f"/api/v1/methods/{code}/download?format=csv"
    assert api(hub, "focal", download)[0] == 200  # a token is machine access
    assert api(hub, "", download, method="HEAD")[0] == 200
    assert api(hub, "", download, **{"User-Agent": "Googlebot/2.1"})[0] == 200
    assert (
        api(hub, "", download, **{"User-Agent": "Mozilla/5.0 Firefox/140.0", "Range": "bytes=10-"})[0] == 206
    )
    last = figure(hub)
    assert last["value"] == after["value"]
    assert int(str(last["machine"])) == int(str(after["machine"])) + 1

    secretariat = visit("secretariat").page
    secretariat.goto("/indicators/A08.2")
    expect(secretariat.get_by_text("Kenya").first).to_be_visible()


def test_a_sequence_goes_from_a_genbank_file_to_a_public_download(
    hub: Hub, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    bases = "ACGTTGCAAC" * 12
    file = tmp_path / "plasmid.gb"
    lines = [
        "LOCUS       STORY1                   120 bp    DNA     circular SYN 01-JAN-2026",
        "DEFINITION  Story plasmid.",
        "ACCESSION   STORY1",
        "VERSION     STORY1.1",
        "FEATURES             Location/Qualifiers",
        "     promoter        1..60",
        '                     /label="P-story"',
        "ORIGIN",
    ]
    for start in range(0, 120, 60):
        blocks = " ".join(bases[start + at : start + at + 10].lower() for at in range(0, 60, 10))
        lines.append(f"{start + 1:>9} {blocks}")
    file.write_text("\n".join([*lines, "//", ""]))

    analyst = visit("analyst").page
    analyst.goto("/sequences/upload")
    analyst.set_input_files("[name=file]", file)
    analyst.check("[name=visibility][value=public]")
    analyst.locator("form", has=analyst.locator("[name=file]")).evaluate("form => form.requestSubmit()")
    analyst.wait_for_url(re.compile(r"/sequences/LHS-\d+"))
    address = analyst.url.split("?")[0]
    expect(analyst.locator("table").get_by_text("P-story").first).to_be_visible()

    visitor = visit().page
    assert visitor.goto(address).status == 404  # type: ignore[union-attr]
    manager = visit("manager").page
    manager.goto(address)
    press(manager, "Submit for review")
    reviewer = visit("reviewer").page
    reviewer.goto(address)
    press(reviewer, "Publish")

    assert visitor.goto(address).status == 200  # type: ignore[union-attr]
    with visitor.expect_download() as waiting:
        visitor.get_by_role("link", name="FASTA").first.click()
    text = Path(waiting.value.path()).read_text()
    assert "".join(text.splitlines()[1:]) == bases


def test_a_case_is_seen_by_its_own_focal_point_and_by_no_stranger(
    hub: Hub, visit: Callable[..., Visit]
) -> None:
    analyst = visit("analyst").page
    analyst.goto("/cases/new")
    analyst.fill("[name=title]", "Maize in a soybean shipment, by the story")
    analyst.select_option("[name=article]", "17")
    analyst.select_option("[name=inadvertent]", "yes")
    analyst.locator("form", has=analyst.locator("[name=title]")).evaluate("form => form.requestSubmit()")
    analyst.wait_for_url("**/cases/C-*")
    address = analyst.url.split("?")[0]
    analyst.goto(f"{address}/samples/new")
    analyst.fill("[name=label]", "S-1")
    analyst.fill("[name=taken_at]", "2026-03-02T10:00")
    analyst.fill("[name=place]", "Mombasa")
    analyst.locator("form", has=analyst.locator("[name=label]")).evaluate("form => form.requestSubmit()")
    analyst.wait_for_url(re.compile(r"/samples/\d+$"))
    sample = analyst.url
    analyst.goto(f"{sample}/analyses/new")
    analyst.fill("[name=method_code]", "QT-EVE-ZM-020")
    analyst.select_option("[name=outcome]", "detected")
    analyst.fill("[name=target]", "MON810")
    analyst.locator("form", has=analyst.locator("[name=method_code]")).evaluate(
        "form => form.requestSubmit()"
    )
    analyst.wait_for_url(sample + "*")
    expect(analyst.get_by_text("QT-EVE-ZM-020").first).to_be_visible()

    focal = visit("focal").page
    focal.goto("/cases")
    focal.get_by_role("link", name="Maize in a soybean shipment, by the story").or_(
        focal.get_by_role("link", name=address.rsplit("/", 1)[1])
    ).first.click()
    expect(focal.get_by_text("S-1").first).to_be_visible()
    for who in ("stranger", "secretariat", "participant"):
        stranger = visit(who).page
        assert stranger.goto(address).status in (403, 404)  # type: ignore[union-attr]
        assert stranger.goto(sample).status in (403, 404)  # type: ignore[union-attr]
        assert "soybean shipment" not in stranger.content()
    visitor = visit().page
    visitor.goto(address)
    assert "/sign-in" in visitor.url


def test_a_discussion_with_numbered_posts_works_without_scripts(
    hub: Hub, visit: Callable[..., Visit]
) -> None:
    secretariat = visit("secretariat", javascript=False).page
    secretariat.goto("/discussions/new")
    secretariat.fill("[name=title]", "Sampling of bulk cargo, by the story")
    secretariat.fill("[name=opens_at]", "2020-01-01T01:00")
    secretariat.fill("[name=closes_at]", "2035-01-01T01:00")
    secretariat.locator("main form button").last.click()
    secretariat.wait_for_url("**/discussions/*")
    discussion = secretariat.url.split("?")[0]
    secretariat.goto(f"{discussion}/topics/new")
    secretariat.fill("[name=title]", "Increments")
    secretariat.fill("[name=text]", "How many increments do you take from 500 t?")
    secretariat.locator("main form button").last.click()
    secretariat.wait_for_url("**/topics/*")
    topic = secretariat.url.split("?")[0].split("#")[0]

    participant = visit("participant", javascript=False).page
    participant.goto(topic)
    participant.fill("[name=text]", "One hundred, see #1. نأخذ مئة عينة.")
    participant.locator("form", has=participant.locator("[name=text]")).locator("button").last.click()
    expect(participant.get_by_text("One hundred").first).to_be_visible()
    expect(participant.get_by_text("Paulo Reis").first).to_be_visible()

    visitor = visit(language="ar").page
    visitor.goto(topic)
    expect(visitor.get_by_text("One hundred").first).to_be_visible()
    assert visitor.locator("textarea[name=text]").count() == 0
    status, body = api(hub, "secretariat", f"/api/v1{discussion.removeprefix(hub.url)}/participation")
    assert status == 200, body
    assert json.loads(body)["posts"] == 2
