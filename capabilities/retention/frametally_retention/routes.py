"""Answers questions about the retention policy."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.ports.object_store import ObjectStore
from frametally_retention.answers import HeldRange, KeptRule, RemovedData, Retention
from frametally_retention.policy import read_policy
from frametally_web.requests.answers import answer_of
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.parameters import Args

RETENTION = Routes("Retention")


def retention_answer(store: ObjectStore) -> Retention:
    """Return the policy as the API and the page show it. Raises as `read_policy`."""
    policy = read_policy(store)
    return answer_of(
        Retention,
        (policy,),
        rules=[answer_of(KeptRule, (rule,)) for rule in policy.rules],
        holds=[answer_of(HeldRange, (hold,)) for hold in policy.holds],
        removed=[answer_of(RemovedData, (row,)) for row in policy.removed],
    )


@dataclass(frozen=True)
class RetentionRoutes:
    """The handlers of one application."""

    store: ObjectStore

    @RETENTION.route("GET retention", "Show what is removed when, holds, and the last round.", right="run")
    def retention(self, _: Args) -> Retention:
        return retention_answer(self.store)
