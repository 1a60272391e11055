"""Connects to Elasticsearch and explains its refusals; names, mapping and rights of the index.

Faults that a person must mend (a name, a right, a missing index) are `Misconfigured`; temporary ones (a
server that is unreachable, too busy or out of disk) are `Retryable`; a document that it never accepts is
`Poison`.

The name contains the version of the layout: `hadoop-object-counts-v2`. A later layout is a new index, filled
from the object store (`frametally index`) while this one still has readers; people's tools read by the alias.

The index may have any number of shards. A point in time is consistent only within a shard, so the documents
that name current runs are all in one (`documents.CURRENT`). They name the documents that a reader needs,
whose bytes never change: a missing one is searched for once more, and then reported.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from elastic_transport import ConnectionError as AwayError
from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch.exceptions import BadRequestError, NotFoundError

from elasticsearch import ApiError, Elasticsearch
from frametally.errors import FrametallyError, Misconfigured, Retryable, TooOld, unknown_host
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally.rules.known import NAMES_OF_TRACKS
from frametally.rules.places import series_model
from frametally.settings.access import ServerAccess

SETTING = "FRAMETALLY_INDEX_URL"
PART = "count index"
DEFAULT_ALIAS = "hadoop-object-counts"
_DEFAULT_PORT = 9200
_REQUEST_TIMEOUT_S, _CLOSING_S = 60.0, 5.0
_ALIAS = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_SHARDS = re.compile("(?:shards=([1-9][0-9]{0,2}))?")
_USE = (
    f"use elasticsearch+https://host:9200, with /name at the end for an alias other than {DEFAULT_ALIAS}, and"
    " ?shards=3 for an index with as many shards (1 to 999)"
)


class ElasticsearchCluster:
    """An Elasticsearch cluster and an alias in it; raises frametally's errors.

    Attributes:
        name: Its name in messages: address and alias.
        alias: The alias; the indices' names begin with it.
        index: The name of the index of this layout.
        shards: The number of shards of a new index.
    """

    def __init__(self, url: str, access: ServerAccess | None) -> None:
        """Read the URL, without a request. Raises `Misconfigured`."""
        access = access or ServerAccess()
        address, self.alias, self.shards = _parsed(url)
        self.name = f"count index {address}/{self.alias}"
        self.index = index_name(self.alias)
        for library in ("elastic_transport", "elasticsearch"):
            # These loggers would report a missing answer that is raised as well.
            logging.getLogger(library).addHandler(logging.NullHandler())
        options: dict[str, Any] = {}
        if access.user:
            options["basic_auth"] = (access.user, access.password.get_secret_value())
        if access.ca_file is not None and address.startswith("https:"):
            options["ca_certs"] = str(access.ca_file)
        try:
            # The client notices a connection that the server closed at its next use, and opens it again.
            self._client = Elasticsearch(
                address,
                request_timeout=_REQUEST_TIMEOUT_S,
                max_retries=2,
                retry_on_timeout=False,
                retry_on_status=(502, 503, 504),
                connections_per_node=25,
                **options,
            )
        except (OSError, ValueError) as error:
            raise Misconfigured(
                f"{self.name}: {_line(error)}; correct FRAMETALLY_INDEX_CA_FILE, or {SETTING}"
            ) from error

    @contextmanager
    def asked(self) -> Iterator[Elasticsearch]:
        """Yield the client with the caller's time limit, and translate its exceptions.

        Raises:
            Misconfigured: The name, the password, a right or the index is wrong or missing.
            Retryable: The server is unreachable or refuses for now; `TookTooLong` at the time limit.
        """
        left_s = seconds_left()
        try:
            yield self._client if left_s is None else self._client.options(request_timeout=left_s)
        except ConnectionTimeout as error:
            if left_s is not None:
                raise TookTooLong("the count index took longer than the query's time limit") from error
            raise Retryable(
                f"{self.name}: no answer within {_REQUEST_TIMEOUT_S:g} s; check the server and try again",
                part=PART,
            ) from error
        except (ApiError, TransportError) as error:
            raise self._failure(error) from error

    def close_point(self, point: str) -> None:
        """Have the server drop a point in time, without a time limit; otherwise it expires."""
        with suppress(ApiError, TransportError):
            self._client.options(request_timeout=_CLOSING_S, max_retries=0).close_point_in_time(id=point)

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def failure_of(self, status: int, reason: str) -> FrametallyError | None:
        """Return the error for a refusal with this status and reason, or None if the document is wrong."""
        message = f"{self.name}: {reason}"
        if status == 401:
            return Misconfigured(f"{message}; correct FRAMETALLY_INDEX_USER and FRAMETALLY_INDEX_PASSWORD")
        if "cluster_block_exception" in reason:
            return Retryable(
                f"{message}; the index is read-only: free some space on the server's disks, or remove "
                "the block (index.blocks.*), and try again",
                part=PART,
            )
        if status == 503 and ("search_phase_execution" in reason or "no_shard_available" in reason):
            return Retryable(
                f"{message}; parts of the count index are missing, and frametally shows no counts without "
                "them: start the servers that have them and free disk space, or delete the index "
                f"{self.index} and run `frametally setup`, then `frametally index`",
                part=PART,
            )
        if status == 403:
            return Misconfigured(
                f"{message}; give this user the role in cloud-services/elasticsearch/roles.yml"
            )
        if "strict_dynamic_mapping_exception" in reason:
            return Misconfigured(
                f"{message}; another version of frametally created it: delete it, and run `frametally "
                "setup`, then `frametally index`"
            )
        if status == 404:
            return Misconfigured(
                f"{message}; run `frametally setup` as a user who has permission to create it"
            )
        if status in (408, 409, 429) or status >= 500:
            return Retryable(f"{message}; the server is busy or not ready: try again", part=PART)
        return None

    def _failure(self, error: ApiError | TransportError) -> FrametallyError:
        if isinstance(error, ApiError):
            reason = reason_of(error.body if isinstance(error.body, Mapping) else {}) or _line(error)
            return self.failure_of(error.meta.status, reason) or Misconfigured(
                f"{self.name}: {reason}; check that it is an Elasticsearch 8 server that frametally set up"
            )
        if isinstance(error, TlsError):
            return Misconfigured(
                f"{self.name}: {_line(error)}; correct FRAMETALLY_INDEX_CA_FILE, or the scheme in {SETTING}"
            )
        line = _line(error)
        if _is_of_an_unknown_host(error):
            return unknown_host(self.name, SETTING, part=PART)
        if isinstance(error, AwayError):
            return Retryable(f"{self.name}: {line}; check the server and try again", part=PART)
        return Misconfigured(f"{self.name}: {line}; check that it is an Elasticsearch 8 server")


def reason_of(body: Mapping[str, Any]) -> str:
    """Return the type and text of the error in an answer, on one line, from its innermost cause."""
    error = body.get("error", body)
    if not isinstance(error, Mapping):
        return " ".join(str(error).split())
    while isinstance(cause := error.get("caused_by"), Mapping):
        error = cause
    words = " ".join(str(error.get("reason", "")).split())
    return f"{error.get('type', 'error')}: {words:.400}" if error.get("type") or words else ""


def _parsed(url: str) -> tuple[str, str, int]:
    """Return address, alias and number of shards."""
    try:
        parts = urlsplit(url.removeprefix("elasticsearch+"))
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise Misconfigured(f"{SETTING} is not a URL ({error}); {_USE}") from error
    if parts.username is not None or parts.password is not None:
        raise Misconfigured(
            f"{SETTING} contains a user name or a password, but frametally shows and logs URLs: leave them "
            "out, and set FRAMETALLY_INDEX_USER and FRAMETALLY_INDEX_PASSWORD"
        )
    shards = _SHARDS.fullmatch(parts.query)
    if parts.scheme not in ("http", "https") or not parts.hostname or not shards or parts.fragment:
        raise Misconfigured(f"{SETTING}={url!r} is not the URL of an Elasticsearch server; {_USE}")
    alias = parts.path.strip("/") or DEFAULT_ALIAS
    if not _ALIAS.fullmatch(alias):
        raise Misconfigured(
            f"{SETTING}={url!r}: {alias!r} is not an alias name (a-z, 0-9, `_`, `.`, `-`); {_USE}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}", alias, int(shards[1] or 1)


def _is_of_an_unknown_host(error: BaseException | None) -> bool:
    """Return whether the first cause of `error` is an unknown host name."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        error = error.__cause__ or error.__context__
    return False


