"""Sends alerts by mail: one mail each, with corrections in the alert's thread.

The mail of a report contains its summary; its other files are attached.
"""

from __future__ import annotations

import mimetypes
import re
from contextlib import closing
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

import msgspec

from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Poison
from frametally.mail import MailServer
from frametally.ports.object_store import ObjectMissing
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import AlertChannel
from frametally_alerts.channels.wording import subject_of, text_of
from frametally_alerts.reports.due_reports import SUMMARY
from frametally_alerts.rules import Alert, AlertMessage, message_id

_MOST_BYTES = 10_000_000
"""Many mail servers refuse larger mails; larger files are only listed, and stay in the store."""
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Send an alert to the channel's addresses; return a remark if some of them were refused.

    Raises:
        Misconfigured: No mail server is configured.
        Poison: A file of a report is gone.
        FrametallyError: See `MailServer.send`.
    """
    if not settings.smtp_url:
        raise Misconfigured("mail needs a server: set FRAMETALLY_SMTP_URL")
    return MailServer(settings.smtp_url, settings.smtp_access).send(_mail(message, channel, settings))


def _mail(message: AlertMessage, channel: AlertChannel, settings: Settings) -> EmailMessage:
    """Return the mail; receivers recognise repetitions by its `Message-ID`."""
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
    files = _files_of(alert, settings)
    text = text_of(alert, settings.web_url)
    if summary := files.pop(SUMMARY, b"").decode():
        text = f"{summary}\n{text}"
    # Quoted-printable passes every server unchanged, and keeps lines short.
    mail.set_content(f"{text}\n", cte="quoted-printable")
    for name, data in files.items():
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        mail.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return mail


def _files_of(alert: Alert, settings: Settings) -> dict[str, bytes]:
    """Return the files of a report that fit into a mail, by name, in order."""
    files: dict[str, bytes] = {}
    if not alert.files:
        return files
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        try:
            for key in alert.files:
                data = store.get(key)
                if len(data) + sum(map(len, files.values())) <= _MOST_BYTES:
                    files[key.rpartition("/")[2]] = data
        except ObjectMissing as error:
            raise Poison(f"a file of the report is missing from the store: {error}") from error
    return files
