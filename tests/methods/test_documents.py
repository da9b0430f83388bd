"""PDF pages of methods and the compendium, opened with another library."""

import re
from dataclasses import replace
from io import BytesIO

import pytest
from pypdf import PdfReader

from labhub.methods import documents, typesetting
from labhub.methods.criteria import judge, read_criteria
from tests.methods.editions import make_edition, whole_record


def read(content: bytes) -> PdfReader:
    return PdfReader(BytesIO(content))


def words(content: bytes) -> str:
    """Return the text of all pages with one blank between words."""
    return " ".join(" ".join(page.extract_text() for page in read(content).pages).split())


def test_page_shows_oligos_amplicon_figures_citation_and_seal():
    edition = make_edition(
        amplicon="TCGAAGGACGAAGGACTCTAACG" + "N" * 45 + "AAGATAGTGGAAAAGGAAGGTGGC", amplicon_bp=92
    )
    text = words(documents.method_pdf(edition))
    for part in (
        "Event-specific qPCR: maize event MON810",
        "TCGAAGGACGAAGGACTCTAACG",
        "5' FAM",
        "3' TAMRA",
        "Zea mays",
        "MON-ØØ81Ø-6",
        "0.998",
        "CC BY 4.0",
        "https://hub.example/methods/QT-EVE-ZM-020/versions/1",
    ):
        assert part in text, part
    assert "61 NNNNNNNNAA" in text  # the second line of the amplicon, in groups of ten
    assert text.count(edition.seal) >= 2  # in the footer and under the citation


def test_what_is_not_reported_is_said_to_be():
    text = words(documents.method_pdf(make_edition(reagents=None, validation={}, licence=None)))
    assert re.search(r"Not reported [^.]*Licence", text)
    assert re.search(r"Not reported [^.]*Reagents", text)
    assert re.search(r"Not reported [^.]*Limit of detection; Limit of quantification", text)


def test_same_version_gives_the_same_bytes():
    assert documents.method_pdf(make_edition()) == documents.method_pdf(make_edition())


def test_date_and_title_of_the_document_are_those_of_the_version():
    facts = read(documents.method_pdf(make_edition())).metadata
    assert facts["/CreationDate"].startswith("D:20260302")
    assert facts.title == "Detection method QT-EVE-ZM-020"


def test_whole_record_shows_sets_materials_studies_levels_and_files():
    file = {
        "name": "sop.pdf",
        "role": "sop",
        "size_bytes": 12,
        "sha256": "ab" * 32,
        "licence": "CC0",
        "language": "en",
    }
    text = words(documents.method_pdf(make_edition(**whole_record(), files=[file])))
    for part in (
        "Oligo set adh1: alcohol dehydrogenase 1",
        "ZEN after base 9",
        "9.9 ± 0.5 % m/m",
        "collaborative trial: Ring trial of the network",
        "5 copies (95 % confidence interval 3.2 to 9.8)",
        "0 of 40 non-targets gave a signal",
        "58 / 60",
        "11 (1)",
        "free for regulators",
        "sop.pdf",
        "ab" * 16,
    ):
        assert part in text, part


def test_text_of_a_record_is_never_read_as_markup():
    title = '#panic("no") $x$ *bold* _it_ @label <m0> \\ [x] `raw` // note'
    text = words(documents.method_pdf(make_edition(title=title, notes=['#read("/etc/passwd")'])))
    assert title in text
    assert '#read("/etc/passwd")' in text


def test_very_long_words_stay_on_the_page():
    name = "x" * 290
    (page, *_rest) = read(documents.method_pdf(make_edition(title=name))).pages
    places = []
    page.extract_text(visitor_text=lambda text, _cm, tm, _font, _size: places.append((tm[4], text)))
    lines = [text for _left, text in places if "xxx" in text]
    assert len(lines) > 3


def test_verdicts_stand_beside_their_figures_and_limits():
    criteria = read_criteria(
        {
            "version": "T-1",
            "adopted_on": "2026-01-01",
            "title": "Test",
            "source": "here",
            "target_percent": 0.9,
            "rules": [
                {"id": "slope", "mark": "S", "least": -3.6, "most": -3.1},
                {"id": "r2", "mark": "S", "least": 0.98},
                {"id": "specificity", "mark": "M", "most": 0},
            ],
        }
    )
    edition = make_edition(validation={"slope": -3.05, "r2": 0.998})
    text = words(documents.method_pdf(replace(edition, judgement=judge(edition.record, criteria))))
    assert "Slope of the standard curve from -3.6 to -3.1 -3.05 fail" in text
    assert "at least 0.98 0.998 pass" in text
    assert "Not reported Specificity (non-targets amplified)" in text
    assert "minimum performance criteria T-1" in text


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("withdrawn", "This version was withdrawn on 2026-04-01. Do not use it for new work. Primer fails."),
        ("superseded", "A newer version replaces this one."),
        ("draft", "This version is not published. It may change and cannot be cited."),
    ],
)
def test_version_that_is_not_the_present_one_says_so_at_the_top(state, sentence):
    facts = {"withdrawn_at": "2026-04-01T09:00:00+00:00", "withdrawal_reason": "Primer fails."}
    published_at = None if state == "draft" else "2026-03-02T10:00:00+00:00"
    edition = make_edition(
        state=state, published_at=published_at, facts=facts if state == "withdrawn" else None
    )
    text = words(documents.method_pdf(edition))
    assert sentence in text
    assert ("How to cite" in text) == (state != "draft")