def _line(error: object) -> str:
    return f"{' '.join(str(error).split()):.400}"


LAYOUT_VERSION = 2

_KEYWORD = {"type": "keyword"}
_LONG = {"type": "long"}
_MEASURE = {"type": "long", "index": False}  # faster to index, slower to search by
_TIME = {"type": "date", "format": "epoch_millis"}
_ONLY_FOUND = {"type": "keyword", "doc_values": False}
_ONLY_KEPT = {"index": False, "doc_values": False}
_PROPERTIES: dict[str, Any] = {
    # Every document: its kind (`run`, `count`, `coverage`, `day` or `cells`) and the run that wrote it.
    "kind": _KEYWORD,
    "run": _ONLY_FOUND,
    "model": _KEYWORD,
    "interval_s": _LONG,
    "day": _KEYWORD,
    "params": _ONLY_FOUND,
    "sequence": _LONG,
    # A run: the day's current run, as JSON.
    "record": {"type": "keyword", **_ONLY_KEPT},
    # Cells: all counts and coverage of the run at one step, packed as in a SQL index, with zlib.
    "step_s": _LONG,
    "packed": {"type": "binary"},
    # Counts and coverage: rows of the base interval, for people's tools.
    "source": _KEYWORD,
    "interval_start_ms": _TIME,
    "frames": _MEASURE,
    # Counts; days have the label and their busiest frames.
    "label": _KEYWORD,
    "detections": _MEASURE,
    "peak": _MEASURE,
    **dict.fromkeys(NAMES_OF_TRACKS, _MEASURE),
    "evidence": {"type": "object", "enabled": False},
    # Coverage.
    "analysed_fps": {"type": "double", "index": False},
    "covered_ms": _MEASURE,
}
MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "_meta": {"made_by": "frametally", "layout": LAYOUT_VERSION},
    "properties": _PROPERTIES,
}


