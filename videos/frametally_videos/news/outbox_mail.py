"""Sends what waits in the outbox: one mail of what came within `FRAMETALLY_MAIL_DIGEST_S`, whoever works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.mail.server import MailServer
from frametally.process import failpoints
from frametally.process.retrying import OnceAMinute
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings
from frametally_videos.news.letters import message_of
from frametally_videos.ports.outbox import Letter, Outbox

_LOOK_EVERY_S = 1.0
_MOST_NOTICES = 100
_LEASE_S = 180.0
_MOST_ATTEMPTS = 100
"""With these pauses, four days."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 15.0, float(HOUR_S)
_END_WITHIN_S = 5.0


class Mailer:
    """Sends mails; several processes may do so from one outbox."""

    def __init__(self, settings: Settings, outbox: Outbox, say: Callable[[str], None]) -> None:
        """Send nothing yet; lines go to `say`, at most one a minute of each kind."""
        self._settings = settings
        self._outbox = outbox
        self._server = MailServer(settings.smtp_url, settings.smtp_access)
        self._say = OnceAMinute(say)

    def send(self, *, waited_s: float | None = None) -> int:
        """Send what waits, once the oldest of it has waited for long enough; return how many mails were sent.

        A server that is away, or that cannot be logged in to, is tried again later, up to an hour later.

        Raises:
            Retryable: The catalogue is away.
        """
        if waited_s is None:
            waited_s = self._settings.mail_digest_s
        sent = 0
        while letter := self._outbox.claim_letter(waited_s=waited_s, limit=_MOST_NOTICES, lease_s=_LEASE_S):
            failpoints.passing("mail.claimed")
            if not self._send(letter):
                break
            sent += 1
        return sent

    def _send(self, letter: Letter) -> bool:
        try:
            refused = self._server.send(message_of(letter, self._settings))
        except (Retryable, Misconfigured) as error:
            self._put_off(letter, error)
            return False
        except Poison as error:
            self._say("refused", f"mail: {error}")
            self._outbox.end_letter(letter, "failed", reason=str(error))
            return False
        failpoints.passing("mail.taken")
        if refused:
            self._say("refused", f"mail: {refused}")
        self._outbox.end_letter(letter, "sent", reason=refused)
        failpoints.passing("mail.noted")
        return True

    def _put_off(self, letter: Letter, error: FrametallyError) -> None:
        if letter.attempts >= _MOST_ATTEMPTS:
            self._say("given up", f"mail: given up after {letter.attempts} attempts: {error}")
            self._outbox.end_letter(letter, "failed", reason=str(error))
            return
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(letter.attempts - 1, 16), _LONGEST_PAUSE_S)
        self._say("later", f"mail: {error}; again in {pause_s:.0f} s")
        self._outbox.end_letter(letter, "queued", reason=str(error), again_after_s=pause_s)


@contextmanager
def mailing(
    settings: Settings, outbox: Outbox, say: Callable[[str], None], *, all_at_end: bool
) -> Iterator[None]:
    """While it lasts, send what comes into the outbox, in a thread of its own; nothing where nobody is told.

    Args:
        settings: Say by which server, and to whom.
        outbox: Threads may share it.
        say: Is told what goes wrong.
        all_at_end: Whether at the end is sent what would have waited for more.
    """
    if not settings.mail_receivers:
        yield
        return
    mailer = Mailer(settings, outbox, say)
    stop = threading.Event()
    # A server that does not answer does not hold up the end: whoever comes next sends the same mail.
    thread = threading.Thread(target=_send_on, args=(mailer, say, stop), name="mail", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_END_WITHIN_S)
    if all_at_end and not thread.is_alive():
        try:
            mailer.send(waited_s=0)
        except FrametallyError as error:
            say(f"mail: waits for the next worker: {error}")


def _send_on(mailer: Mailer, say: Callable[[str], None], stop: threading.Event) -> None:
    once_a_minute = OnceAMinute(say)
    while not stop.wait(_LOOK_EVERY_S):
        try:
            mailer.send()
        except FrametallyError as error:
            once_a_minute("outbox", f"mail: waiting, and trying again: {error}")
