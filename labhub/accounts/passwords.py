"""Password rules and hashing: argon2id, 12 to 128 characters, nothing truncated (``trust.md`` B1)."""

import re
import unicodedata
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from labhub.errors import Invalid
from labhub.i18n import _

SHORTEST, LONGEST = 12, 128
COMMONEST = 10_000
HUB_WORDS = [
    "labhub",
    "laboratory",
    "laboratories",
    "detection",
    "identification",
    "living",
    "modified",
    "organism",
    "organisms",
    "lmo",
    "lmos",
    "biosafety",
    "cartagena",
    "protocol",
    "party",
    "parties",
    "secretariat",
    "password",
    "passphrase",
    "admin",
    "administrator",
    "welcome",
]


class Hasher:
    """argon2id at the set cost; ``cheapen`` is for tests, which hash thousands of times."""

    def __init__(self) -> None:
        self.argon2 = PasswordHasher()
        self.evaluations = 0
        self._dummy = ""

    def cheapen(self) -> None:
        """Use the smallest cost that argon2 allows."""
        self.argon2 = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self._dummy = ""

    def hash(self, password: str) -> str:
        """Return the hash to store."""
        return self.argon2.hash(normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is right; without a stored hash one is evaluated all the same (B3)."""
        self.evaluations += 1
        if not self._dummy:
            self._dummy = self.argon2.hash("no account has this password")
        try:
            return self.argon2.verify(stored or self._dummy, normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made at another cost and should be made again."""
        return self.argon2.check_needs_rehash(stored)


hasher = Hasher()


def normal(password: str) -> str:
    """Return the password as every keyboard would send it: NFKC."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, *, personal: Iterable[str] = ()) -> None:
    """Raise ``Invalid`` unless the password may be used.

    ``personal`` are the person's own words (name, e-mail address).
    """
    length = len(unicodedata.normalize("NFC", password))  # as typed: NFKC makes one ﷺ into 18 letters
    if length < SHORTEST:
        raise Invalid(
            _("The password needs at least %(number)s characters.", number=SHORTEST), field="password"
        )
    if length > LONGEST:
        raise Invalid(
            _("The password may have at most %(number)s characters.", number=LONGEST), field="password"
        )
    folded = normal(password).casefold()
    typed = unicodedata.normalize("NFC", password).casefold()
    if folded in _commonest() or len(set(typed)) < 4:
        raise Invalid(_("This password is one of the most used ones. Choose another."), field="password")
    words = {word for text in personal for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3}
    rest = folded
    for word in sorted(words | set(HUB_WORDS), key=len, reverse=True):
        rest = rest.replace(word, "")
    if rest != folded and not re.sub(r"[\W\d_]+", "", rest):
        raise Invalid(
            _("This password is made of the hub's or your own names. Choose another."), field="password"
        )


def _commonest() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    if not _COMMONEST:
        _COMMONEST.append(frozenset(FREQUENCY_LISTS["passwords"][:COMMONEST]))
    return _COMMONEST[0]


_COMMONEST: list[frozenset[str]] = []
