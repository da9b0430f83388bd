"""Mail: a row in the transaction, sent later, never lost and never twice."""

import os
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from labhub import mail, outbox
from labhub.db import db, transaction
from labhub.i18n import _
from tests.conftest import FakeClock, FakePostman


def queue(recipient: str = "amina@example.org", subject: str = "Hello") -> None:
    with transaction():
        outbox.add(recipient, subject, "A text.\n")


def test_mail_is_kept_as_a_file_by_default(app: Flask) -> None:
    queue(subject="Bonjour à tous")
    config = app.extensions["labhub.config"]
    postman = mail.postman_for(config)
    assert mail.send_due(postman, config.mail_from) == 1
    assert mail.send_due(postman, config.mail_from) == 0
    (path,) = Path(config.instance, "mail").glob("*.eml")
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert (message["To"], message["Subject"]) == ("amina@example.org", "Bonjour à tous")
    assert message["Auto-Submitted"] == "auto-generated"
    assert os.stat(path).st_mode & 0o077 == 0


def test_no_mail_for_a_change_that_was_rolled_back(app: Flask) -> None:
    with pytest.raises(RuntimeError), transaction():
        outbox.add("amina@example.org", "Hello", "Text")
        raise RuntimeError
    assert outbox.due() == []


@pytest.mark.req("F6")
def test_a_server_that_is_down_delays_and_loses_nothing(app: Flask, fake_clock: FakeClock) -> None:
    postman = FakePostman(down=True)
    queue()
    assert mail.send_due(postman, "labhub@localhost") == 0
    assert outbox.due() == []  # not at once again
    row = db.session.scalars(select(outbox.OutgoingMail)).one()
    assert "ConnectionRefusedError" in row.last_error
    fake_clock.forward(hours=1)
    postman.down = False
    assert mail.send_due(postman, "labhub@localhost") == 1
    assert len(postman.messages) == 1
    fake_clock.forward(days=1)
    assert mail.send_due(postman, "labhub@localhost") == 0


@pytest.mark.req("F6")
def test_after_two_days_a_mail_is_given_up_and_kept(app: Flask, fake_clock: FakeClock) -> None:
    postman = FakePostman(down=True)
    queue()
    for _round in range(60):
        mail.send_due(postman, "labhub@localhost")
        fake_clock.forward(hours=1)
    row = db.session.scalars(select(outbox.OutgoingMail)).one()
    assert row.next_try_at is None
    assert row.sent_at is None
    assert row.last_error


@pytest.mark.req("C6")
@pytest.mark.parametrize(
    "text", ["a\r\nBcc: eve@example.org", "a\nX-Evil: 1", "a\u2028b", "\tb", "=?utf-8?q?=0ABcc:_e?="]
)
def test_no_header_comes_from_user_text(app: Flask, text: str) -> None:
    postman = FakePostman()
    queue(subject=text)
    mail.send_due(postman, "labhub@localhost")
    (message,) = postman.messages
    names = {name.casefold() for name in message_from_bytes(message.as_bytes(), policy=default)}
    assert not names & {"bcc", "x-evil", "cc"}


def test_an_address_that_mail_cannot_carry_does_not_stop_the_others(app: Flask) -> None:
    postman = FakePostman()
    queue(recipient="bad\r\nBcc: eve@example.org")
    queue(recipient="good@example.org")
    assert mail.send_due(postman, "labhub@localhost") == 1
    assert [message["To"] for message in postman.messages] == ["good@example.org"]


def test_a_mail_is_written_in_its_readers_language(app: Flask) -> None:
    with transaction():
        row = outbox.add("a@example.org", _("labhub: set a new password"), _("Not allowed"), language="ar")
    assert re.search(r"[\u0600-\u06FF]", row.subject)
    assert re.search(r"[\u0600-\u06FF]", row.body)


def test_smtp_is_spoken_to_the_named_server(app: Flask) -> None:
    postman = mail.SmtpPostman("smtp://user%40x:p%20w@127.0.0.1:2525")
    assert (postman.host, postman.port, postman.username, postman.password) == (
        "127.0.0.1",
        2525,
        "user@x",
        "p w",
    )
    message = EmailMessage()
    with pytest.raises(OSError, match="efused"):
        mail.SmtpPostman("smtp://127.0.0.1:1").deliver(message, 1)
