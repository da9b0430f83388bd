"""Which assays in-silico PCR can search of a method, and what is said of the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from labhub.methods import exchange
from labhub.methods.assays import MOST_ASSAYS, assays_of, not_searched
from labhub.methods.models import Technique
from labhub.sequences.insilico import Assay

F, R, P = "ACGTACGTACGTACGTAC", "TTGACCGATTGACCGATT", "GGCATTACCGGATTAACCGG"


def oligo(role: str, bases: str, name: str = "", set_name: str = "") -> dict[str, Any]:
    return {"set": set_name, "role": role, "name": name, "sequence": bases}


def content(*oligos: dict[str, Any], technique: str = "qpcr", **more: Any) -> dict[str, Any]:
    return {"code": "LH-7", "technique": technique, "oligos": list(oligos), **more}


def test_one_set_is_one_assay_named_by_the_code() -> None:
    method = content(oligo("forward", F), oligo("reverse", R), oligo("probe", P), oligo("other", F))
    assert assays_of(method) == [Assay("LH-7", F, R, P)]
    assert not_searched(method) == []


def test_further_sets_carry_their_name() -> None:
    method = content(
        oligo("forward", F),
        oligo("reverse", R),
        oligo("forward", F, "", "gene"),
        oligo("reverse", P, "", "gene"),
    )
    assert assays_of(method) == [Assay("LH-7", F, R), Assay("LH-7/gene", F, P)]


def test_every_pair_of_a_set_is_an_assay() -> None:
    method = content(
        oligo("forward", F, "f1"),
        oligo("forward", R, "f2"),
        oligo("reverse", P, "r"),
        oligo("probe", F, "a"),
        oligo("probe", R, "b"),
    )
    assert [(each.name, each.forward, each.probe) for each in assays_of(method)] == [
        ("LH-7 f1 a", F, F),
        ("LH-7 f1 b", F, R),
        ("LH-7 f2 a", R, F),
        ("LH-7 f2 b", R, R),
    ]


def test_names_of_assays_differ_where_those_of_oligos_do_not() -> None:
    method = content(
        oligo("forward", F, "f"), oligo("forward", R, "f"), oligo("forward", R, "again"), oligo("reverse", P)
    )
    assert [each.name for each in assays_of(method)] == ["LH-7 f.1", "LH-7 f.2"]


def test_a_method_without_published_code_goes_by_its_other_names() -> None:
    parts = (oligo("forward", F), oligo("reverse", R))
    assert assays_of(content(*parts, code=None, wished_code="QT-1"))[0].name == "QT-1"


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (content(technique="protein"), "A protein test has no primers."),
        (
            content(oligo("forward", F), oligo("reverse", R), technique="isothermal"),
            "Isothermal amplification is not searched: its primers do not bound one product.",
        ),
        (content(), "The method names no primers."),
        (content(oligo("forward", F)), "Set 1: it has no reverse primer."),
        (content(oligo("reverse", F)), "Set 1: it has no forward primer."),
        (content(oligo("probe", F)), "Set 1: it has no forward and no reverse primer."),
    ],
)
def test_what_gives_no_assay_says_why(method: dict[str, Any], reason: str) -> None:
    assert assays_of(method) == []
    assert [str(each) for each in not_searched(method)] == [reason]


def test_too_many_combinations_are_told_and_the_other_sets_searched() -> None:
    many = [oligo("forward", F[:-3] + a + b + "A", "", "wide") for a in "ACGT" for b in "ACGT"]
    many += [oligo("reverse", R[:-3] + a + b + "A", "", "wide") for a in "ACGT" for b in "ACGT"]
    method = content(oligo("forward", F), oligo("reverse", R), *many)
    assert assays_of(method) == [Assay("LH-7", F, R)]
    assert [str(each) for each in not_searched(method)] == [
        f"Set wide: its oligos combine to more than {MOST_ASSAYS} assays."
    ]


def test_every_technique_is_searched_or_told_why_not() -> None:
    for technique in Technique:
        method = content(oligo("forward", F), oligo("reverse", R), technique=technique.value)
        assert bool(assays_of(method)) != bool(not_searched(method))


@pytest.mark.shared
def test_all_real_methods_are_searched(shared_data: Path) -> None:
    methods = json.loads((shared_data / "methods.json").read_text(encoding="utf-8"))
    assert len(methods) == 149
    for raw in methods:
        checked = exchange.check(exchange.from_raw(raw))
        assert not checked.errors
        by_role = {each["role"]: each["sequence"] for each in raw["oligos"]}
        (assay,) = assays_of(checked.content)
        assert not_searched(checked.content) == []
        assert assay.forward == by_role["forward"]
        assert assay.reverse == by_role["reverse"]
        assert assay.probe == by_role.get("probe", "")
