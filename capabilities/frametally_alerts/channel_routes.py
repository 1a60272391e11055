"""Handles requests to add, replace, test and delete channels; no answer repeats an address."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from frametally.actions.calls import NOTHING, Reply, Sent, answer_with
from frametally.actions.parameters import Args, in_path
from frametally.actions.problems import Problem, as_sentence, bad_parameter, ended
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.process.allowed_addresses import AddressRefused
from frametally_alerts import answers
from frametally_alerts.channels.channel_kinds import MOST_CHANNELS, AlertChannel, NoChannelKey, seal_channel
from frametally_alerts.message_routes import ALERTS
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.rule_form import ChannelAddress, ChannelWanted
from frametally_web.books.context import ActionContext

_CHANNEL = Sent(ChannelWanted, "channel")
_ADDRESS = Sent(ChannelAddress, "address of a channel")
_NAME = in_path("name", "Name of the channel.", "ops")
_MOST_USERS = 5
_tests = threading.BoundedSemaphore(2)
"""A test blocks a thread that answers requests until its receiver has finished."""


@dataclass(frozen=True)
class ChannelRoutes:
    """The handlers of one application."""

    context: ActionContext

    @property
    def opened(self) -> OpenedAlerts:
        """The alert book."""
        return self.context.shared(OpenedAlerts)

    @ALERTS.route(
        "POST alerts/channels",
        "Add a channel: a webhook, an MQTT topic or e-mail addresses. No answer shows its address again.",
        body=_CHANNEL,
        statuses=(409,),
        success={201: "The channel is added."},
        right="run",
    )
    def post_channel(self, _: Args) -> answers.ToldChannel:
        self._check()
        wanted = _CHANNEL.read()
        channel, sealed = self._seal(wanted.name, wanted.url)
        book = self.opened.book
        if len(book.sealed_channels()) >= MOST_CHANNELS:
            raise Problem(
                409, f"You already have {MOST_CHANNELS} channels, the maximum.", remedy="Delete one first."
            )
        if self.opened.is_of_settings(channel.name) or not book.add_channel(channel.name, sealed):
            raise Problem(
                409,
                "There is already a channel with that name.",
                remedy="Choose another name, or replace the channel.",
            )
        answer_with(201)
        return answers.channel_of(channel, book.waiting().get(channel.name, 0))

    @ALERTS.route(
        "PUT alerts/channels/{name}",
        "Replace the address of a channel that was added here; waiting messages go to the new address.",
        _NAME,
        body=_ADDRESS,
        statuses=(409,),
        right="run",
    )
    def put_channel(self, args: Args) -> answers.ToldChannel:
        self._check()
        name = _NAME.read(args)
        self._check_own(name)
        channel, sealed = self._seal(name, _ADDRESS.read().url)
        if not self.opened.book.replace_channel(name, sealed):
            raise _no_channel()
        return answers.channel_of(channel, self.opened.book.waiting().get(name, 0))

    @ALERTS.route(
        "DELETE alerts/channels/{name}",
        "Delete a channel that was added here, and its waiting messages.",
        _NAME,
        statuses=(409,),
        success={204: "The channel is deleted."},
        right="run",
    )
    def delete_channel(self, args: Args) -> Reply:
        """Delete a channel that no rule and no report uses."""
        self._check()
        name = _NAME.read(args)
        self._check_own(name)
        users = self.opened.users_of(name)
        if users:
            raise Problem(
                409,
                f"Rules or reports use this channel: {', '.join(users[:_MOST_USERS])}.",
                remedy="Choose another channel for them, or delete them first.",
            )
        if not self.opened.book.remove_channel(name):
            raise _no_channel()
        return NOTHING

    @ALERTS.route(
        "POST alerts/channels/{name}/test",
        "Send a test message through a channel now.",
        _NAME,
        statuses=(409,),
        success={204: "The channel accepted the test."},
        right="run",
    )
    def post_test(self, args: Args) -> Reply:
        """Send a test by a channel before waiting messages."""
        self._check()
        if not _tests.acquire(blocking=False):
            raise Problem(
                503, "Other channels are being tested at the moment.", remedy="Try again in a few seconds."
            )
        try:
            is_there = self.opened.send_test(_NAME.read(args))
        except (Poison, Misconfigured) as error:
            raise Problem(409, ended(f"{error}"), remedy="Correct this, and send the test again.") from error
        except Retryable as error:
            raise Problem(503, ended(f"{error}"), remedy="Send the test again later.") from error
        finally:
            _tests.release()
        if not is_there:
            raise _no_channel()
        return NOTHING

    def _check(self) -> None:
        if self.opened.remedy is not None:
            raise Problem(403, "You cannot change channels here.", remedy=self.opened.remedy)

    def _check_own(self, name: str) -> None:
        if self.opened.is_of_settings(name):
            raise Problem(
                409,
                "This channel is defined in the server's settings.",
                remedy="Change FRAMETALLY_ALERT_CHANNELS, and restart frametally.",
            )

    def _seal(self, name: str, url: str) -> tuple[AlertChannel, str]:
        try:
            return seal_channel(self.opened.settings, name, url)
        except NoChannelKey as error:
            raise Problem(
                409,
                "frametally has no key with which to encrypt the address of a channel.",
                remedy="Set FRAMETALLY_ALERT_KEY to at least 32 characters, and restart frametally.",
            ) from error
        except AddressRefused as error:
            raise bad_parameter(
                "url", as_sentence(error.detail), remedy=error.request or "Choose another address."
            ) from error
        except Misconfigured as error:
            raise bad_parameter(
                "url", as_sentence(f"{error}"), remedy="Write an address such as https://host/hook."
            ) from error


def _no_channel() -> Problem:
    return Problem(
        404, "There is no channel with that name.", remedy="GET /api/v1/alerts lists all channels."
    )
