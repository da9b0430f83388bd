"""Maps of records: everything to scale, nothing over another label, the same content as the tables."""

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhub.sequences import maps
from labhub.sequences.formats import read_records
from labhub.sequences.maps import MapFeature, MapParts, MapProduct, MapSite, draw, parts_of

SVG = "{http://www.w3.org/2000/svg}"


def make_parts(
    features: list[MapFeature], *, length: int = 5_000, circular: bool = False, products: int = 0
) -> MapParts:
    made = [
        MapProduct(
            number, f"QT-{number}", 100 * number, 100 * number + 81, 82, 1, 0, 1, None,
            (MapSite("forward", 0, 20, 1), MapSite("probe", 30, 20, -1), MapSite("reverse", 60, 22, -1)),
        )
        for number in range(1, products + 1)
    ]  # fmt: skip
    return parts_of("LHS-7", "A vector", length, circular, features, made)


def labels(svg: str) -> list[tuple[float, float, float, str]]:
    """Return the left and right end, the height and the text of each label."""
    found = []
    for text in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        size = maps.text_width(text.text or "") * float(text.get("font-size", "11")) / 11
        x = float(text.get("x", "0"))
        left = {"start": x, "middle": x - size / 2, "end": x - size}[text.get("text-anchor", "start")]
        found.append((left, left + size, float(text.get("y", "0")), text.text or ""))
    return found


def assert_no_overlap(svg: str, width: int) -> None:
    found = labels(svg)
    for number, (left, right, y, text) in enumerate(found):
        assert left >= -1, text
        assert right <= width + 1, text
        for other_left, other_right, other_y, other in found[number + 1 :]:
            apart = right <= other_left or other_right <= left or abs(y - other_y) >= 9
            assert apart, (text, other)


MANY = [
    MapFeature(n, "gene", f"gene number {n}", 1 + 37 * n % 4_900, 1 + 37 * n % 4_900 + n, (1, -1, 0)[n % 3])
    for n in range(1, 70)
]


@pytest.mark.parametrize("width", maps.WIDTHS)
def test_no_label_lies_over_another(width: int) -> None:
    assert_no_overlap(draw(make_parts(MANY, products=8), width), width)
    few = MANY[:12]
    assert_no_overlap(draw(make_parts(few, circular=True, products=2), width), width)


def columns(svg: str) -> dict[str, list[float]]:
    """Return the heights of the labels beside a circle, by their column."""
    found: dict[str, list[float]] = {"start": [], "end": []}
    for text in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        if text.get("text-anchor") in found:
            found[text.get("text-anchor", "")].append(float(text.get("y", "0")))
    return found


@pytest.mark.parametrize("width", maps.WIDTHS)
def test_labels_beside_a_circle_keep_their_distance(width: int) -> None:
    crowded = [MapFeature(n, "gene", f"g{n}", 100 + n, 140 + n, 1) for n in range(1, 60)]
    for heights in columns(draw(make_parts(crowded, circular=True), width)).values():
        heights.sort()
        assert all(after - before >= maps.ROW - 0.2 for before, after in pairwise(heights))


def test_parts_are_to_scale() -> None:
    svg = draw(
        make_parts([MapFeature(1, "gene", "a", 1, 2_500, 0), MapFeature(2, "gene", "b", 2_501, 5_000, 0)]),
        960,
    )
    bars = re.findall(r'class="shape" d="M([\d.]+) [\d.]+H([\d.]+)V', svg)
    (a0, a1), (b0, b1) = [(float(x), float(y)) for x, y in bars]
    assert a0 == 14
    assert a1 == b0 == 480
    assert b1 == 946


