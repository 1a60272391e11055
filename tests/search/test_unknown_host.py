"""A server whose host's name is not known is away: so is a container that is stopped."""

from __future__ import annotations

import pytest

from frametally.errors import Retryable
from frametally_search.index.access import ElasticsearchCluster


def test_an_index_whose_hosts_name_is_not_known_is_away() -> None:
    cluster = ElasticsearchCluster("elasticsearch+http://elasticsearch.invalid", None)
    with (
        pytest.raises(Retryable, match="away, or the name is wrong; start it, or check FRAMETALLY_INDEX_URL"),
        cluster.asked() as client,
    ):
        client.info()
