"""The refusals: what labhub answers when a request cannot be done, in the domain's words.

``web/errors.py`` turns them into HTTP answers and ``cli.py`` into one line on stderr.
Bugs stay ordinary exceptions.
"""

from collections.abc import Mapping, Sequence

from labhub.i18n import Text


class Refusal(Exception):
    """A request that is understood and refused; the message says what to do about it."""

    status = 400
    code = "refused"

    def __init__(
        self,
        message: Text,
        *,
        field: str | None = None,
        errors: Mapping[str, Sequence[Text]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errors: dict[str, list[Text]] = {key: list(texts) for key, texts in (errors or {}).items()}
        if field is not None:
            self.errors.setdefault(field, []).append(message)

    def __str__(self) -> str:
        return str(self.message)


class NotFound(Refusal):
    """What was asked for does not exist, or not for this person."""

    status = 404
    code = "not-found"


class NotAllowed(Refusal):
    """The person may see the record and may not do this to it."""

    status = 403
    code = "not-allowed"


class Conflict(Refusal):
    """The record is in a state that does not allow this."""

    status = 409
    code = "conflict"


class Invalid(Refusal):
    """What was sent breaks a rule; ``errors`` is keyed by field (or ``row 3, primer``)."""

    status = 422
    code = "invalid"


class SignInNeeded(Refusal):
    """Nobody is signed in, or the session or token has ended."""

    status = 401
    code = "sign-in-needed"


class StaleEdit(Refusal):
    """Somebody else changed the record since it was read."""

    status = 412
    code = "stale-edit"


class VersionNeeded(Refusal):
    """A change did not say which version of the record it was made on."""

    status = 428
    code = "version-needed"


class TooLarge(Refusal):
    """The upload is over its announced limit."""

    status = 413
    code = "too-large"


class TooMany(Refusal):
    """Too many requests or failures; ``retry_after`` is in seconds."""

    status = 429
    code = "too-many"

    def __init__(self, message: Text, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageFull(Refusal):
    """The file store has no room or cannot be written."""

    status = 507
    code = "storage-full"


class Unavailable(Refusal):
    """A part of the hub (database, store) does not answer now."""

    status = 503
    code = "unavailable"
