"""Everything that changes what a laboratory says it can run."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from labhub import audit, clock, outbox
from labhub.accounts import queries as accounts
from labhub.accounts.actor import Actor, Role
from labhub.accounts.commands import BASE_URL
from labhub.accounts.models import Laboratory
from labhub.accounts.policy import require
from labhub.cells import read_csv
from labhub.db import db
from labhub.errors import Conflict, Invalid, StaleEdit
from labhub.i18n import Text, _
from labhub.methods import capabilities, network_queries
from labhub.methods.models import DetectionMethod
from labhub.methods.network_models import Capability, CapabilityList
from labhub.reports import ImportReport, Outcome, RowReport

LARGEST_IMPORT_BYTES = 1 << 20
MOST_ROWS = 2000


def _lock(actor: Actor, code: str) -> tuple[Laboratory, CapabilityList]:
    """Return a laboratory, locked, and its list, made at its first use."""
    laboratory = accounts.find_laboratory(actor, code)
    require(actor, "capability.change", laboratory)
    db.session.get_one(Laboratory, laboratory.id, with_for_update=True)
    found = network_queries.list_of(laboratory)
    if found is None:
        found = CapabilityList(laboratory=laboratory, is_listed=True, changed_at=clock.now())
        db.session.add(found)
        db.session.flush()
    return laboratory, found


def _check_version(row_version: int, expected: int | None) -> None:
    if expected is not None and row_version != expected:
        raise StaleEdit(_("Somebody else has changed this record. Load it again and repeat your change."))


def _touch(listing: CapabilityList) -> None:
    """Note a change of the list; its version goes up."""
    listing.changed_at = clock.now()
    db.session.flush()


def _method(code: str) -> DetectionMethod:
    method = network_queries.runnable_method(code) if code.isprintable() else None
    if method is None:
        raise Invalid(_("There is no published method %(code)s.", code=code[:60]), field="method")
    return method


def _fill(row: Capability, values: Mapping[str, Any]) -> None:
    """Write checked values and confirm the entry: for one year where no day is given."""
    now = clock.now()
    for name in capabilities.VALUES:
        if name != "valid_until":
            setattr(row, name, values[name])
    row.valid_until = values["valid_until"] or now.date() + capabilities.VALID_FOR
    row.confirmed_at = now


def _checked(values: Mapping[str, Any]) -> None:
    if errors := capabilities.check(values, clock.now().date()):
        raise Invalid(_("Please correct the marked fields."), errors=errors)


def _empty() -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(capabilities.VALUES)
    return {**empty, **dict.fromkeys(capabilities.TEXTS, ""), "runs": True, "accredited": False}


def add_capability(actor: Actor, laboratory: str, given: Mapping[str, Any]) -> Capability:
    """Say that one's laboratory can run a method, for a year unless a day is given."""
    owner, listing = _lock(actor, laboratory)
    method = _method(str(given.get("method") or ""))
    values = {**_empty(), **given}
    _checked(values)
    if any(row.method_id == method.id for row in network_queries.capabilities_of(actor, owner)):
        raise Conflict(_("The laboratory has an entry for this method. Change that one."), field="method")
    row = _new(owner, method, values)
    _touch(listing)
    audit.record(actor, "capability.create", "laboratory", owner.code, after=network_queries.values_of(row))
    return row


def _new(owner: Laboratory, method: DetectionMethod, values: Mapping[str, Any]) -> Capability:
    row = Capability(laboratory=owner, method=method, created_at=clock.now())
    _fill(row, values)
    db.session.add(row)
    db.session.flush()
    return row


def change_capability(
    actor: Actor, laboratory: str, method: str, given: Mapping[str, Any], *, expected: int
) -> Capability:
    """Change the fields that are given of an entry, which confirms it: for a year unless a day is given."""
    row, listing = _own_entry(actor, laboratory, method, expected)
    before = network_queries.values_of(row)
    values = {**before, "valid_until": None, **given}
    _checked(values)
    _fill(row, values)
    _touch(listing)
    after = network_queries.values_of(row)
    changed = [name for name in after if after[name] != before[name]]
    audit.record(
        actor,
        "capability.change",
        "laboratory",
        row.laboratory.code,
        before={name: before[name] for name in changed} | {"method": row.method.code},
        after={name: after[name] for name in changed} | {"method": row.method.code},
    )
    return row


def confirm_capability(actor: Actor, laboratory: str, method: str, *, expected: int) -> Capability:
    """Confirm an entry for another year, unchanged."""
    row, listing = _own_entry(actor, laboratory, method, expected)
    before = row.valid_until
    row.confirmed_at = clock.now()
    row.valid_until = row.confirmed_at.date() + capabilities.VALID_FOR
    _touch(listing)
    audit.record(
        actor,
        "capability.confirm",
        "laboratory",
        row.laboratory.code,
        before={"method": row.method.code, "valid_until": before},
        after={"method": row.method.code, "valid_until": row.valid_until},
    )
    return row


def remove_capability(actor: Actor, laboratory: str, method: str, *, expected: int) -> None:
    """Take an entry off the list."""
    row, listing = _own_entry(actor, laboratory, method, expected)
    before = network_queries.values_of(row)
    db.session.delete(row)
    _touch(listing)
    audit.record(actor, "capability.remove", "laboratory", row.laboratory.code, before=before)


