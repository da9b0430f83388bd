"""The way out for mail: files in the instance folder by default, SMTP when ``MAIL_URL`` names a server."""

import os
import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from labhub import clock, outbox
from labhub.config import Config
from labhub.db import transaction

TIMEOUT_SECONDS = 20


class Postman(Protocol):
    """Something that takes a finished message away, or raises ``OSError``."""

    def deliver(self, message: EmailMessage, number: int) -> None: ...


class FilePostman:
    """Keeps each message as a file ``mail/<number>.eml`` of the instance folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, message: EmailMessage, number: int) -> None:
        """Write the message; a second delivery of the same number replaces the first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{number:08d}.eml"
        part = path.with_suffix(".part")
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(message.as_bytes(policy=SMTP))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


class SmtpPostman:
    """Hands each message to the server of ``MAIL_URL``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "smtps"
        self.host = parts.hostname or "localhost"
        self.port = parts.port or (465 if self.secure else 25)
        self.username = unquote(parts.username or "")
        self.password = unquote(parts.password or "")

    def deliver(self, message: EmailMessage, number: int) -> None:
        """Send one message; every failure is an ``OSError`` (``smtplib``'s are)."""
        connect = smtplib.SMTP_SSL if self.secure else smtplib.SMTP
        with connect(self.host, self.port, timeout=TIMEOUT_SECONDS) as server:
            if not self.secure and server.has_extn("starttls"):
                server.starttls()
            if self.username:
                server.login(self.username, self.password)
            server.send_message(message)


def postman_for(config: Config) -> Postman:
    """Return the way out that the settings name."""
    return SmtpPostman(config.mail_url) if config.mail_url else FilePostman(config.instance / "mail")


def compose(mail: outbox.OutgoingMail, sender: str) -> EmailMessage:
    """Return the message of a row; the e-mail library refuses line ends in a header."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(idstring=f"mail-{mail.id}", domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    return message


def send_due(postman: Postman, sender: str) -> int:
    """Send what waits, each mail in a transaction of its own; return how many left."""
    sent = 0
    for mail_id in outbox.due():
        with transaction():
            mail = outbox.claim(mail_id)
        if mail is None:
            continue
        try:
            postman.deliver(compose(mail, sender), mail.id)
            failure = ""
        except (OSError, ValueError) as error:  # ValueError: an address the library will not write
            failure = f"{type(error).__name__}: {error}"
        with transaction() as session:
            mail = session.get_one(outbox.OutgoingMail, mail_id)
            if failure:
                outbox.mark_failed(mail, failure)
            else:
                outbox.mark_sent(mail)
                sent += 1
    return sent