def test_arrow_points_along_the_strand() -> None:
    svg = draw(make_parts([MapFeature(1, "gene", "plus", 1_000, 2_000, 1)]), 960)
    assert re.search(r'd="M([\d.]+) [\d.]+H([\d.]+)L([\d.]+) ', svg)
    plus = re.search(r'class="shape" d="M([\d.]+) [\d.]+H[\d.]+L([\d.]+)', svg)
    minus = re.search(
        r'class="shape" d="M([\d.]+) [\d.]+H[\d.]+L([\d.]+)',
        draw(make_parts([MapFeature(1, "gene", "minus", 1_000, 2_000, -1)]), 960),
    )
    assert plus
    assert minus
    assert float(plus[2]) > float(plus[1])
    assert float(minus[2]) < float(minus[1])


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_each_part_has_words_and_a_link_to_its_row(circular: bool, linked: bool) -> None:
    parts = make_parts(MANY[:5], circular=circular, products=2)
    root = ElementTree.fromstring(draw(parts, 960, prefix="m", linked=linked))
    assert root.get("direction") == "ltr"
    if linked:
        links = [link.get("href") for link in root.iter(f"{SVG}a")]
        assert links == [
            *(f"#feature-{each.number}" for each in parts.features),
            "#product-1",
            "#product-2",
        ]
        assert all(link.findtext(f"{SVG}title") for link in root.iter(f"{SVG}a"))
    else:
        assert not list(root.iter(f"{SVG}a"))
    said = [title.text or "" for title in root.iter(f"{SVG}title")]
    for feature in parts.features:
        assert any(feature.label in text and f"{feature.start} to {feature.end}" in text for text in said)
    assert sum("Product of QT-" in text for text in said) == 2


def test_twenty_thousand_features_are_grouped_and_told() -> None:
    many = [
        MapFeature(n, ("gene", "CDS")[n % 2], f"g{n}", n * 200, n * 200 + n % 150, 1)
        for n in range(1, 20_001)
    ]
    parts = parts_of("LHS-7", "", 4_100_000, True, many)
    assert len(parts.features) == maps.MOST_SINGLE
    assert sum(group.count for group in parts.groups) == 20_000 - maps.MOST_SINGLE
    assert "20000 features" in str(parts.notes[0])
    for width in maps.WIDTHS:
        for circular in (True, False):
            svg = draw(parts_of("LHS-7", "", 4_100_000, circular, many), width, linked=True)
            assert len(svg) < 150_000
            assert svg.count("#group-") == len(parts.groups)


@pytest.mark.req("C3")
def test_texts_of_users_are_escaped() -> None:
    nasty = '"><script>alert(1)</script>\x00\x1b'
    feature = MapFeature(1, nasty, nasty, 10, 400, 1)
    parts = parts_of(nasty, nasty, 5_000, False, [feature], [MapProduct(1, nasty, 1, 80, 80, 1, 0, 0, None)])
    for circular in (False, True):
        svg = draw(MapParts(**{**parts.__dict__, "circular": circular}), 960, linked=True)
        assert "<script" not in svg
        assert "style=" not in svg
        ElementTree.fromstring(svg)


places = st.integers(1, 500)


@given(
    features=st.lists(
        st.tuples(places, places, st.sampled_from([1, -1, 0]), st.text(max_size=30)), max_size=120
    ),
    circular=st.booleans(),
    width=st.sampled_from(maps.WIDTHS),
)
def test_any_table_is_drawn(features: list[tuple[int, int, int, str]], circular: bool, width: int) -> None:
    made = [
        MapFeature(
            number,
            "gene",
            label,
            start if circular else min(start, end),
            end if circular else max(start, end),
            strand,
        )
        for number, (start, end, strand, label) in enumerate(features, 1)
    ]
    parts = make_parts(made, length=500, circular=circular)
    root = ElementTree.fromstring(draw(parts, width, linked=True))
    assert sum(group.count for group in parts.groups) + len(parts.features) == len(made)
    assert float(root.get("height", "0")) > 20
    assert "nan" not in draw(parts, width)


@pytest.mark.parametrize("length", [1, 2, 7, 80])
def test_the_shortest_records_are_drawn(length: int) -> None:
    for circular in (False, True):
        parts = parts_of("LHS-1", "", length, circular, [MapFeature(1, "gene", "g", 1, length, 1)])
        for width in maps.WIDTHS:
            ElementTree.fromstring(draw(parts, width))


@pytest.mark.shared
def test_real_records_are_drawn(shared_data: Path) -> None:
    for name in ("snapgene/pMOZ4526.dna", "formats/NC_000932.gb", "moclo_plant/pICH41432.gb"):
        kind = "snapgene" if name.endswith(".dna") else "genbank"
        (record,) = read_records(shared_data / "sequences" / name, kind)
        features = [
            MapFeature(number, f.kind, f.label, f.start, f.end, f.strand, f.location)
            for number, f in enumerate(record.features, 1)
        ]
        for circular in (True, False):
            parts = parts_of("LHS-1", record.description, len(record.bases), circular, features)
            for width in maps.WIDTHS:
                svg = draw(parts, width, linked=True)
                ElementTree.fromstring(svg)
                if not circular:
                    assert_no_overlap(svg, width)