def test_arabic_page_has_arabic_labels_and_leaves_bases_alone():
    content = documents.method_pdf(make_edition(), "ar")
    text = words(content)
    assert re.search("[\u0600-\u06ff\ufb50-\ufeff]", text)
    assert "TCGAAGGACGAAGGACTCTAACG" in text
    fonts = {
        font
        for page in read(content).pages
        for font in (entry.get_object()["/BaseFont"] for entry in page["/Resources"]["/Font"].values())
    }
    assert any("NotoNaskhArabic" in font for font in fonts)
    assert not [font for font in fonts if not re.search("NotoSans|NotoNaskhArabic|DejaVuSansMono", font)]


# The compendium ------------------------------------------------------------------------------

EDITIONS = (
    ("QT-EVE-ZM-020", {"edition": {"lmos": ("MON810 (MON-ØØ81Ø-6)",)}}),
    ("QT-EVE-ZM-003", {"edition": {"lmos": ("Bt11", "Bt10")}}),
    ("QL-ELE-00-004", {"specificity": "screening", "edition": {"elements": ("P-35S",)}}),
    ("QT-TAX-ZM-001", {"specificity": "taxon"}),
)


@pytest.fixture(scope="module")
def book() -> PdfReader:
    return read(documents.compendium_pdf([make_edition(code, **more) for code, more in EDITIONS]))


def page_with(book: PdfReader, text: str) -> int:
    """Return the number of the first page of methods or indexes with a text."""
    for number, page in enumerate(book.pages, 1):
        if number > 2 and text in " ".join(page.extract_text().split()):
            return number
    raise AssertionError(text)


def test_cover_counts_the_methods_and_names_the_newest_day(book):
    text = " ".join(book.pages[0].extract_text().split())
    assert "Compendium of detection methods" in text
    assert "Number of methods 4" in text and "2026-03-02" in text


def test_contents_and_index_give_the_pages_on_which_methods_stand(book):
    contents = " ".join(book.pages[1].extract_text().split())
    index = " ".join(book.pages[-1].extract_text().split())
    for code, _more in EDITIONS:
        number = page_with(book, f"{code} version 1")
        assert re.search(rf"{code} [^0-9].*? {number}\b", contents), code
        assert re.search(rf"{code} [. ]*{number}\b", index), code


def test_methods_stand_by_what_they_tell_and_then_by_code(book):
    order = [page_with(book, f"{code} version 1") for code in (
        "QL-ELE-00-004", "QT-EVE-ZM-003", "QT-EVE-ZM-020", "QT-TAX-ZM-001",
    )]  # fmt: skip
    assert order == sorted(order)


def test_index_has_lmos_elements_taxa_and_codes(book):
    text = " ".join(book.pages[-1].extract_text().split())
    for part in ("Index of LMOs and events Bt10", "MON810 (MON-ØØ81Ø-6)", "Index of genetic elements P-35S"):
        assert part in text
    assert "Index of taxa Zea mays (maize)" in text and "Index of codes" in text


def test_each_page_of_a_method_carries_code_version_seal_and_number(book):
    number = page_with(book, "QT-TAX-ZM-001 version 1")
    text = " ".join(book.pages[number - 1].extract_text().split())
    assert "QT-TAX-ZM-001 · version 1" in text
    assert make_edition("QT-TAX-ZM-001").seal in text
    assert f"{number} / {len(book.pages)}" in text


def test_bookmarks_lead_to_the_methods(book):
    titles = []

    def collect(entries):
        for entry in entries:
            if isinstance(entry, list):
                collect(entry)
            else:
                titles.append(entry.title)

    collect(book.outline)
    assert titles.count("Event-specific qPCR: maize event MON810") == 4
    assert "Index of codes" in titles


def test_order_of_an_index_is_that_of_people():
    names = ["MON 89034", "MON810", "Bt176", "Bt11", "éclair", "Éclat", "DAS-59122-7"]
    assert sorted(names, key=documents.index_key) == [
        "Bt11", "Bt176", "DAS-59122-7", "éclair", "Éclat", "MON810", "MON 89034",
    ]  # fmt: skip


def test_process_that_cannot_lay_a_document_out_says_why():
    with pytest.raises(typesetting.TypesettingFailed, match=r"dictionary|key"):
        list(typesetting.typeset([{"language": "en"}]))
