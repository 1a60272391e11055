"""How Elasticsearch is reached, and what its refusals mean.

What a person must mend (a name, a right, an index that is missing) is `Misconfigured`; what passes (a server
that is away, too busy, out of disk) is `Retryable`; a document that it will never take is `Poison`.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from elastic_transport import ConnectionError as AwayError
from elastic_transport import ConnectionTimeout, TlsError, TransportError

from elasticsearch import ApiError, Elasticsearch
from frametally.errors import FrametallyError, Misconfigured, Retryable, unknown_host
from frametally.process.time_limit import TookTooLong, seconds_left
from frametally.settings.access import ServerAccess

SETTING = "FRAMETALLY_INDEX_URL"
PART = "count index"
DEFAULT_ALIAS = "hadoop-object-counts"
_DEFAULT_PORT = 9200
_REQUEST_TIMEOUT_S = 60.0
_ALIAS = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_USE = "use elasticsearch+https://host:9200, with /name behind it for another alias than " + DEFAULT_ALIAS


class ElasticsearchCluster:
    """One Elasticsearch and the alias in it that is meant; failures come as frametally's errors.

    Attributes:
        name: What it is called in a message: its address and the alias.
        alias: The alias; the indices' names begin with it.
    """

    def __init__(self, url: str, access: ServerAccess | None) -> None:
        """Read the URL; nothing is asked yet.

        Raises:
            Misconfigured: No such URL, one with a password in it, or a file that cannot be read.
        """
        access = access or ServerAccess()
        address, self.alias = _parsed(url)
        self.name = f"count index {address}/{self.alias}"
        for library in ("elastic_transport", "elasticsearch"):
            # What they would say there of an answer that did not come is raised, too.
            logging.getLogger(library).addHandler(logging.NullHandler())
        options: dict[str, Any] = {}
        if access.user:
            options["basic_auth"] = (access.user, access.password.get_secret_value())
        if access.ca_file is not None and address.startswith("https:"):
            options["ca_certs"] = str(access.ca_file)
        try:
            # A connection that the server has closed meanwhile is noticed when it is used: once more, then.
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
        """Give the client, within the time limit of whoever asks; what it raises is translated.

        Raises:
            Misconfigured: The name, the password, a right or the index is wrong or missing.
            Retryable: The server is away or refuses for now; `TookTooLong` at the time limit.
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

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def failure_of(self, status: int, reason: str) -> FrametallyError | None:
        """Return what a refusal means by its status and reason; None if the document itself is wrong."""
        told = f"{self.name}: {reason}"
        if status == 401:
            return Misconfigured(f"{told}; correct FRAMETALLY_INDEX_USER and FRAMETALLY_INDEX_PASSWORD")
        if "cluster_block_exception" in reason:
            return Retryable(
                f"{told}; the index is read-only: free some space on the server's disks, or take the block "
                "off (index.blocks.*), and try again",
                part=PART,
            )
        if status == 403:
            return Misconfigured(f"{told}; give this user the role in cloud-services/elasticsearch/roles.yml")
        if "strict_dynamic_mapping_exception" in reason:
            return Misconfigured(f"{told}; it was made by an older frametally: run `frametally setup`")
        if status == 404:
            return Misconfigured(f"{told}; run `frametally setup` as a user who may make it")
        if status in (408, 409, 429) or status >= 500:
            return Retryable(f"{told}; the server is busy or not ready: try again", part=PART)
        return None

    def _failure(self, error: ApiError | TransportError) -> FrametallyError:
        if isinstance(error, ApiError):
            reason = reason_of(error.body if isinstance(error.body, Mapping) else {}) or _line(error)
            return self.failure_of(error.meta.status, reason) or Misconfigured(
                f"{self.name}: {reason}; is it an Elasticsearch 8 with what frametally made?"
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
        return Misconfigured(f"{self.name}: {line}; is it an Elasticsearch 8?")


def reason_of(body: Mapping[str, Any]) -> str:
    """Return kind and words of the error in an answer, on one line; the innermost cause tells most."""
    error = body.get("error", body)
    if not isinstance(error, Mapping):
        return " ".join(str(error).split())
    while isinstance(cause := error.get("caused_by"), Mapping):
        error = cause
    words = " ".join(str(error.get("reason", "")).split())
    return f"{error.get('type', 'error')}: {words:.400}" if error.get("type") or words else ""


def _parsed(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url.removeprefix("elasticsearch+"))
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise Misconfigured(f"{SETTING} is no URL ({error}); {_USE}") from error
    if parts.username is not None or parts.password is not None:
        raise Misconfigured(
            f"{SETTING} carries a name or a password, and a URL is shown and logged: take them out, and set "
            "FRAMETALLY_INDEX_USER and FRAMETALLY_INDEX_PASSWORD"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Misconfigured(f"{SETTING}={url!r} names no Elasticsearch; {_USE}")
    alias = parts.path.strip("/") or DEFAULT_ALIAS
    if not _ALIAS.fullmatch(alias):
        raise Misconfigured(
            f"{SETTING}={url!r}: {alias!r} is no name of an alias (a-z, 0-9, `_`, `.`, `-`); {_USE}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}", alias


def _is_of_an_unknown_host(error: BaseException | None) -> bool:
    """Tell whether the first cause of `error` is a name that no name server knows."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        error = error.__cause__ or error.__context__
    return False


def _line(error: object) -> str:
    return f"{' '.join(str(error).split()):.400}"
