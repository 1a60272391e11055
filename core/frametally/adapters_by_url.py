"""Opens the adapters behind the ports: finds each by its URL's scheme in the installed entry points.

The groups are `frametally.object_store`, `frametally.frame_log`, `frametally.count_index` and
`frametally.ledger`, and those of plug-ins, which open them themselves. An entry point's name is the scheme,
its object makes the adapter, and the extra in its brackets must be installed for it. A package with such an
entry point adds a log without an edit here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoints, PackageNotFoundError, distribution, entry_points
from typing import Any

from frametally.errors import Misconfigured
from frametally.packs.packed_store import PackedStore
from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.settings.access import LogAccess, ServerAccess, StoreAccess

_FILE = "sqlite:////absolute/file.sqlite"
_PORTS = {
    "object_store": ("FRAMETALLY_STORE_URL", "object store", "file:///absolute/folder or s3://bucket"),
    "frame_log": ("FRAMETALLY_LOG_URL", "log", f"{_FILE} or kafka://host:port"),
    "count_index": (
        "FRAMETALLY_INDEX_URL",
        "index",
        f"{_FILE}, postgresql://host/database or elasticsearch+https://host:9200",
    ),
    "ledger": ("FRAMETALLY_LEDGER_URL", "ledger", f"{_FILE} or postgresql://host/database"),
}
"""By port: the setting that names its URL, what people call it, and the known kinds of URL."""


def open_object_store(url: str, access: StoreAccess | None = None) -> ObjectStore:
    """Open the store that `url` names: `file://<absolute folder>`, created if missing, or `s3://<bucket>[/<prefix>]`.

    Without `access`, AWS's own variables and files say how to reach S3. Frames may be in packs.

    Raises:
        Misconfigured: An unknown kind of URL, a folder that cannot be written, or an S3 store that refuses us
            or does not have the bucket.
        Retryable: The S3 store does not answer.
    """
    return PackedStore(adapter("object_store", url)(url, access=access))


def open_frame_log(url: str, access: LogAccess | None = None, *, lease_s: float = 10.0) -> FrameLog:
    """Open the log that `url` names.

    `sqlite:///<absolute file>` is a file, created if missing; `kafka://host:port,host:port` is a Kafka
    cluster, which is not contacted before the first call.

    After `lease_s` seconds without a poll a consumer loses its partitions to others.

    Raises:
        Misconfigured: An unknown kind of URL, a file that cannot be written, or a missing setting.
    """
    log: FrameLog = adapter("frame_log", url)(url, access=access, lease_s=lease_s)
    return log


def open_count_index(url: str, access: ServerAccess | None = None) -> CountIndex:
    """Open the index that `url` names.

    `sqlite:///<absolute file>`, `postgresql://host/database` or `elasticsearch+https://host:9200` (optionally
    followed by `/alias`); created if missing.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    index: CountIndex = adapter("count_index", url)(url, access=access)
    return index


def open_ledger(url: str, access: ServerAccess | None = None) -> Ledger:
    """Open the ledger that `url` names: `sqlite:///<absolute file>` or `postgresql://host/database`.

    Creates its tables, and SQLite's file, if they are missing.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    ledger: Ledger = adapter("ledger", url)(url, access=access)
    return ledger


@cache
def _own_entry_points() -> EntryPoints:
    try:
        return distribution("frametally").entry_points
    except PackageNotFoundError:
        return EntryPoints()


@cache  # other schemes read the metadata of every installed package: once is enough
def _entry_points(group: str, scheme: str) -> EntryPoints:
    """Return the adapters of a port: only ours, which load fast, if one of them has the scheme."""
    own_points = _own_entry_points().select(group=group)
    return own_points if scheme in own_points.names else entry_points(group=group)


def adapter(port: str, url: str, words: tuple[str, str, str] | None = None) -> Callable[..., Any]:
    """Return the callable that makes the adapter of a port for the scheme of `url`.

    Args:
        port: The entry points' group, after `frametally.`.
        url: Where it is.
        words: As in `_PORTS`, for a port that only a plug-in knows.

    Raises:
        Misconfigured: An unknown kind of URL, or a client that is not installed.
    """
    setting, kind, examples = words or _PORTS[port]
    scheme = url.partition("://")[0]
    adapters = _entry_points(f"frametally.{port}", scheme)
    if not adapters:
        raise Misconfigured(
            "frametally is not installed here, so it cannot find any of its adapters: run `pip install -e "
            ".` in its folder"
        )
    if scheme not in adapters.names:
        raise Misconfigured(f"{setting}={url!r}: this kind of {kind} is not supported; use {examples}")
    point = adapters[scheme]
    try:
        make: Callable[..., Any] = point.load()
    except ModuleNotFoundError as error:
        package = point.dist.name if point.dist else "frametally"
        extras = f"[{','.join(point.extras)}]" if point.extras else ""
        raise Misconfigured(
            f"{setting}={url!r}: {error.name} is not installed; run pip install '{package}{extras}'"
        ) from error
    return make


def tables_line(what: str, url: str, access: ServerAccess, open_at: Callable[..., Any]) -> str:
    """Create or upgrade a database's tables by opening it; SQLite's are created at the first write."""
    if url.startswith("sqlite:"):
        return f"{what}: {url} needs no setup"
    open_at(url, access).close()
    return f"{what}: {url} has its tables"
