"""Objects in a bucket: `s3://bucket[/prefix]`, on any service that supports S3's conditional puts.

Data goes through obstore with its own retries off: this module tries each call a few times
(`retrying.a_few_times`), and callers that can wait longer use `Patience`. One rule serves reads, puts, and
the one call that is not simply repeatable: a put that creates. If its answer is lost, the next try finds an
object, and only reading it shows whether it is ours.
"""

from __future__ import annotations

import datetime
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store as Bucket

from frametally.adapters.files.folder_store import check_key
from frametally.adapters.files.listing import in_key_order, info_of
from frametally.adapters.s3.credentials import S3Credentials, credentials_of
from frametally.adapters.s3.failures import PART, code_of, failure, is_bare_refusal, status_of
from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import Change, KeyRanges, ObjectInfo, ObjectMissing, ResumableWrite
from frametally.process.retrying import a_few_times
from frametally.process.time_limit import end_of_limit_s, is_request_over
from frametally.rules.times import DAY_S
from frametally.settings.access import StoreAccess

if TYPE_CHECKING:
    from obstore import PutMode

T = TypeVar("T")

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")
_FAILED = (BaseError, OSError, ValueError)
_PAGE_KEYS = 1000
_SORTED_AT_ONCE_KEYS = 20_000
_LONGEST_LINK_S = 7 * DAY_S  # AWS's limit for a signature
_CHANGE_PATIENCE_S = 30.0
_CLIENT = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "300s"}
_CLIENT_IN_A_HURRY = {"connect_timeout": "2s", "read_timeout": "5s", "timeout": "60s"}
"""While the caller has a time limit, as a request of the dashboard has."""


