"""A mail of notices, as it is sent."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from frametally.files.names import one_line
from frametally.settings.mail import MailSettings
from frametally_videos.ports.outbox import Letter

_BETWEEN = f"\n\n{'-' * 60}\n\n"


def message_of(letter: Letter, settings: MailSettings) -> EmailMessage:
    """Return the mail of some notices: whoever gets it twice can tell by its `Message-ID`."""
    first, *others = letter.notices
    message = EmailMessage(policy=SMTP)
    more = f", and {len(others)} more" if others else ""
    message["Subject"] = f"frametally: {one_line(first.subject)}{more}"
    message["From"] = settings.mail_sender
    message["To"] = ", ".join(settings.mail_receivers)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{letter.id}@{settings.mail_sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    body = _BETWEEN.join(notice.body for notice in letter.notices)
    # As quoted-printable it goes through every server as it is, and no line of it is too long.
    message.set_content(f"{body}\n", cte="quoted-printable")
    return message
