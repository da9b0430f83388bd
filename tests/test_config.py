"""Settings that are wrong stop the start, and say which one and what to do."""

import os
import stat
from pathlib import Path

import pytest

from labhub.config import ConfigurationError, load

GOOD_SECRET = "s" * 40

BAD = [
    ({"LABHUB_SECRET_KEY": "short"}, "LABHUB_SECRET_KEY has 5 characters"),
    ({"LABHUB_SECRT_KEY": GOOD_SECRET}, "LABHUB_SECRT_KEY is not a setting.*LABHUB_SECRET_KEY"),
    ({"LABHUB_DEBUG": "1"}, "LABHUB_DEBUG is not a setting"),
    ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG is set"),
    ({"LABHUB_ALLOWED_HOSTS": "hub.example, *"}, r"LABHUB_ALLOWED_HOSTS may not hold '\*'"),
    ({"LABHUB_PORT": "eighty"}, "LABHUB_PORT is 'eighty'"),
    ({"LABHUB_PORT": "70000"}, "LABHUB_PORT is 70000: it must lie between 1 and 65535"),
    ({"LABHUB_BASE_URL": "hub.example"}, "LABHUB_BASE_URL is 'hub.example'"),
    ({"LABHUB_DATABASE_URL": "mysql://x/y"}, "LABHUB_DATABASE_URL must start with"),
    ({"LABHUB_STORAGE_URL": "ftp://x"}, "LABHUB_STORAGE_URL must start with"),
    ({"LABHUB_REDIS_URL": "localhost:6379"}, "LABHUB_REDIS_URL must start with"),
    ({"LABHUB_MAIL_URL": "mail.example"}, "LABHUB_MAIL_URL must start with"),
    ({"LABHUB_MAX_UPLOAD_BYTES": "10 MB"}, "LABHUB_MAX_UPLOAD_BYTES is '10 MB'"),
    ({"LABHUB_TRUSTED_PROXIES": "-1"}, "LABHUB_TRUSTED_PROXIES is -1"),
    ({"LABHUB_LOG_FORMAT": "xml"}, "LABHUB_LOG_FORMAT is 'xml'"),
]


@pytest.mark.req("B11")
@pytest.mark.parametrize("environ, message", BAD)
def test_bad_setting_stops_the_start(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load({"LABHUB_INSTANCE": str(tmp_path), **environ})


@pytest.mark.req("B11")
def test_instance_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="LABHUB_INSTANCE"):
        load({"LABHUB_INSTANCE": str(tmp_path / "file" / "instance")})


@pytest.mark.req("B11")
def test_short_secret_in_the_instance_folder_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("changeme")
    with pytest.raises(ConfigurationError, match="too short"):
        load({"LABHUB_INSTANCE": str(tmp_path)})


@pytest.mark.req("B11")
def test_secret_is_made_at_the_first_start_kept_and_private(tmp_path: Path) -> None:
    first = load({"LABHUB_INSTANCE": str(tmp_path)})
    again = load({"LABHUB_INSTANCE": str(tmp_path)})
    other = load({"LABHUB_INSTANCE": str(tmp_path / "other")})
    assert first.secret_key == again.secret_key != other.secret_key
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE(os.stat(tmp_path / "secret_key").st_mode) == 0o600
    assert first.secret_key not in repr(first)


@pytest.mark.req("B11")
def test_hosts_that_are_answered_for_are_never_an_empty_list(tmp_path: Path) -> None:
    config = load({"LABHUB_INSTANCE": str(tmp_path), "LABHUB_BASE_URL": "https://hub.example:8443"})
    assert config.allowed_hosts == {"127.0.0.1", "localhost", "[::1]", "hub.example"}


def test_names_of_the_test_runner_are_left_alone(tmp_path: Path) -> None:
    load({"LABHUB_INSTANCE": str(tmp_path), "LABHUB_REQUIRE": "redis", "LABHUB_TEST_X": "1"})
