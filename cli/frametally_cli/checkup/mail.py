"""The mail server: logged in to, and nothing sent."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.errors import FrametallyError
from frametally.mail.server import MailServer
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding, shown


def mail_rows(settings: Settings) -> Iterator[Finding]:
    """Try the mail server out, if one is set; who is told is not shown."""
    url = settings.smtp_url
    if not url:
        if settings.mail_to:
            yield Finding("mail", "no server", "nobody is told", "FRAMETALLY_SMTP_URL names one")
        return
    name = shown("url", url)
    try:
        MailServer(url, settings.smtp_access).try_out()
    except FrametallyError as error:
        yield Finding("mail", name, "not usable", remedy=str(error))
        return
    done = "logged in" if settings.smtp_user else "reached, without a log-in"
    number = len(settings.mail_receivers)
    note = f"addresses that are told: {number}" if number else "nobody is told: FRAMETALLY_MAIL_TO says who"
    yield Finding("mail", name, done, note)