class S3Store:
    """An object store in an S3 bucket; safe for several threads, processes and machines at once."""

    def __init__(self, url: str, access: StoreAccess | None = None) -> None:
        """Open the bucket, and check that it exists and lets us in; see `open_object_store`.

        Raises:
            Misconfigured: The URL, the key, the secret, the clock, the region or the certificate is wrong, or
                there is no such bucket.
            Retryable: The service does not answer.
        """
        self.url = url
        self._access = access = access or StoreAccess()
        self._bucket, self._prefix = parse_url(url)
        check_endpoint(access.endpoint, "FRAMETALLY_STORE_ENDPOINT")
        check_endpoint(access.link_endpoint, "FRAMETALLY_STORE_LINK_ENDPOINT")
        self._place = f"{url} at {access.endpoint or 'AWS'}"
        self._signing = credentials_of(access)
        self._patient = self._signer = self._open(access.endpoint, self._signing)
        if access.link_endpoint:
            self._signing = credentials_of(access)  # the store renews its own at other times
            self._signer = self._open(access.link_endpoint, self._signing)
        # Any listing reveals what may be wrong, and costs next to nothing otherwise.
        self._call("listed", "", partial(self._page, "probe", None))

    @property
    def _store(self) -> Bucket:
        """The client for the next call; raises `Retryable` if the caller's time is over."""
        if is_request_over():
            raise Retryable(f"{self._place}: this request has no time left to ask it again", part=PART)
        return self._hurried if end_of_limit_s() is not None else self._patient

    @cached_property
    def _hurried(self) -> Bucket:
        return self._open(self._access.endpoint, credentials_of(self._access), _CLIENT_IN_A_HURRY)

    def _open(
        self, endpoint: str, credentials: S3Credentials, client_options: Mapping[str, Any] = _CLIENT
    ) -> Bucket:
        config: dict[str, Any] = {"region": self._access.region}
        if endpoint:
            config["endpoint"] = endpoint
        client: dict[str, Any] = dict(client_options)
        if endpoint.startswith("http://"):
            client["allow_http"] = True
        if self._access.ca_file is not None:
            client["root_certificate"] = read_ca_file(self._access)
        try:
            return Bucket(
                self._bucket,
                prefix=self._prefix or None,
                config=config,  # type: ignore[arg-type]
                client_options=client,  # type: ignore[arg-type]
                retry_config={"max_retries": 0},
                credential_provider=credentials.current,
            )
        except _FAILED as error:
            raise Misconfigured(
                f"{self._place} cannot be used: {str(error).partition(chr(10))[0]}"
            ) from error

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        """Store `data` under `key`; see `ObjectStore.put`. Data that an S3 store has accepted is durable."""
        del durable
        _check(key)
        in_doubt = False

        def once() -> bool:
            nonlocal in_doubt
            try:
                self._put_once(key, data, "create" if if_absent else "overwrite")
            except AlreadyExistsError:
                # After a create whose answer was lost, this may be our own object. If another has put the
                # same bytes in the meantime, it does not matter whose they are.
                return in_doubt and self.get(key) == data
            except Retryable:
                in_doubt = True
                raise
            return True

        return a_few_times(once)

    def _put_once(self, key: str, data: bytes, mode: PutMode) -> None:
        try:
            obstore.put(self._store, key, data, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError) as error:
            if status_of(error) == 409:  # others are writing: the winner is not decided yet
                raise self._failure(error, "written", key) from error
            raise
        except _FAILED as error:
            raise self._failure(error, "written", key) from error

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises `ObjectMissing`, or `Retryable` if the body was truncated."""
        _check(key)
        return self._call("read", key, lambda: self._read(key)[0])

    def _read(self, key: str) -> tuple[bytes, str]:
        """Return the object's bytes and version."""
        result = obstore.get(self._store, key)
        data = bytes(result.bytes())
        meta = result.meta  # each access creates it again
        self._check_whole(key, len(data), meta["size"])
        return data, meta["e_tag"] or ""

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return bytes `first_byte` to `next_byte` (exclusive), or up to the end. Raises as `get`."""
        _check(key)
        if next_byte <= first_byte:
            if self.head(key) is None:
                raise ObjectMissing(f"no object {key!r} in {self._place}")
            return b""

        def once() -> bytes:
            try:
                result = obstore.get(self._store, key, options={"range": (first_byte, next_byte)})
            except BaseError as error:
                if status_of(error) == 416:  # the range begins after the object's end
                    return b""
                raise
            data = bytes(result.bytes())
            self._check_whole(key, len(data), result.range[1] - result.range[0])
            return data

        return self._call("read", key, once)

    def head(self, key: str) -> ObjectInfo | None:
        _check(key)
        try:
            return self._call("read", key, lambda: info_of(obstore.head(self._store, key)))
        except ObjectMissing:
            return None

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        folder = prefix.removesuffix("/")
        if folder:
            _check(folder)
        return self._walk(folder, after)

    def _walk(self, folder: str, after: str | None) -> Iterator[ObjectInfo]:
        # Not every service lists in the order of keys (some sort a folder by its bare name), and then `after`
        # also skips other keys. So a folder is read and sorted here: all of it if it is small, else one
        # folder in it after the other.
        infos: list[ObjectInfo] = []
        for page in self._pages(folder):
            infos += page
            if len(infos) > _SORTED_AT_ONCE_KEYS:
                break
        else:
            infos.sort()
            yield from (info for info in infos if after is None or info.key > after)
            return
        infos.clear()
        listed = self._call(
            "listed", folder, lambda: obstore.list_with_delimiter(self._store, folder or None)
        )
        yield from in_key_order(listed, after, self._walk)

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield what `list` yields except the known keys: a request skips a whole range of them."""
        _check(prefix)
        infos: list[ObjectInfo] = []
        last = None
        while True:
            page = self._call("listed", prefix, partial(self._page, prefix, last))
            infos += known_keys.leave_out(page)
            if len(page) < _PAGE_KEYS:
                break
            last = known_keys.end_of(page[-1].key) or page[-1].key
        infos.sort()
        return iter(infos)

    def _pages(self, folder: str) -> Iterator[Sequence[ObjectInfo]]:
        """Yield the objects below a folder, in the service's own order; try each page a few times."""
        last = None
        while True:
            page = self._call("listed", folder, partial(self._page, folder, last))
            yield page
            if len(page) < _PAGE_KEYS:
                return
            last = page[-1].key

    def _page(self, folder: str, after: str | None) -> Sequence[ObjectInfo]:
        prefix = f"{folder}/" if folder else None
        pages = obstore.list(self._store, prefix, offset=after, chunk_size=_PAGE_KEYS)
        return [info_of(meta) for meta in next(iter(pages), [])]

    def delete(self, key: str, *, durable: bool = True) -> None:
        del durable
        _check(key)
        try:
            self._call("deleted", key, lambda: obstore.delete(self._store, key))
        except ObjectMissing:
            return

    def sync(self) -> None:
        """Do nothing: what an S3 store has accepted is durable."""

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object by what `make` makes of it; see `ObjectStore.change`.

        It is put or removed only if it is still the version that `make` was given; otherwise the change
        starts over. A service that removes without regard to the version (AWS, MinIO and SeaweedFS do not)
        may for some milliseconds also remove another process's change.
        """
        _check(key)
        until_s = time.monotonic() + _CHANGE_PATIENCE_S
        while True:
            before, version = self._find(key)
            after = make(before)
            if after == before or self._swap(key, version, after):
                return after
            if time.monotonic() > until_s:
                raise Retryable(
                    f"{self._place}: other processes have kept changing {key} for {_CHANGE_PATIENCE_S:g} "
                    "s; try again"
                )
            time.sleep(random.uniform(0.001, 0.05))  # noqa: S311 - no secret

    def _find(self, key: str) -> tuple[bytes | None, str]:
        try:
            return self._call("read", key, lambda: self._read(key))
        except ObjectMissing:
            return None, ""

    def _swap(self, key: str, version: str, content: bytes | None) -> bool:
        """Put `content` or remove the object if that is its version (none if empty); return if it was."""
        if content is None:
            from frametally.adapters.s3.service import remove_version

            whole_key = self._whole_key(key)
            return a_few_times(
                lambda: remove_version(self._access, bucket=self._bucket, key=whole_key, version=version)
            )
        if not version:
            return self.put(key, content, if_absent=True)
        try:
            a_few_times(lambda: self._put_once(key, content, {"e_tag": version}))
        except (AlreadyExistsError, PreconditionError, ObjectMissing):
            return False
        return True

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return a presigned link to the object, without a request; see `ObjectStore.address`."""
        _check(key)
        ttl_s = min(ttl_s, _LONGEST_LINK_S)
        if (end_at := self._signing.end_at()) is not None:
            left_s = (end_at - datetime.datetime.now(datetime.UTC)).total_seconds()
            ttl_s = max(min(ttl_s, int(left_s)), 1)
        return obstore.sign(self._signer, "GET", key, datetime.timedelta(seconds=ttl_s))

    def resumable(self, key: str, part_key: str) -> ResumableWrite:
        """Start or resume an interruptible write to `key`; see `ObjectStore.resumable`."""
        from frametally.adapters.s3.multipart import WriteTarget, open_write

        _check(key)
        _check(part_key)
        target = WriteTarget(self._service, self._bucket, self._whole_key(key), f"{key} in {self._place}")
        return open_write(self, target, key=key, part_key=part_key)

    @cached_property
    def _service(self) -> Any:
        from frametally.adapters.s3.service import service_client

        return service_client(self._access)

    def _whole_key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def close(self) -> None:
        """Do nothing: this store holds nothing open."""

    def _check_whole(self, key: str, size_bytes: int, expected_bytes: int) -> None:
        if size_bytes != expected_bytes:
            raise Retryable(
                f"{self._place}: {key} arrived incomplete ({size_bytes} of {expected_bytes} bytes): try again"
            )

    def _call(self, verb: str, key: str, action: Callable[[], T]) -> T:
        def once() -> T:
            try:
                return action()
            except _FAILED as error:
                raise self._failure(error, verb, key) from error

        return a_few_times(once)

    def _failure(self, error: Exception, verb: str, key: str) -> FrametallyError:
        if is_bare_refusal(error) and key:
            try:
                obstore.get(self._store, key, options={"range": (0, 1)})
            except _FAILED as spoken:
                if code_of(spoken):
                    error = spoken
        return failure(error, verb=verb, object_name=key or "its objects", key=key, place=self._place)


