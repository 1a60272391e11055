"""Opens Elasticsearch as the count index; names the package to install if its client is missing."""

from __future__ import annotations

from frametally.errors import Misconfigured
from frametally.ports.count_index import CountIndex
from frametally.settings.access import ServerAccess


def open_elasticsearch(url: str, access: ServerAccess | None = None) -> CountIndex:
    """Open the index that `url` names: `elasticsearch+https://host:9200[/alias]`. Raises `Misconfigured`."""
    try:
        from frametally_search.index.search_index import ElasticsearchIndex
    except ImportError as error:
        raise Misconfigured(
            "FRAMETALLY_INDEX_URL is an Elasticsearch address, but its client is not installed "
            f'({error}): run pip install "frametally[search]"'
        ) from error
    return ElasticsearchIndex(url, access=access)