def _own_entry(
    actor: Actor, laboratory: str, method: str, expected: int
) -> tuple[Capability, CapabilityList]:
    _owner, listing = _lock(actor, laboratory)
    row = network_queries.find_capability(actor, laboratory, method)
    _check_version(row.row_version, expected)
    return row, listing


def set_listed(actor: Actor, laboratory: str, *, listed: bool, expected: int | None) -> CapabilityList:
    """Let others read what the laboratory can run, or not."""
    owner, listing = _lock(actor, laboratory)
    # the first change of a list that was empty when it was read (version 0) finds version 1
    _check_version(0 if expected == 0 and listing.row_version == 1 else listing.row_version, expected)
    before = listing.is_listed
    listing.is_listed = listed
    _touch(listing)
    audit.record(
        actor,
        "capability.list",
        "laboratory",
        owner.code,
        before={"listed": before},
        after={"listed": listed},
    )
    return listing


def import_capabilities(
    actor: Actor, laboratory: str, content: bytes, file: str, *, dry_run: bool = False
) -> ImportReport:
    """Add and change entries by a CSV file: all rows or none; entries that the file does not name stay."""
    owner, listing = _lock(actor, laboratory)
    rows = read_csv(content, file=file, needed=("method",))
    if len(rows) > MOST_ROWS:
        raise Invalid(_("%(file)s has more than %(limit)s rows.", file=file, limit=MOST_ROWS), field="file")
    if rows and (unknown := [name for name in rows[0] if name not in capabilities.COLUMNS]):
        raise Invalid(
            _(
                "%(file)s has columns that are not known here: %(names)s.",
                file=file,
                names=", ".join(unknown)[:300],
            ),
            field="file",
        )
    present = {row.method_id: row for row in network_queries.capabilities_of(actor, owner)}
    report = ImportReport(file)
    plans: list[tuple[RowReport, DetectionMethod, dict[str, Any]]] = []
    seen: set[int] = set()
    for number, cells in enumerate(rows, start=1):
        row, method, values = _planned(number, cells, present)
        if method is not None:
            if method.id in seen:
                row.errors.setdefault("method", []).append(_("The file has two rows for this method."))
                row.outcome = Outcome.REFUSED
            seen.add(method.id)
            plans.append((row, method, values))
        report.rows.append(row)
    if dry_run or report.is_refused:
        return report
    stored: dict[str, list[str]] = {"created": [], "changed": []}
    for row, method, values in plans:
        if row.outcome is Outcome.CREATED:
            _new(owner, method, values)
        elif row.outcome is Outcome.CHANGED:
            _fill(present[method.id], values)
        else:
            continue
        stored[row.outcome.value].append(method.code)
    if any(stored.values()):
        _touch(listing)
        audit.record(actor, "capability.import", "laboratory", owner.code, after={**stored, "file": file})
    return report


def _planned(
    number: int, cells: Mapping[str, str], present: Mapping[int, Capability]
) -> tuple[RowReport, DetectionMethod | None, dict[str, Any]]:
    """Return what a row of a file would do."""
    values, errors = capabilities.from_cells(cells)
    code = values["method"]
    row = RowReport(number, code[:60], Outcome.CREATED, errors)
    method = None
    try:
        method = _method(code)
    except Invalid as refusal:
        errors.setdefault("method", []).append(refusal.message)
    stored = present.get(method.id) if method else None
    if stored is not None:
        before = capabilities.to_cells(network_queries.values_of(stored))
        after = capabilities.to_cells({**values, "method": stored.method.code})
        given = set(cells)
        same = all(after[name] == before[name] for name in capabilities.VALUES if name in given)
        row.outcome = Outcome.UNCHANGED if same else Outcome.CHANGED
        kept = {name: getattr(stored, name) for name in capabilities.VALUES if name not in given}
        values = {**values, **{name: value for name, value in kept.items() if name != "valid_until"}}
    if row.outcome is not Outcome.UNCHANGED:
        for name, texts in capabilities.check(values, clock.now().date()).items():
            errors.setdefault(name, []).extend(texts)
    if errors:
        row.outcome = Outcome.REFUSED
    return row, method, values


def remind() -> int:
    """Write to the managers whose entries expire within 30 days; return how many entries that are."""
    due = network_queries.due_for_reminder()
    for _number, group in groupby(due, key=lambda row: row.laboratory_id):
        rows = list(group)
        laboratory = rows[0].laboratory
        lines = "\n".join(f"{row.method.code}  {row.valid_until.isoformat()}" for row in rows)
        subject: Text = _("Entries of %(laboratory)s expire soon", laboratory=laboratory.code)
        body: Text = _(
            "These entries of what %(name)s can run expire within 30 days; after that day they no longer "
            "count:\n\n%(lines)s\n\nConfirm or change them here:\n%(link)s",
            name=laboratory.name,
            lines=lines,
            link=f"{BASE_URL[0] if BASE_URL else ''}/laboratories/{laboratory.code}/capabilities",
        )
        for manager in accounts.members_of(laboratory.id, Role.MANAGER):
            outbox.add(manager.email, subject, body, language=manager.language)
        for row in rows:
            row.reminded_for = row.valid_until
    return len(due)