def parse_url(url: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://bucket[/prefix]`. Raises `Misconfigured`."""
    match = _URL.fullmatch(url)
    prefix = (match["prefix"] or "").strip("/") if match else ""
    try:
        if match is None:
            raise Poison("no bucket")
        if prefix:
            _check(prefix)
    except Poison as error:
        raise Misconfigured(
            f"FRAMETALLY_STORE_URL={url!r}: use s3://bucket or s3://bucket/prefix (3 to 63 of a-z, 0-9, `.` "
            "and `-` for the bucket)"
        ) from error
    return match["bucket"], prefix


def check_endpoint(endpoint: str, setting: str) -> None:
    """Check that it is empty or the URL of a service. Raises `Misconfigured`."""
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise Misconfigured(f"{setting} is not the URL of a service: write it like https://s3.example.org")


def read_ca_file(access: StoreAccess) -> bytes:
    """Return the authorities' certificates. Raises `Misconfigured`."""
    assert access.ca_file is not None  # noqa: S101 - for the type checker
    try:
        return access.ca_file.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"FRAMETALLY_STORE_CA_FILE={access.ca_file} cannot be read ({error.strerror}): set it to a "
            "file that this user can read"
        ) from error


def _check(key: str) -> None:
    check_key(key)
    if "\\" in key:  # some services take it as a slash
        raise Poison(
            f"key {key[:200]!r} is not a relative path of plain names: it has a backslash; choose another key"
        )
