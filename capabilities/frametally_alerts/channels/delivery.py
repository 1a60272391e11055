"""Sends waiting messages by channel, the oldest first, so that a channel that is down delays no other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from frametally.errors import Misconfigured, Retryable
from frametally.process.reports import plural
from frametally.process.retrying import OnceAMinute
from frametally.settings.loading import Settings
from frametally.work.sending import MessageState, deliver
from frametally_alerts.channels import mail_channel, webhook
from frametally_alerts.channels.channel_kinds import AlertChannel, all_channels, channels_of
from frametally_alerts.rules import Alert, AlertMessage, message_id

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook

_LEASE_S = 120.0
_TRY_S = 60.0
_FIRST_PAUSE_S = 5.0
_MOST_A_ROUND = 200
"""Most messages to send before rules are checked again."""
_AT_ONCE = 16

Send = Callable[[AlertMessage, AlertChannel, Settings], str | None]
"""Sends a message; returns a remark if it was sent with a problem."""


class SentReport(NamedTuple):
    """Numbers of messages sent, permanently refused, and put off."""

    sent: int = 0
    failed: int = 0
    put_off: int = 0


def _sender(channel: AlertChannel) -> Send:
    """Return the sender of a channel, whose library is only imported if needed."""
    try:
        if channel.kind == "mqtt":
            from frametally_alerts.channels.mqtt_channel import send as by_mqtt

            return by_mqtt
        if channel.kind == "apprise":
            from frametally_alerts.channels.apprise_channel import send as by_apprise

            return by_apprise
    except ModuleNotFoundError as error:
        extra = {"mqtt": "mqtt", "apprise": "apprise"}[channel.kind]
        raise Misconfigured(
            f"{error.name} is not installed; run pip install 'frametally[{extra}]'"
        ) from error
    return mail_channel.send if channel.kind == "mail" else webhook.send


class AlertSender:
    """Sends messages; several processes may send from the same book."""

    def __init__(self, settings: Settings, book: AlertBook, say: Callable[[str], None]) -> None:
        """Prepare to send; `say` gets at most one line of each kind a minute.

        Raises:
            Misconfigured: The channels are not configured correctly.
        """
        self._settings = settings
        self._book = book
        self._say = OnceAMinute(say)
        channels_of(settings)

    def send(self) -> SentReport:
        """Send the messages that are due.

        Raises:
            Retryable: The book is unavailable.
        """
        waiting_counts = self._book.waiting()
        usable, unreadable = all_channels(self._settings, self._book)
        for name in waiting_counts.keys() - usable.keys():
            why = (
                "which is encrypted with another FRAMETALLY_ALERT_KEY; set that key, or replace the channel"
                if name in unreadable
                else "which is neither in FRAMETALLY_ALERT_CHANNELS nor added on the page"
            )
            self._say(
                name,
                f"alerts: {plural(waiting_counts[name], 'message is', 'messages are')} waiting for {name}, "
                f"{why}",
            )
        channels = [usable[name] for name in waiting_counts if name in usable]
        if not channels:
            return SentReport()
        with ThreadPoolExecutor(min(len(channels), _AT_ONCE), "alerts") as pool:
            reports = [*pool.map(self._send_channel, channels)]
        return SentReport(*(sum(numbers) for numbers in zip(*reports, strict=True)))

    def _send_channel(self, channel: AlertChannel) -> SentReport:
        states: Counter[MessageState] = Counter()
        for _ in range(_MOST_A_ROUND):
            message = self._book.claim(channel.name, lease_s=_LEASE_S)
            if message is None:
                break
            state = deliver(
                message,
                lambda message: _send_within(_TRY_S, message, channel, self._settings),
                self._book.end,
                lambda line: self._say(channel.name, f"alerts: {channel.name}: {line}"),
                topic="alerts",
                first_pause_s=_FIRST_PAUSE_S,
            )
            states[state] += 1
            if state == "queued":
                break
        return SentReport(states["sent"], states["failed"], states["queued"])


def send_now(channel: AlertChannel, settings: Settings, time_ms: int, *, within_s: float = _TRY_S) -> None:
    """Send a test through a channel before waiting messages. Raises the errors of the channel's sender."""
    alert = Alert(
        key=f"test-{time_ms}",
        revision=1,
        state="told",
        rule="",
        what="count",
        source="",
        label="",
        start_ms=time_ms,
        detail="This is a test of the channel; nothing has happened.",
        is_test=True,
    )
    message = AlertMessage(message_id(alert, channel.name), channel.name, alert)
    _send_within(within_s, message, channel, settings)


def _send_within(
    seconds: float, message: AlertMessage, channel: AlertChannel, settings: Settings
) -> str | None:
    """Send and return the remark, waiting at most `seconds`: a server can send single bytes without end.

    Raises:
        Retryable: It has not finished; if it is sent after all, a receiver can recognise the repetition.
    """
    send = _sender(channel)
    remarks: list[str | None] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            remarks.append(send(message, channel, settings))
        except BaseException as error:  # raised in the waiting thread
            raised.append(error)

    thread = threading.Thread(target=run, name=f"alert-{channel.kind}", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not remarks:
        raise Retryable(f"{channel.place} did not finish within {seconds:.0f} s")
    return remarks[0]
