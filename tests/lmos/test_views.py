"""Pages of LMOs, elements and the matrix."""

from flask import Flask
from flask.testing import FlaskClient

from tests.factories import make_element, make_lmo

CLAIMS = [
    {"element": "P-35S", "sign": "has", "source": "https://example.org/one", "verified": True},
    {"element": "P-35S", "sign": "lacks", "source": "two"},
    {"element": "bar", "sign": "lacks", "source": "one", "verified": True},
]


def page(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.get_data(as_text=True).split())


def test_the_list_shows_identifier_taxon_and_mark(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", unique_identifier="MON-ØØ81Ø-6", species={"scientific": "Zea mays"}, verified=True)
    make_lmo("<b>B</b>")
    text = page(client, "/lmos")
    assert "MON-ØØ81Ø-6" in text
    assert 'href="/lmos/MON-00810-6"' in text
    assert "&lt;b&gt;B&lt;/b&gt;" in text
    assert "<b>B" not in text
    assert "from memory" in text
    assert "2 LMOs" in text
    assert "1 LMO<" in page(client, "/lmos?taxon=Zea+mays&stacked=&verified=true")
    assert "No LMO fits" in page(client, "/lmos?q=nothing")


def test_what_a_list_does_not_know_is_refused(app: Flask, client: FlaskClient) -> None:
    for address in (
        "/lmos?colour=red",
        "/lmos?sort=id",
        "/elements?kind=x",
        "/matrix?format=csv",
        "/lmos?page=0",
    ):
        assert client.get(address).status_code == 400, address
    for address in ("/lmos/nothing", "/elements/nothing", "/matrix?element=nothing"):
        assert client.get(address).status_code == 404, address


def test_an_lmo_shows_warnings_names_claims_and_sources(app: Flask, client: FlaskClient) -> None:
    make_lmo("P1", unique_identifier="MON-ØØ6Ø3-6")
    make_lmo(
        "JG2",
        unique_identifier="SYN-000JG-2",
        claims=CLAIMS,
        parents=["MON-00603-6", "LOST-1"],
        other_names=[{"name": "JG two", "source": "a page", "recorded_on": "2026-01-02"}],
        sources=[
            {"title": "bad", "url": "javascript:alert(1)", "year": 2020},
            {"url": "https://example.org/x"},
        ],
        fields_from_memory=["developer"],
    )
    text = page(client, "/lmos/SYN-000JG-2")
    assert "SYN-ØØØJG-2" in text
    assert "The verification digit of SYN-ØØØJG-2 should be 3." in text
    assert "JG two" in text
    assert "2026-01-02" in text
    assert "Disputed (1)" in text
    assert "Lacks (1)" in text
    assert 'href="https://example.org/one" rel="noopener noreferrer"' in text
    assert 'href="javascript' not in text
    assert "verified" in text
    assert "from memory" in text
    assert "developer" in text
    assert 'href="/lmos/MON-00603-6"' in text
    assert "(not in the register)" in text
    assert 'href="/lmos/SYN-000JG-2"' in page(client, "/lmos/MON-00603-6")


def test_another_spelling_leads_to_the_address_of_the_lmo(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", unique_identifier="MON-ØØ81Ø-6")
    for spelling in ("MON-ØØ81Ø-6", "mon008106", "a"):
        answer = client.get(f"/lmos/{spelling}")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/lmos/MON-00810-6")


def test_an_element_shows_which_lmos_have_and_lack_it(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", claims=CLAIMS)
    make_element("pat", source="EUginius", synonyms=["phosphinothricin"], codes={"euginius": "pat-STRVR"})
    assert "3 elements" in page(client, "/elements")
    assert "1 element<" in page(client, "/elements?q=phosphinothricin")
    text = page(client, "/elements/p-35s")
    assert "Disputed (1)" in text
    assert 'href="/lmos/a"' in text
    text = page(client, "/elements/pat")
    for word in ("EUginius", "phosphinothricin", "pat-STRVR", "No source says which LMOs have it."):
        assert word in text


def test_the_matrix_shows_signs_that_lead_to_their_sources(app: Flask, client: FlaskClient) -> None:
    make_lmo("A", claims=CLAIMS, species={"scientific": "Zea mays"})
    make_lmo("B")
    text = page(client, "/matrix")
    assert 'href="/lmos/a#e-p-35s"' in text
    assert ">±</a>" in text
    assert ">−</a>" in text
    assert '<td class="matrix-unknown">?</td>' in text
    assert "no source says anything" in text
    assert 'href="/api/v1/matrix?format=csv"' in text
    narrowed = page(client, "/matrix?taxon=Zea+mays&element=P-35S&element=bar&verified=true")
    assert "1 LMO × 2 elements" in narrowed
    assert ">±</a>" not in narrowed
