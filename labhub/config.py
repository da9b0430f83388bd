"""Every setting of labhub: name, default, meaning. The only module that reads the environment.

Settings are environment variables with the prefix ``LABHUB_``. An unknown or malformed one
stops the start with its name in the message (``docs/configuration.md`` lists them).
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from labhub.i18n import N_

PROJECT_FOLDER = Path(__file__).resolve().parent.parent

PREFIX = "LABHUB_"
TEST_RUNNER_SETTINGS = ("LABHUB_REQUIRE", "LABHUB_TEST_")
"""Names that belong to the test runner and are ignored here."""

MINIMUM_SECRET_LENGTH = 32


class ConfigurationError(Exception):
    """A setting that stops the start; the message names it and says what to do."""


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings."""

    name: str
    default: str
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting("INSTANCE", "instance", N_("Folder of the database, files, mail and secrets of this hub.")),
    Setting("DATABASE_URL", "", N_("SQLAlchemy address; empty: SQLite in the instance folder.")),
    Setting("STORAGE_URL", "", N_("file:///folder or s3://bucket?endpoint=…; empty: instance folder.")),
    Setting("REDIS_URL", "", N_("Redis for jobs; empty: kept inside the one server process.")),
    Setting("MAIL_URL", "", N_("smtp://[user:password@]host:port; empty: mails are kept as files.")),
    Setting("MAIL_FROM", "labhub@localhost", N_("Sender address of the hub's mails.")),
    Setting("SECRET_KEY", "", N_("At least 32 characters; empty: made at the first start and kept.")),
    Setting("BASE_URL", "", N_("Public address for links; empty: http://127.0.0.1 and the port.")),
    Setting("ALLOWED_HOSTS", "", N_("Further host names that may be asked for, separated by commas.")),
    Setting("TRUSTED_PROXIES", "0", N_("How many proxies in front of the hub set X-Forwarded-For.")),
    Setting("PORT", "8000", N_("Port of the server.")),
    Setting("LOG_FORMAT", "text", N_("text or json.")),
    Setting("BACKGROUNDS", "", N_("Folder of packed background genomes; empty: in the instance folder.")),
    Setting("DASK_SCHEDULER", "", N_("tcp://host:port of a Dask cluster for searches; empty: this machine.")),
    Setting("MAX_UPLOAD_BYTES", str(20 * 1024 * 1024), N_("Largest accepted request body, in bytes.")),
)


@dataclass(frozen=True)
class Config:
    """The settings of one running hub."""

    instance: Path
    database_url: str
    storage_url: str
    redis_url: str
    mail_url: str
    mail_from: str
    secret_key: str = field(repr=False)
    base_url: str
    allowed_hosts: frozenset[str]
    trusted_proxies: int
    port: int
    log_format: Literal["text", "json"]
    max_upload_bytes: int
    backgrounds: Path
    """Folder of packed background genomes."""
    dask_scheduler: str
    """Address of a Dask cluster; empty: none."""
    testing: bool = False

    @property
    def is_sqlite(self) -> bool:
        """Whether the hub's database is SQLite."""
        return self.database_url.startswith("sqlite")


