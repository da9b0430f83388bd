"""JSON addresses of sealed sequences: grants, free searches, uses, stops."""

from typing import Any

from flask import Response, url_for

from labhub.db import transaction
from labhub.sequences import sealed_commands as commands
from labhub.sequences import sealed_queries as queries
from labhub.sequences import sealed_schemas as schemas
from labhub.sequences.sealed_models import SealedAnswer, SealedGrant
from labhub.sequences.sealed_queries import Usable
from labhub.sequences.sealed_walks import read_questions
from labhub.web.api import Blueprint, answer_record, answer_rows, page_of, sorted_by
from labhub.web.auth import current_actor
from labhub.web.json import dumps

blp = Blueprint(
    "api_sealed",
    __name__,
    url_prefix="/api/v1",
    description="Sealed sequences: used by those named, never shown",
)

BLUEPRINTS = (blp,)
ACCESS = {
    blp: {
        "search": "sealed.use",
        "events": "sealed.use",
        "grants": "sealed.grant",
        "grant": "sealed.grant",
        "revoke": "sealed.grant",
        "uses": "sealed.read-uses",
        "stops": "sealed.lift",
        "lift": "sealed.lift",
    }
}

LONGEST_ANSWER = max(len(answer.value) for answer in SealedAnswer)


@blp.post("/sealed-searches")
@blp.arguments(schemas.SealedSearchIn)
@blp.response(200, schemas.SealedSearchOut)
@blp.refuses(403, 422, 429)
def search(given: dict[str, Any]) -> Response:
    """Ask whether primers or sequences are found in the sealed records that the caller may use.

    Each answer is found, not-found or not-decided, by event; everything else stays unsaid.
    """
    actor = current_actor()
    asked = commands.ask(actor, read_questions(**given), door="api")
    if asked.refusal is not None:
        raise asked.refusal
    return answer_record(
        {
            "questions": [
                {
                    "question": number,
                    "events": [
                        {
                            "event": record.event,
                            "lmo": record.lmo or None,
                            "answer": answer,
                            "padding": "." * (LONGEST_ANSWER - len(answer.value)),
                        }
                        for record, answer in answers
                    ],
                }
                for number, answers in enumerate(asked.answers, start=1)
            ],
            "left_today": queries.allowance(actor).left,
        }
    )


@blp.get("/sealed-events")
@blp.response(200, schemas.SealedEventOut(many=True))
def events() -> Response:
    """List the events whose sealed records the caller may use."""
    known: dict[tuple[str, str], Usable] = {}
    for record in queries.usable_records(current_actor()):
        known.setdefault(record.key, record)
    rows = [
        {"event": each.event, "lmo": each.lmo or None, "owner": each.owner}
        for _key, each in sorted(known.items())
    ]
    return Response(dumps(rows), mimetype="application/json")


@blp.get("/sequences/<accession>/grants")
@blp.response(200, schemas.SealedGrantOut(many=True))
@blp.refuses(403, 404, 409)
def grants(accession: str) -> Response:
    """List who may use and who may see a sealed record, and who might before."""
    sequence = queries.find_own_sealed(current_actor(), accession)
    return Response(
        dumps([grant_of(each) for each in queries.grants_of(sequence)]), mimetype="application/json"
    )


@blp.post("/sequences/<accession>/grants")
@blp.arguments(schemas.SealedGrantIn)
@blp.response(201, schemas.SealedGrantOut)
@blp.refuses(403, 404, 409, 422)
def grant(given: dict[str, Any], accession: str) -> Response:
    """Name a person, a laboratory or a Party that may use or see a sealed record."""
    with transaction():
        made = commands.grant(
            current_actor(),
            accession,
            given["right"],
            commands.Grantee(given["person"], given["laboratory"], given["party"]),
            reason=given["reason"],
            until_on=given["until_on"],
        )
    response = answer_record(grant_of(made), status=201)
    response.headers["Location"] = url_for("api_sealed.grants", accession=accession)
    return response


@blp.post("/sequences/<accession>/grants/<int:grant_id>/revocation")
@blp.arguments(schemas.SealedReasonIn)
@blp.response(200, schemas.SealedGrantOut)
@blp.refuses(403, 404, 409, 422)
def revoke(given: dict[str, Any], accession: str, grant_id: int) -> Response:
    """End a grant at once."""
    with transaction():
        row = commands.revoke(current_actor(), accession, grant_id, reason=given["reason"])
    return answer_record(grant_of(row))


@blp.get("/sequences/<accession>/uses")
@blp.arguments(schemas.SealedUseList, location="query")
@blp.response(200, schemas.SealedUseOut(many=True))
@blp.refuses(400, 403, 404, 409)
def uses(arguments: dict[str, Any], accession: str) -> Response:
    """List the uses of a sealed record for its owner, or all of them as CSV; never what was asked."""
    sequence = queries.find_own_sealed(current_actor(), accession, "sealed.read-uses")
    if arguments["format"] == "csv":
        response = Response(queries.uses_csv(sequence), mimetype="text/csv")
        response.headers["Content-Disposition"] = f'attachment; filename="{sequence.accession}-uses.csv"'
        return response
    query = sorted_by(
        queries.uses_of(sequence), arguments["sort"], queries.USE_COLUMNS, "-at", queries.USE_TIE
    )
    page = page_of(query, arguments["page"], arguments["page_size"])
    return answer_rows(dumps(queries.with_places(page.rows)), page)


@blp.get("/sealed-stops")
@blp.response(200, schemas.SealedStopOut(many=True))
@blp.refuses(403)
def stops() -> Response:
    """List the stops in the records of one's laboratory; all of them for the Secretariat."""
    rows = [
        {name: getattr(case, name) for name in schemas.SealedStopOut().fields}
        for case in queries.stop_cases(current_actor())
    ]
    return Response(dumps(rows), mimetype="application/json")


@blp.post("/sealed-stops/<key>/lifting")
@blp.arguments(schemas.SealedReasonIn)
@blp.response(200, schemas.SealedStopOut)
@blp.refuses(403, 404, 409, 422)
def lift(given: dict[str, Any], key: str) -> Response:
    """Lift a stop, with the reason."""
    actor = current_actor()
    with transaction():
        commands.lift_stop(actor, key, reason=given["reason"])
    case = next(each for each in queries.stop_cases(actor) if each.key == key)
    return answer_record({name: getattr(case, name) for name in schemas.SealedStopOut().fields})


def grant_of(row: SealedGrant) -> dict[str, Any]:
    """Return a grant as the owner sees it."""
    return {
        "id": row.id,
        "right": row.right,
        "grantee": queries.grantee_name(row),
        "kind": "person" if row.user_id else "laboratory" if row.laboratory_id else "party",
        "reason": row.reason,
        "granted_at": row.granted_at,
        "granted_by": row.granted_by.name if row.granted_by else None,
        "until_on": row.until_on,
        "holds": queries.grant_holds(row),
        "revoked_at": row.revoked_at,
        "revoke_reason": row.revoke_reason,
    }
