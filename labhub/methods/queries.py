"""Everything that reads methods; ``visible_methods`` and ``visible_versions`` are the only reading rules."""

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from labhub.db import db
from labhub.errors import NotFound
from labhub.i18n import _
from labhub.methods.models import PUBLIC_STATES, DetectionMethod, MethodState, MethodVersion


def find_published_version(code: str, number: int | None = None) -> MethodVersion:
    """Return a published version: the latest, or by its number also a superseded or withdrawn one."""
    key = code.strip().casefold()
    query = (
        select(MethodVersion)
        .join(MethodVersion.method)
        .where((DetectionMethod.code_key == key) | (DetectionMethod.hub_key == key))
        .options(joinedload(MethodVersion.method))
    )
    if number is None:
        query = query.where(MethodVersion.state == MethodState.PUBLISHED)
    else:
        query = query.where(MethodVersion.number == number, MethodVersion.state.in_(PUBLIC_STATES))
    version = db.session.scalar(query)
    if version is None:
        raise NotFound(_("There is no published method %(code)s.", code=code))
    return version
