"""Which rights each stage needs in Elasticsearch, and which of them a user lacks.

`cloud-services/elasticsearch/roles.yml` grants the same, a role a stage; a test holds the two together.
"""

from __future__ import annotations

from typing import NamedTuple

from frametally_search.index.access import ElasticsearchCluster
from frametally_search.index.layout import index_name


class IndexRights(NamedTuple):
    """What a stage needs: Elasticsearch's privileges, on the cluster and on the index."""

    on_cluster: tuple[str, ...] = ()
    on_index: tuple[str, ...] = ()


STAGES = {
    "admin": IndexRights(on_cluster=("manage_index_templates",), on_index=("create_index", "manage")),
    "search": IndexRights(on_index=("read", "index", "delete", "maintenance", "view_index_metadata")),
    "web": IndexRights(on_index=("read", "view_index_metadata")),
}
"""By stage: `frametally setup`, `frametally index`, `frametally dashboard`."""


def missing_rights(cluster: ElasticsearchCluster, stage: str) -> list[str]:
    """Return privileges that the stage needs and the user who is logged in lacks, in the order of `STAGES`.

    Raises:
        Misconfigured: The name or the password is refused.
        Retryable: The server is away for now.
    """
    needed = STAGES[stage]
    name = index_name(cluster.alias)
    with cluster.asked() as client:
        found = client.security.has_privileges(
            cluster=list(needed.on_cluster),
            index=[{"names": [name], "privileges": list(needed.on_index)}],
        )
    lacks = [f"{right} (cluster)" for right in needed.on_cluster if not found["cluster"].get(right)]
    return lacks + [f"{right} ({name})" for right in needed.on_index if not found["index"][name].get(right)]
