"""The outbox: what people are told by mail, each thing once, however often it is said."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol


class Notice(NamedTuple):
    """One thing to be told.

    Attributes:
        id: Names the thing and its rule, by hash: the same thing is told once.
        subject: One line; never with a line break.
        body: Plain text.
        state: `queued` until it is sent, or given up.
        attempts: How often its sending was begun.
        reason: Why it was not sent yet; None where nothing went wrong.
        created_at_ms: By the database's clock.
    """

    id: str
    subject: str
    body: str
    state: Literal["queued", "sent", "failed"] = "queued"
    attempts: int = 0
    reason: str | None = None
    created_at_ms: int = 0


class Letter(NamedTuple):
    """One mail; once begun it stays of the same notices, so that whoever gets it twice can tell.

    Attributes:
        id: By hash of its notices' ids.
        notices: What it tells, the oldest first.
        attempts: How often its sending was begun, this time too.
    """

    id: str
    notices: list[Notice]
    attempts: int


class Outbox(Protocol):
    """What every video catalogue does with notices. All methods may raise `Retryable`."""

    def put_notice(self, notice_id: str, subject: str, body: str) -> bool:
        """Have a thing told; False: it was put before, and stays as it was."""

    def claim_letter(self, *, waited_s: float, limit: int, lease_s: float) -> Letter | None:
        """Give the next mail to be sent; nobody else gets it for `lease_s`; None: there is none.

        Args:
            waited_s: Notices become a mail once the oldest has waited for that long.
            limit: Most notices in one mail.
            lease_s: How long it takes at most to send it.
        """

    def end_letter(
        self,
        letter: Letter,
        state: Literal["sent", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
    ) -> bool:
        """Note what became of a claimed mail; False: it is another sender's by now."""

    def notices(self, limit: int) -> list[Notice]:
        """Return the newest notices, the newest first."""
