"""`frametally setup` for databases: tables, or the template, index and alias."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from frametally.errors import Misconfigured
from frametally.opening import open_count_index, open_ledger
from frametally.settings.access import ServerAccess
from frametally.settings.loading import Settings


class _Closes(Protocol):
    def close(self) -> None: ...


def index_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the count index: what it must have, and the rights of the user that is set.

    Raises:
        Misconfigured: A right is missing, or the index is another program's.
        Retryable: Its server is away for now.
    """
    if settings.index_url.startswith("elasticsearch+"):
        yield from _elasticsearch(settings, stages, check_only)
    else:
        yield tables_line("index", settings.index_url, settings.index_access, open_count_index)


def ledger_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the ledger: its tables. Raises as `index_part`."""
    yield tables_line("ledger", settings.ledger_url, settings.ledger_access, open_ledger)


def tables_line(what: str, url: str, access: ServerAccess, open_at: Callable[..., _Closes]) -> str:
    """Have a database's tables made, or upgraded, by opening it; SQLite's are made by whoever writes."""
    if url.startswith("sqlite:"):
        return f"{what}: {url} needs no setting up"
    open_at(url, access).close()
    return f"{what}: {url} has its tables"


def _elasticsearch(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    try:
        from frametally_search.index import layout
        from frametally_search.index.access import ElasticsearchCluster
        from frametally_search.index.stage_rights import STAGES, missing_rights
    except ImportError as error:
        raise Misconfigured(
            f'the client of Elasticsearch is not installed ({error}): pip install "frametally[search]"'
        ) from error

    with closing(ElasticsearchCluster(settings.index_url, settings.index_access)) as cluster:
        for stage in stages:
            missing = missing_rights(cluster, stage) if stage in STAGES else []
            if missing:
                raise Misconfigured(
                    f"{cluster.name}: this user lacks what the stage {stage} needs: {', '.join(missing)}; "
                    "cloud-services/elasticsearch/roles.yml has a role with all of it"
                )
            if stage in STAGES:
                yield f"index: this user has every right that the stage {stage} needs"
        if not check_only:
            layout.set_up(cluster)
        layout.check(cluster)
        name = layout.index_name(cluster.alias)
        yield f"index: {cluster.name} has its template, its index {name} and its alias"
