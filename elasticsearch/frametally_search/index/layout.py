"""The index in Elasticsearch: its names, its template, its mapping; made if missing, refused if another's.

The name carries the layout's version: `hadoop-object-counts-v1`. A later layout is another index, filled anew
from the object store (`frametally index`) while readers of this one go on; people's tools read by the alias.

One shard, and this is no matter of taste: a reader's point in time is one moment of all documents only if
they are in one shard, and its sequence numbers tell which run was published last. A shard holds two thousand
million documents; a camera makes about half a million a year and label at an interval of a minute.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from elasticsearch.exceptions import BadRequestError, NotFoundError

from elasticsearch import Elasticsearch
from frametally.errors import Misconfigured
from frametally_search.index.access import SETTING, ElasticsearchCluster

LAYOUT_VERSION = 1

_KEYWORD = {"type": "keyword"}
_LONG = {"type": "long"}
_TIME = {"type": "date", "format": "epoch_millis"}
_ONLY_KEPT = {"index": False, "doc_values": False}
_PROPERTIES: dict[str, Any] = {
    # Of every document: `run`, `count` or `coverage`, and the run that it belongs to.
    "kind": _KEYWORD,
    "run": _KEYWORD,
    "model": _KEYWORD,
    "interval_s": _LONG,
    "day": _KEYWORD,
    "params": _KEYWORD,
    "sequence": _LONG,
    # Of a run: that it is the day's current one. As JSON.
    "record": {"type": "keyword", **_ONLY_KEPT},
    # Of counts and coverage: of the base interval, or rolled up from there to a longer step.
    "rolled": {"type": "boolean"},
    "step_s": _LONG,
    "source": _KEYWORD,
    "interval_start_ms": _TIME,
    "frames": _LONG,
    # Of counts.
    "label": _KEYWORD,
    "detections": _LONG,
    "peak": _LONG,
    "peak_at_ms": _TIME,
    "peak_image_path": {"type": "keyword", "index": False},
    "objects": _LONG,
    "tracked_detections": _LONG,
    "evidence": {"type": "object", "enabled": False},
    # Of coverage: the first and the last base interval in it.
    "first_interval_ms": _TIME,
    "last_interval_ms": _TIME,
    "analysed_fps": {"type": "double"},
    "covered_ms": _LONG,
}
MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "_meta": {"made_by": "frametally", "layout": LAYOUT_VERSION},
    "properties": _PROPERTIES,
}
SETTINGS: dict[str, Any] = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}


def index_name(alias: str) -> str:
    """Return the name of the index that holds the alias's documents in this layout."""
    return f"{alias}-v{LAYOUT_VERSION}"


def template(alias: str) -> dict[str, Any]:
    """Return the body of the index template: whoever makes the index, it is made like this."""
    # Who looks by the alias sees each box once: runs and sums over longer steps are the adapter's own.
    seen = {"bool": {"filter": [{"terms": {"kind": ["count", "coverage"]}}, {"term": {"rolled": False}}]}}
    return {
        "index_patterns": [index_name(alias)],
        "priority": 500,
        "template": {
            "settings": SETTINGS,
            "mappings": MAPPINGS,
            "aliases": {alias: {"filter": seen}},
        },
        "meta": {"made_by": "frametally", "layout": LAYOUT_VERSION},
    }


def ensure(cluster: ElasticsearchCluster) -> None:
    """Have the index: template, index and alias are made if it is missing, fields that it lacks are added.

    Who may not add fields can read all the same.

    Raises:
        Misconfigured: It is missing and this user may not make it, or it is another's.
        Retryable: The server is away for now.
    """
    with cluster.asked() as client:
        fields = _fields(client, cluster)
    if fields is None:
        set_up(cluster)
    elif not _PROPERTIES.keys() <= fields:
        with suppress(Misconfigured):
            set_up(cluster)


def check(cluster: ElasticsearchCluster) -> None:
    """Look whether the index is there and made like this.

    Raises:
        Misconfigured: It is missing, or it is another's.
        Retryable: The server is away for now.
    """
    with cluster.asked() as client:
        fields = _fields(client, cluster)
    if fields is None:
        raise Misconfigured(f"{cluster.name} is not there: run `frametally setup`, then `frametally index`")
    if lacking := sorted(_PROPERTIES.keys() - fields):
        raise Misconfigured(
            f"{cluster.name} was made by an older frametally, without {', '.join(lacking)}: "
            "run `frametally setup`"
        )


def set_up(cluster: ElasticsearchCluster) -> None:
    """Put the template, make the index and the alias if they are missing, add fields that the index lacks.

    Doing so again changes nothing.

    Raises:
        Misconfigured: This user may not.
        Retryable: The server is away for now.
    """
    with cluster.asked() as client:
        client.indices.put_index_template(name=cluster.alias, **template(cluster.alias))
        try:
            client.indices.create(index=index_name(cluster.alias))
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
            if not _PROPERTIES.keys() <= (_fields(client, cluster) or set()):
                client.indices.put_mapping(index=index_name(cluster.alias), properties=_PROPERTIES)


def _fields(client: Elasticsearch, cluster: ElasticsearchCluster) -> set[str] | None:
    """Return the fields of the index; None if it is missing."""
    name = index_name(cluster.alias)
    try:
        mapping = client.indices.get_mapping(index=name)
        settings = client.indices.get_settings(index=name, name="index.number_of_shards")
    except NotFoundError:
        return None
    found = mapping.get(name, {}).get("mappings", {})
    layout, dynamic = found.get("_meta", {}).get("layout"), found.get("dynamic")
    if layout != LAYOUT_VERSION or dynamic != "strict":
        raise Misconfigured(
            f"{cluster.name}: {name} is another program's index; name another alias in {SETTING}, or remove "
            "the index and run `frametally setup`, then `frametally index`"
        )
    shards = settings.get(name, {}).get("settings", {}).get("index", {}).get("number_of_shards")
    if shards != "1":
        raise Misconfigured(
            f"{cluster.name}: {name} has {shards} shards, and readers see one moment of one only; remove it "
            "and run `frametally setup`, then `frametally index`"
        )
    return {*found.get("properties", {})}
