"""Import of many methods: all or nothing, twins shown, the seal right, and few statements."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from labhub.accounts.actor import OPERATOR, VISITOR, Actor, Role
from labhub.accounts.models import Laboratory
from labhub.db import db, transaction
from labhub.methods import commands, exchange, queries, tables
from labhub.methods.models import DetectionMethod, MethodVersion, OligoDigest
from labhub.methods.twins import oligo_digest
from labhub.reports import ImportReport, Outcome
from tests.factories import make_actor, make_laboratory, make_method, method_content
from tests.methods.test_record import whole_content
from tests.methods.test_tables import FINE, HEADER, OLIGOS, sheets

OTHER_OLIGOS = [
    {"role": "forward", "name": "F", "sequence": "CCACGTCTTCAAAGCAAGTGG"},
    {"role": "reverse", "name": "R", "sequence": "TCCTCTCCAAATGAAATGAACTTCC"},
]


def manager(laboratory: Laboratory | None = None) -> Actor:
    """Return a manager of a laboratory, a new one unless told."""
    return make_actor(Role.MANAGER, laboratory=laboratory or make_laboratory())


def compiled(number: int, **fields: Any) -> dict[str, Any]:
    """Return the content of a compiled method."""
    return exchange.check(
        method_content(source_code=f"S-{number}", sources=[{"title": "A page"}], origin="compiled", **fields)
    ).content


def send(actor: Actor, content: bytes, name: str = "m.xlsx", *, dry_run: bool = False) -> ImportReport:
    """Import a file in a transaction of its own."""
    with transaction():
        return commands.import_sent(actor, content, name, dry_run=dry_run)


def count(model: Any) -> int:
    """Return the number of rows of a table."""
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def warnings(report: ImportReport) -> list[list[str]]:
    """Return what each row is told about its twins."""
    texts = [[str(text) for text in row.warnings] for row in report.rows]
    return [[text for text in each if text.startswith("The oligos")] for each in texts]


@pytest.mark.parametrize("format_", ["xlsx", "csv", "json"])
def test_export_imports_again_unchanged_in_each_format(app: Flask, format_: str) -> None:
    actor = manager()
    make_method(actor=actor, **whole_content())
    make_method(
        actor=actor,
        state="published",
        code="MINE-1",
        title="Other",
        oligos=[{**each, "final_concentration_nanomolar": 300} for each in OTHER_OLIGOS],
        chemistry="SYBR",
    )
    content = queries.export_methods(actor, format_)
    report = send(actor, content, f"methods.{format_}")
    assert [row.outcome for row in report.rows] == [Outcome.UNCHANGED] * 2, report.all_errors()


@pytest.mark.parametrize("format_", ["xlsx", "csv"])
def test_whole_record_is_stored_from_a_table_as_it_was_written(app: Flask, format_: str) -> None:
    content = exchange.check(whole_content()).content
    assert send(manager(), queries.write([content], format_), f"m.{format_}").count(Outcome.CREATED) == 1
    version = db.session.scalars(select(MethodVersion)).one()
    stored = queries.content_of(version)
    assert {name: stored[name] for name in content if name not in ("code", "origin")} == {
        name: value for name, value in content.items() if name not in ("code", "origin")
    }


@pytest.mark.req("G4")
def test_compiled_methods_are_sealed_as_the_hub_reads_them(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    rows = [
        compiled(1, **whole_content()),
        compiled(2, oligos=[], amplicon_bp=None),
        compiled(3, code="QT-3"),
    ]
    path.write_bytes(queries.write(rows, "json"))
    with transaction():
        assert commands.import_methods(OPERATOR, path).count(Outcome.CREATED) == 3
    db.session.expunge_all()
    assert queries.altered_versions() == []
    assert queries.find_published_version("QT-3").method.hub_key is None
    assert queries.find_published_version("LH-2").method.source_code == "S-2"
    with transaction():
        assert commands.import_methods(OPERATOR, path).count(Outcome.UNCHANGED) == 3
    rows[0]["title"] = "Changed"
    path.write_bytes(queries.write(rows, "json"))
    with transaction():
        report = commands.import_methods(OPERATOR, path)
    assert [row.outcome.value for row in report.rows] == ["changed", "unchanged", "unchanged"]
    db.session.expunge_all()
    assert queries.altered_versions() == []
    assert queries.find_published_version("LH-1").number == 2


@pytest.mark.req("D9")
def test_error_in_the_last_row_stores_nothing(app: Flask) -> None:
    rows = [[f"M{number}", f"Method {number}", "event", "qpcr"] for number in range(300)]
    report = send(manager(), sheets(methods=[HEADER, *rows, ["X", "", "event", "qpcr"]]))
    assert report.is_refused
    assert list(report.all_errors()) == ["methods!B302"]
    assert (count(DetectionMethod), count(MethodVersion)) == (0, 0)


@pytest.mark.req("D9")
def test_problem_outside_the_rows_refuses_the_file_too(app: Flask) -> None:
    content = sheets(methods=[HEADER, FINE], oligos=[OLIGOS, ["Z", "probe", "P", "ACGT"]])
    report = send(manager(), content)
    assert report.is_refused and list(report.all_errors()) == ["oligos!A2"]
    assert count(DetectionMethod) == 0


def test_row_with_a_spoiled_cell_counts_as_refused(app: Flask) -> None:
    content = sheets(
        methods=[HEADER, FINE, ["B", "==1+1", "event", "qpcr"], ["C", *FINE[1:]]],
        oligos=[OLIGOS, ["C", "probe", "P", "==1"]],
    )
    report = send(manager(), content)
    assert [row.outcome.value for row in report.rows] == ["created", "refused", "refused"]
    assert set(report.all_errors()) == {"methods!B3", "oligos!D2"}


def test_what_the_hub_objects_to_is_told_by_place(app: Flask) -> None:
    make_method(state="published", code="TAKEN-1")
    content = sheets(methods=[[*HEADER, "wished_code"], [*FINE, "taken-1"]])
    report = send(manager(), content)
    assert {place: str(texts[0]) for place, texts in report.all_errors().items()} == {
        "methods!F2": "The code taken-1 is taken by a published method."
    }


def test_rows_are_stored_with_few_statements(app: Flask) -> None:
    rows = [
        compiled(
            number,
            oligos=[{**OTHER_OLIGOS[0], "sequence": f"ACGT{'ACGT'[number % 4]}"}] * 2,
            amplicon_bp=None,
        )
        for number in range(400)
    ]
    told: list[tuple[int, int]] = []
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        with transaction():
            sent = tables.Sent("f", [tables.Entry(exchange.check(row), n) for n, row in enumerate(rows, 1)])
            commands._import(OPERATOR, None, sent, progress=lambda done, total: told.append((done, total)))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(seen) < 60
    assert told == [(800, 800)]


# Twins ----------------------------------------------------------------------------------------


def test_rows_with_the_same_oligos_are_told_of_each_other(app: Flask) -> None:
    rows = [
        method_content(title="A"),
        method_content(title="B", oligos=list(reversed(method_content()["oligos"]))),
        method_content(title="C", oligos=OTHER_OLIGOS, amplicon_bp=None),
    ]
    report = send(manager(), queries.write([exchange.check(row).content for row in rows], "csv"), "m.csv")
    assert warnings(report) == [
        ["The oligos are those of row 3 too."],
        ["The oligos are those of row 2 too."],
        [],
    ]
    assert not report.is_refused


@pytest.mark.req("A2")
def test_twin_is_shown_where_one_may_see_it_and_never_anothers_draft(app: Flask) -> None:
    make_method(state="published", code="PUB-1")
    draft = make_method()  # of another laboratory
    own = manager()
    mine = make_method(actor=own)
    content = queries.write([exchange.check(method_content(title="New")).content], "json")
    (found,) = warnings(send(own, content, "m.json", dry_run=True))
    assert found == [f"The oligos are those of {mine.method.code}, PUB-1 too."]
    assert queries.twins(own, mine) == ["PUB-1"]
    assert queries.twins(VISITOR, db.session.get_one(MethodVersion, mine.id)) == ["PUB-1"]
    assert draft.method.code not in str(found)


def test_twin_that_the_record_names_itself_needs_no_warning(app: Flask) -> None:
    make_method(state="published", code="PUB-1")
    content = queries.write([exchange.check(method_content(same_oligos_as=["PUB-1"])).content], "json")
    assert warnings(send(manager(), content, "m.json", dry_run=True)) == [[]]


def test_digest_follows_the_oligos_of_a_draft(app: Flask) -> None:
    version = make_method()
    actor = make_actor(Role.MANAGER, laboratory=version.method.laboratory)
    code = version.method.code

    def stored() -> str | None:
        db.session.expire_all()
        return db.session.scalar(select(OligoDigest.digest))

    assert stored() == oligo_digest(each["sequence"] for each in method_content()["oligos"])
    with transaction():
        commands.change_draft(
            actor, code, {"oligos": OTHER_OLIGOS, "amplicon_bp": None}, expected=version.edition
        )
    assert stored() == oligo_digest(each["sequence"] for each in OTHER_OLIGOS)
    version = queries.find_version(actor, code)
    with transaction():
        commands.change_draft(actor, code, {"oligos": []}, expected=version.edition)
    assert stored() is None
    assert queries.twins(actor, queries.find_version(actor, code)) == []


def test_twins_are_found_by_an_index(app: Flask) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("The plan of the other database depends on its figures.")
    plan = db.session.execute(
        text("EXPLAIN QUERY PLAN SELECT version_id FROM method_oligo_digest WHERE digest IN ('a', 'b')")
    ).all()
    assert "ix_method_oligo_digest_digest" in str(plan)


# Corrected ------------------------------------------------------------------------------------


def test_refused_table_offers_a_corrected_workbook_and_json_does_not(app: Flask) -> None:
    actor = manager()
    refused = send(actor, sheets(methods=[HEADER, ["A", "", "event", "qpcr"]]))
    assert refused.corrected is not None
    again = tables.read_file(refused.corrected(), "again.xlsx")
    assert [list(entry.errors()) for entry in again.entries] == [["methods!B2"]]
    assert send(actor, b'{"title": ""}', "m.json").corrected is None