def load(environ: Mapping[str, str] | None = None, *, testing: bool = False) -> Config:
    """Read the settings; make the instance folder and the secret key at the first start.

    Raises ``ConfigurationError`` naming the setting.
    """
    environ = os.environ if environ is None else environ
    names = [setting.name for setting in SETTINGS]
    for name in environ:
        if not name.startswith(PREFIX) or name.startswith(TEST_RUNNER_SETTINGS):
            continue
        if name.removeprefix(PREFIX) not in names:
            close = get_close_matches(name.removeprefix(PREFIX), names, 1)
            hint = f" Did you mean {PREFIX}{close[0]}?" if close else ""
            raise ConfigurationError(
                f"{name} is not a setting of labhub.{hint} See docs/configuration.md for the list."
            )
    if environ.get("FLASK_DEBUG", "0") not in ("", "0", "false", "False"):
        raise ConfigurationError("FLASK_DEBUG is set: labhub refuses to serve with the debugger. Unset it.")

    values = {setting.name: environ.get(PREFIX + setting.name, setting.default) for setting in SETTINGS}
    instance = Path(values["INSTANCE"])
    if not instance.is_absolute():
        instance = PROJECT_FOLDER / instance
    make_instance_folder(instance)
    port = _integer(values, "PORT", 1, 65535)
    base_url = (values["BASE_URL"] or f"http://127.0.0.1:{port}").rstrip("/")
    host = _base_host(base_url)
    allowed = {name.strip().casefold() for name in values["ALLOWED_HOSTS"].split(",") if name.strip()}
    if "*" in allowed:
        raise ConfigurationError(
            "LABHUB_ALLOWED_HOSTS may not hold '*': name the hosts that labhub answers for."
        )
    log_format = values["LOG_FORMAT"]
    if log_format not in ("text", "json"):
        raise ConfigurationError(f"LABHUB_LOG_FORMAT is '{log_format}': it must be text or json.")
    database_url = values["DATABASE_URL"] or f"sqlite:///{instance / 'labhub.db'}"
    if database_url.startswith("postgresql://"):
        database_url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ConfigurationError("LABHUB_DATABASE_URL must start with sqlite:/// or postgresql+psycopg://.")
    storage_url = values["STORAGE_URL"] or f"file://{instance / 'files'}"
    if not storage_url.startswith(("file:///", "s3://")):
        raise ConfigurationError("LABHUB_STORAGE_URL must start with file:/// or s3://.")
    if values["REDIS_URL"] and not values["REDIS_URL"].startswith(("redis://", "rediss://", "unix://")):
        raise ConfigurationError("LABHUB_REDIS_URL must start with redis://, rediss:// or unix://.")
    if values["MAIL_URL"] and not values["MAIL_URL"].startswith(("smtp://", "smtps://")):
        raise ConfigurationError("LABHUB_MAIL_URL must start with smtp:// or smtps://, or be empty.")
    return Config(
        instance=instance,
        database_url=database_url,
        storage_url=storage_url,
        redis_url=values["REDIS_URL"],
        mail_url=values["MAIL_URL"],
        mail_from=values["MAIL_FROM"],
        secret_key=_secret(values["SECRET_KEY"], instance),
        base_url=base_url,
        allowed_hosts=frozenset({"127.0.0.1", "localhost", "[::1]", host} | allowed),
        trusted_proxies=_integer(values, "TRUSTED_PROXIES", 0, 10),
        port=port,
        log_format="json" if log_format == "json" else "text",
        max_upload_bytes=_integer(values, "MAX_UPLOAD_BYTES", 1024, 2**40),
        backgrounds=_folder(values["BACKGROUNDS"], instance),
        dask_scheduler=dask_address(values["DASK_SCHEDULER"], f"{PREFIX}DASK_SCHEDULER"),
        testing=testing,
    )


def make_instance_folder(instance: Path) -> None:
    """Make the instance folder and check that it can be written."""
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = instance / f".write-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"The instance folder {instance} cannot be written ({error.strerror}). "
            f"Give this user write permission there, or name another folder in LABHUB_INSTANCE."
        ) from error


def _folder(given: str, instance: Path) -> Path:
    if not given:
        return instance / "backgrounds"
    folder = Path(given)
    if not folder.is_absolute():
        raise ConfigurationError(f"{PREFIX}BACKGROUNDS is '{given}': it must be a folder beginning with /.")
    return folder


def dask_address(given: str, name: str) -> str:
    """Return the address of a Dask scheduler, checked; ``name`` says where it was given."""
    if not given:
        return ""
    parts = urlsplit(given if "://" in given else f"tcp://{given}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("tcp", "tls", "ws", "wss") or not parts.hostname or not port or parts.path:
        raise ConfigurationError(f"{name} is '{given}': it must be an address such as tcp://host:8786.")
    return f"{parts.scheme}://{parts.netloc}"


def dask_scheduler(environ: Mapping[str, str] | None = None) -> str:
    """Return the address of the Dask cluster that is set, for commands that open no hub."""
    environ = os.environ if environ is None else environ
    name = f"{PREFIX}DASK_SCHEDULER"
    return dask_address(environ.get(name, ""), name)


def _integer(values: Mapping[str, str], name: str, low: int, high: int) -> int:
    try:
        number = int(values[name])
    except ValueError as error:
        raise ConfigurationError(f"{PREFIX}{name} is '{values[name]}': it must be a whole number.") from error
    if not low <= number <= high:
        raise ConfigurationError(f"{PREFIX}{name} is {number}: it must lie between {low} and {high}.")
    return number


def _base_host(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"LABHUB_BASE_URL is '{base_url}': it must be an http or https address.")
    return parts.hostname.casefold()


def _secret(given: str, instance: Path) -> str:
    if given:
        if len(given) < MINIMUM_SECRET_LENGTH:
            raise ConfigurationError(
                f"LABHUB_SECRET_KEY has {len(given)} characters: it must have at least "
                f"{MINIMUM_SECRET_LENGTH}. Leave it empty to have one made."
            )
        return given
    path = instance / "secret_key"
    if not path.exists():
        try:
            with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass  # another process of this hub made it at the same moment
    key = path.read_text().strip()
    if len(key) < MINIMUM_SECRET_LENGTH:
        raise ConfigurationError(
            f"{path} holds a secret that is too short. Delete it to have a new one made."
        )
    return key
