"""Alerts by mail: each is one, and its corrections stand below it where mails are shown by thread."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

import msgspec

from frametally.alert_records import AlertMessage, message_id
from frametally.alerts.channels.naming import AlertChannel
from frametally.alerts.channels.words import subject_of, text_of
from frametally.errors import Misconfigured
from frametally.mail.server import MailServer
from frametally.settings.loading import Settings

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Send an alert to the channel's addresses; return who of several was refused.

    Raises:
        Misconfigured: No mail server is set.
        FrametallyError: As `MailServer.send`.
    """
    if not settings.smtp_url:
        raise Misconfigured("mail goes by a server, and FRAMETALLY_SMTP_URL names none")
    return MailServer(settings.smtp_url, settings.smtp_access).send(_mail(message, channel, settings))


def _mail(message: AlertMessage, channel: AlertChannel, settings: Settings) -> EmailMessage:
    """Return the mail: whoever gets it twice can tell by its `Message-ID`."""
    alert = message.alert
    by_name = settings.smtp_user if _ADDRESS.fullmatch(settings.smtp_user) else ""
    sender = settings.mail_from or by_name or channel.receivers[0]
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"frametally: {subject_of(alert)}"
    mail["From"] = sender
    mail["To"] = ", ".join(channel.receivers)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if alert.revision > 1:
        first = message_id(msgspec.structs.replace(alert, revision=1), channel.name)
        mail["In-Reply-To"] = mail["References"] = f"<{first}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    # As quoted-printable it goes through every server as it is, and no line of it is too long.
    mail.set_content(f"{text_of(alert, settings.web_url)}\n", cte="quoted-printable")
    return mail