def index_name(alias: str, layout: int = LAYOUT_VERSION) -> str:
    """Return the name of the index of an alias in a layout."""
    return f"{alias}-v{layout}"


def _older_names(cluster: ElasticsearchCluster) -> list[str]:
    return [index_name(cluster.alias, layout) for layout in range(1, LAYOUT_VERSION)]


# A reader of an alias sees each box once per model: runs, days and cells are for this adapter alone, and the
# series of places repeat boxes of their model or count something else, such as milliseconds in a zone.
_ROWS = {
    "bool": {
        "filter": [{"terms": {"kind": ["count", "coverage"]}}],
        "must_not": [{"wildcard": {"model": {"value": f"*{series_model('', '')}*"}}}],
    }
}


def template(cluster: ElasticsearchCluster) -> dict[str, Any]:
    """Return the body of the template for new indices."""
    names = [cluster.alias, *_older_names(cluster)]
    return {
        "index_patterns": [cluster.index],
        "priority": 500,
        "template": {
            "settings": {"number_of_shards": cluster.shards, "auto_expand_replicas": "0-1"},
            "mappings": MAPPINGS,
            "aliases": {name: {"filter": _ROWS} for name in names},
        },
        "meta": {"made_by": "frametally", "layout": LAYOUT_VERSION},
    }


def ensure(cluster: ElasticsearchCluster) -> None:
    """Create template, index and aliases if the index is missing. Raises as `set_up`."""
    if not _exists(cluster):
        set_up(cluster)


