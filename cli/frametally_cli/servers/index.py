"""`frametally setup` for count index, ledger and catalogue: tables, or the template, index and alias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from frametally.errors import Misconfigured
from frametally.opening import open_count_index, open_ledger, open_video_catalogue
from frametally.settings.loading import Settings


def index_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the count index: what it must have, and the rights of the user that is set.

    Raises:
        Misconfigured: A right is missing, or the index is another program's.
        Retryable: Its server is away for now.
    """
    url, access = settings.index_url, settings.index_access
    if url.startswith("sqlite:"):
        yield f"index: {url} needs no setting up"
        return
    if url.startswith("elasticsearch+"):
        yield from _elasticsearch(settings, stages, check_only)
        return
    # A database has its tables made, or upgraded, by whoever opens it.
    with closing(open_count_index(url, access)):
        yield f"index: {url} has its tables"


def ledger_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the ledger: its tables.

    Raises:
        Misconfigured: A right is missing, or the database is another program's.
        Retryable: Its server is away for now.
    """
    url = settings.ledger_url
    if url.startswith("sqlite:"):
        yield f"ledger: {url} needs no setting up"
        return
    with closing(open_ledger(url, settings.ledger_access)):
        yield f"ledger: {url} has its tables"


def catalogue_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the catalogue of videos: its tables.

    Raises:
        Misconfigured: A right is missing, or the database is another program's.
        Retryable: Its server is away for now.
    """
    url = settings.catalogue_url
    if url.startswith("sqlite:"):
        yield f"catalogue: {url} needs no setting up"
        return
    with closing(open_video_catalogue(url, settings.catalogue_access)):
        yield f"catalogue: {url} has its tables"


def _elasticsearch(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    try:
        from frametally_search.index import layout
        from frametally_search.index.access import ElasticsearchCluster
        from frametally_search.index.rights import STAGES, missing_rights
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
