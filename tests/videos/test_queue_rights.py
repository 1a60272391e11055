"""What workers may do at the stack's message broker."""

from __future__ import annotations

import json
import re

from frametally_cloud.queue_rights import EXCHANGES, QUEUE_USERS, queue_definitions
from frametally_videos.amqp.topology import DEAD_LETTERS, EXCHANGE, QUEUES_THERE


def test_workers_have_frametallys_queues_alone_and_who_looks_at_the_page_has_none() -> None:
    told = json.loads(queue_definitions(dict.fromkeys(QUEUE_USERS.values(), "x")))
    rights = {one["user"]: one for one in told["permissions"]}
    assert {(one["name"], one["tags"]) for one in told["users"]} == {
        ("frametally", ""),
        ("frametally-viewer", "monitoring"),
    }
    assert {EXCHANGE.name, DEAD_LETTERS.exchange.name} == set(EXCHANGES)
    theirs = [EXCHANGE.name, DEAD_LETTERS.name, *(queue.name for queue in QUEUES_THERE.values())]
    for what in ("configure", "write", "read"):
        assert all(re.search(rights["frametally"][what], name) for name in theirs)
        assert not any(
            re.search(rights["frametally"][what], name) for name in ("amq.direct", "media2", "a.media")
        )
        assert not any(re.search(rights["frametally-viewer"][what], name) for name in theirs)