def check(cluster: ElasticsearchCluster) -> None:
    """Check that the index exists and has this layout. Raises `Misconfigured`, `TooOld`, `Retryable`."""
    if not _exists(cluster):
        raise Misconfigured(f"{cluster.name} does not exist: run `frametally setup`, then `frametally index`")


def set_up(cluster: ElasticsearchCluster) -> None:
    """Put the template, and create the index and the aliases if missing; a second call changes nothing.

    Raises `Misconfigured` if this user lacks a right or the index belongs to another program; `TooOld` if it,
    or one that has the name of an alias, is of a version before the first release; `Retryable`.
    """
    is_there = _exists(cluster)
    with cluster.asked() as client:
        _refuse_older(client, cluster)
        body = template(cluster)
        client.indices.put_index_template(name=cluster.alias, **body)
        if not is_there:
            try:
                client.indices.create(index=cluster.index)
            except BadRequestError as error:
                if error.error != "resource_already_exists_exception":
                    raise
        else:
            client.indices.put_mapping(index=cluster.index, properties=_PROPERTIES)  # with new numbers
        aliases = body["template"]["aliases"].items()
        moves = [{"add": {"index": cluster.index, "alias": name, **how}} for name, how in aliases]
        client.indices.update_aliases(actions=moves)


def _refuse_older(client: Elasticsearch, cluster: ElasticsearchCluster) -> None:
    for name in _older_names(cluster):
        if name in client.indices.get_alias(index=name, ignore_unavailable=True):  # no alias of this layout
            raise _too_old(cluster, name)


def _too_old(cluster: ElasticsearchCluster, name: str) -> TooOld:
    remedy = f"set another alias in {SETTING}, and run `frametally setup`, then `frametally index`"
    return TooOld(f"{cluster.name} ({name})", remedy)


def _exists(cluster: ElasticsearchCluster) -> bool:
    """Return whether the index exists; refuse one of another program, or of before the first release."""
    with cluster.asked() as client:
        try:
            mapping = client.indices.get_mapping(index=cluster.index)
        except NotFoundError:
            _refuse_older(client, cluster)
            return False
    properties = mapping.get(cluster.index, {}).get("mappings", {})
    layout, dynamic = properties.get("_meta", {}).get("layout"), properties.get("dynamic")
    if layout != LAYOUT_VERSION or dynamic != "strict":
        raise Misconfigured(
            f"{cluster.name}: {cluster.index} is another program's index; set another alias in {SETTING}, or "
            "delete the index and run `frametally setup`, then `frametally index`"
        )
    if _PROPERTIES.keys() - properties.get("properties", {}):
        raise _too_old(cluster, cluster.index)
    return True


class IndexRights(NamedTuple):
    """The Elasticsearch privileges that a stage needs on the cluster and on the index."""

    on_cluster: tuple[str, ...] = ()
    on_index: tuple[str, ...] = ()


STAGES = {
    "admin": IndexRights(on_cluster=("manage_index_templates",), on_index=("create_index", "manage")),
    "search": IndexRights(on_index=("read", "index", "delete", "maintenance", "view_index_metadata")),
    "web": IndexRights(on_index=("read", "view_index_metadata")),
}
"""Rights by stage: `frametally setup`, `frametally index`, `frametally dashboard`."""


def missing_rights(cluster: ElasticsearchCluster, stage: str) -> list[str]:
    """Return the privileges that the stage needs and its user lacks, in the order of `STAGES`.

    Raises `Misconfigured` if the name or the password is refused; `Retryable`.
    """
    needed = STAGES[stage]
    name = cluster.index
    with cluster.asked() as client:
        privileges = client.security.has_privileges(
            cluster=list(needed.on_cluster),
            index=[{"names": [name], "privileges": list(needed.on_index)}],
        )
    lacks = [f"{right} (cluster)" for right in needed.on_cluster if not privileges["cluster"].get(right)]
    return lacks + [
        f"{right} ({name})" for right in needed.on_index if not privileges["index"][name].get(right)
    ]
