"""Opens the adapters behind the ports: each is found by its URL's scheme, among the installed entry points.

The groups are `frametally.object_store`, `frametally.frame_log`, `frametally.count_index`,
`frametally.ledger`, `frametally.video_catalogue`, `frametally.access_book`, `frametally.alert_book`,
`frametally.audit_book`, `frametally.kept_books`, `frametally.gold` and `frametally.task_queue`; an entry
point's name is the scheme, its object makes the adapter, and the extra in its brackets is what must be
installed for it. Another log is a package with such a line, and no edit here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoints, PackageNotFoundError, distribution, entry_points
from typing import TYPE_CHECKING, Any

from frametally.backup_records import KeptBooks
from frametally.errors import Misconfigured
from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.settings.access import LogAccess, ServerAccess, StoreAccess
from frametally_accounts.book_port import AccessBook
from frametally_gold.gold_port import Gold
from frametally_videos.ports.task_queue import TaskQueue
from frametally_videos.ports.video_catalogue import VideoCatalogue

if TYPE_CHECKING:
    from frametally_accounts.audit.book import SqlAuditBook
    from frametally_alerts.book import SqlAlertBook

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
    "video_catalogue": (
        "FRAMETALLY_CATALOGUE_URL",
        "video catalogue",
        f"{_FILE} or postgresql://host/database",
    ),
    "access_book": ("FRAMETALLY_CATALOGUE_URL", "access book", f"{_FILE} or postgresql://host/database"),
    "alert_book": ("FRAMETALLY_CATALOGUE_URL", "alert book", f"{_FILE} or postgresql://host/database"),
    "audit_book": ("FRAMETALLY_CATALOGUE_URL", "audit book", f"{_FILE} or postgresql://host/database"),
    "kept_books": ("FRAMETALLY_CATALOGUE_URL", "catalogue", f"{_FILE} or postgresql://host/database"),
    "gold": ("FRAMETALLY_GOLD_URL", "gold database", f"{_FILE} or postgresql://host/database"),
    "task_queue": (
        "FRAMETALLY_QUEUE_URL",
        "queue",
        "amqp://host, amqps://host or nothing for the video catalogue's own",
    ),
}
"""By port: the setting that names its URL, what people call it, and the kinds of URL that are known."""


def open_object_store(url: str, access: StoreAccess | None = None) -> ObjectStore:
    """Open the store that `url` names: `file://<absolute folder>`, made if missing, or `s3://<bucket>[/<prefix>]`.

    Without `access` an S3 store is reached as AWS's own variables and files say.

    Raises:
        Misconfigured: An unknown kind of URL, a folder that cannot be written, or an S3 store that refuses
            us or has no such bucket.
        Retryable: The S3 store does not answer.
    """
    store: ObjectStore = _adapter("object_store", url)(url, access=access)
    return store


def open_frame_log(url: str, access: LogAccess | None = None, *, lease_s: float = 10.0) -> FrameLog:
    """Open the log that `url` names.

    `sqlite:///<absolute file>` is a file, made if missing; `kafka://host:port,host:port` a Kafka cluster, of
    which nothing is asked before the first call.

    After `lease_s` seconds without a poll a consumer's partitions go to others.

    Raises:
        Misconfigured: An unknown kind of URL, a file that cannot be written, or a setting that is missing.
    """
    log: FrameLog = _adapter("frame_log", url)(url, access=access, lease_s=lease_s)
    return log


def open_count_index(url: str, access: ServerAccess | None = None) -> CountIndex:
    """Open the index that `url` names.

    `sqlite:///<absolute file>`, `postgresql://host/database` or `elasticsearch+https://host:9200` (also with
    `/alias` behind it); made if it is missing.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    index: CountIndex = _adapter("count_index", url)(url, access=access)
    return index


def open_ledger(url: str, access: ServerAccess | None = None) -> Ledger:
    """Open the ledger that `url` names: `sqlite:///<absolute file>` or `postgresql://host/database`.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    ledger: Ledger = _adapter("ledger", url)(url, access=access)
    return ledger


def open_video_catalogue(url: str, access: ServerAccess | None = None) -> VideoCatalogue:
    """Open the catalogue that `url` names: `sqlite:///<absolute file>` or `postgresql://host/database`.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    catalogue: VideoCatalogue = _adapter("video_catalogue", url)(url, access=access)
    return catalogue


def open_access_book(url: str, access: ServerAccess | None = None) -> AccessBook:
    """Open the access book in the catalogue's database, which `url` names as `open_video_catalogue` has it.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    book: AccessBook = _adapter("access_book", url)(url, access=access)
    return book


def open_alert_book(url: str, access: ServerAccess | None = None) -> SqlAlertBook:
    """Open the alert book in the database of the video catalogue, which `url` names.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    book: SqlAlertBook = _adapter("alert_book", url)(url, access=access)
    return book


def open_audit_book(url: str, access: ServerAccess | None = None) -> SqlAuditBook:
    """Open the audit book in the database of the video catalogue, which `url` names.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    book: SqlAuditBook = _adapter("audit_book", url)(url, access=access)
    return book


def open_kept_books(url: str, access: ServerAccess | None = None) -> KeptBooks:
    """Open what backups are made of, in the database of the video catalogue, which `url` names.

    Its tables are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    books: KeptBooks = _adapter("kept_books", url)(url, access=access)
    return books


def open_gold(url: str, access: ServerAccess | None = None) -> Gold:
    """Open the gold tables that `url` names: `sqlite:///<absolute file>` or `postgresql://host/database`.

    They are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    gold: Gold = _adapter("gold", url)(url, access=access)
    return gold


def open_task_queue(url: str, book: VideoCatalogue, access: ServerAccess | None = None) -> TaskQueue:
    """Open the queue that `url` names: `amqp://host[:port][/virtual host]`, `amqps://`; empty: the book.

    Of a broker nothing is asked before the first call.

    Args:
        url: Of the queue.
        book: Whose jobs it tells of, and workers claim.
        access: How to log in.

    Raises:
        Misconfigured: An unknown kind of URL, or one that names nothing.
    """
    queue: TaskQueue = _adapter("task_queue", url or book.url)(url or book.url, book=book, access=access)
    return queue


@cache
def _own_entry_points() -> EntryPoints:
    try:
        return distribution("frametally").entry_points
    except PackageNotFoundError:
        return EntryPoints()


@cache  # of others the metadata of every installed package is read: once is enough
def _entry_points(group: str, scheme: str) -> EntryPoints:
    """Return the adapters of a port: ours alone, which are read at once, where one has the scheme."""
    ours = _own_entry_points().select(group=group)
    return ours if scheme in ours.names else entry_points(group=group)


def _adapter(port: str, url: str) -> Callable[..., Any]:
    setting, kind, known = _PORTS[port]
    scheme = url.partition("://")[0]
    adapters = _entry_points(f"frametally.{port}", scheme)
    if not adapters:
        raise Misconfigured(
            "frametally is not installed here, so that none of its adapters is found: "
            "run `pip install -e .` in its folder"
        )
    if scheme not in adapters.names:
        raise Misconfigured(f"{setting}={url!r}: no such kind of {kind}; use {known}")
    adapter = adapters[scheme]
    try:
        make: Callable[..., Any] = adapter.load()
    except ModuleNotFoundError as error:
        package = adapter.dist.name if adapter.dist else "frametally"
        extras = f"[{','.join(adapter.extras)}]" if adapter.extras else ""
        raise Misconfigured(
            f"{setting}={url!r}: {error.name} is not installed; pip install '{package}{extras}'"
        ) from error
    return make
