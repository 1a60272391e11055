"""The address of Kafka and the login: from the URL, the settings and a `client.properties` file."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import errors

from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.ports.frame_log import NoSuchTopic
from frametally.settings.access import NO_SECRET, LogAccess
from frametally.settings.fields import SecretStr

PART = "frame log (Kafka)"
_SCHEME = "kafka://"
_DEFAULT_PORT = 9092
_SECURITIES = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_KNOWN_KEYS = frozenset(
    {
        "bootstrap.servers",
        "security.protocol",
        "sasl.mechanisms",
        "sasl.mechanism",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "client.id",
        "request.timeout.ms",
        "session.timeout.ms",
        "enable.idempotence",
    }
)
_warnings = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class KafkaAccess:
    """How to connect to a Kafka cluster.

    Attributes:
        servers: Host and port of each broker to start with.
        mechanism: Kafka's `sasl.mechanism`; used if `security` begins with SASL.
        ca_file: PEM file of the authorities that may issue certificates; None means the system's.
        client_id: The client's name in the brokers' logs.
        request_timeout_s: Seconds after which an unanswered request is sent again.
        session_timeout_s: Seconds without a heartbeat before a consumer counts as dead; None means the lease.
        idempotent: Whether a message that is sent again is stored only once.
    """

    servers: tuple[tuple[str, int], ...]
    security: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    user: str = ""
    password: SecretStr = NO_SECRET
    ca_file: Path | None = None
    client_id: str = "frametally"
    request_timeout_s: float = 8.0
    session_timeout_s: float | None = None
    idempotent: bool = True

    @property
    def with_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security in ("SSL", "SASL_SSL")

    @property
    def with_login(self) -> bool:
        """Whether the connection needs a name and a password."""
        return self.security.startswith("SASL_")

    def tls_context(self) -> ssl.SSLContext:
        """Return the context for checking certificates.

        Raises:
            Misconfigured: The CA file cannot be read, or has no certificate.
        """
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"FRAMETALLY_LOG_CA_FILE={self.ca_file}: no certificates can be read from this file "
                f"({error}); set it to a PEM file with the certificate of the authority that issued "
                "Kafka's certificate"
            ) from error

    def client_options(self) -> dict[str, Any]:
        """Return the options for every client of the `kafka` library."""
        options: dict[str, Any] = {
            "bootstrap_servers": [_address_text(host, port) for host, port in self.servers],
            "client_id": self.client_id,
            "security_protocol": self.security,
            "request_timeout_ms": round(self.request_timeout_s * 1000),
            # Reconnect to a broker within a second of its return, not within 30.
            "reconnect_backoff_max_ms": 1000,
        }
        if self.with_tls:
            options["ssl_context"] = self.tls_context()
        if self.with_login:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        return options


def read_kafka_access(url: str, access: LogAccess | None = None) -> KafkaAccess:
    """Combine the URL, the settings and the `client.properties` file; settings win.

    The URL is `kafka://host:port,host:port`, or `kafka://` if the file names the servers.

    Raises:
        Misconfigured: Something is missing or invalid.
    """
    access = access or LogAccess()
    properties = _read_properties(access.client_properties) if access.client_properties else {}
    servers = url.removeprefix(_SCHEME).rstrip("/") or properties.get("bootstrap.servers", "")
    user = access.user or properties.get("sasl.username", "")
    ca_file = access.ca_file or (
        Path(properties["ssl.ca.location"]) if properties.get("ssl.ca.location") else None
    )
    security = (access.security or properties.get("security.protocol", "")).upper()
    if not security:
        security = ("SASL_" if user else "") + ("SSL" if ca_file else "PLAINTEXT")
    password = access.password
    if not password.get_secret_value():
        password = SecretStr(properties.get("sasl.password", ""))
    login = KafkaAccess(
        servers=_parse_servers(url, servers),
        security=_one_of("security.protocol", security, _SECURITIES),
        mechanism=_one_of(
            "sasl.mechanisms",
            properties.get("sasl.mechanisms") or properties.get("sasl.mechanism") or "PLAIN",
            _MECHANISMS,
        ),
        user=user,
        password=password,
        ca_file=ca_file,
        client_id=properties.get("client.id") or "frametally",
        request_timeout_s=_milliseconds(properties, "request.timeout.ms", 8000) / 1000,
        session_timeout_s=_milliseconds(properties, "session.timeout.ms", 0) / 1000 or None,
        idempotent=properties.get("enable.idempotence", "true").lower() != "false",
    )
    if login.with_login and not (login.user and login.password.get_secret_value()):
        raise Misconfigured(
            f"Kafka with {login.security} requires a user name and a password: set FRAMETALLY_LOG_USER and "
            "FRAMETALLY_LOG_PASSWORD, or sasl.username and sasl.password in the file that "
            "FRAMETALLY_LOG_CLIENT_PROPERTIES names"
        )
    return login


def _parse_servers(url: str, servers: str) -> tuple[tuple[str, int], ...]:
    if "@" in servers:
        # Do not show the URL: the text before the @ is probably a password.
        raise Misconfigured(
            "FRAMETALLY_LOG_URL cannot contain a user name or password; set FRAMETALLY_LOG_USER and "
            "FRAMETALLY_LOG_PASSWORD instead"
        )
    parsed = []
    for server in filter(None, (part.strip() for part in servers.split(","))):
        host, _, port = server.rpartition(":") if not server.endswith("]") else (server, "", "")
        if not host:
            host, port = server, ""
        if not (port == "" or (port.isdecimal() and 0 < int(port) < 65536)) or set(host) & set("/ ?#"):
            raise Misconfigured(
                f"FRAMETALLY_LOG_URL={url!r}: {server!r} is not host:port; write kafka://host:9092"
            )
        parsed.append((host.strip("[]"), int(port or _DEFAULT_PORT)))
    if not parsed:
        raise Misconfigured(
            f"FRAMETALLY_LOG_URL={url!r} does not name a broker: use kafka://host:port,host:port"
        )
    return tuple(parsed)


def _read_properties(path: Path) -> dict[str, str]:
    """Read keys and values of a `client.properties` file, with a warning for unknown keys."""
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"FRAMETALLY_LOG_CLIENT_PROPERTIES={path} cannot be read ({error}): correct its path"
        ) from error
    properties = {}
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#!":
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals:
            _warnings.warning("%s: frametally ignores a line without '='", path)
        elif key not in _KNOWN_KEYS:
            _warnings.warning("%s: frametally does not know the key %s and ignores it", path, key)
        else:
            properties[key] = value.strip()
    return properties


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Misconfigured(f"{key}={value} is not supported; use one of {', '.join(allowed)}")
    return value


def _milliseconds(properties: Mapping[str, str], key: str, default: int) -> int:
    value = properties.get(key, str(default))
    if not value.isdecimal():
        raise Misconfigured(f"{key}={value} is not a number of milliseconds")
    return int(value)


def _address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def no_right(access: KafkaAccess, right: str, resource: str) -> Misconfigured:
    """Return the error about a missing permission."""
    principal = f"user {access.user!r}" if access.user else "an anonymous client"
    return Misconfigured(
        f"Kafka does not allow {principal} to {right} {resource}: ask an administrator to allow this "
        "(kafka-acls), or set FRAMETALLY_LOG_USER to a user who has this permission"
    )


def not_responding(where: str, reason: object) -> Retryable:
    """Return the error about a Kafka that is stopped, unreachable or too slow."""
    return Retryable(
        f"{where} is not responding ({reason}): start it, or check FRAMETALLY_LOG_URL", part=PART
    )


@contextmanager
def explained(access: KafkaAccess, url: str, topic: str, doing: str) -> Iterator[None]:
    """Raise the library's errors in the block as ours; `doing` is the required permission, as a verb.

    Raises:
        Misconfigured: A person has to change something.
        Retryable: Any other error: Kafka is unavailable for now.
    """
    try:
        yield
    except errors.KafkaError as error:
        raise explain(error, access, url, topic, doing) from error


def explain(error: BaseException, access: KafkaAccess, url: str, topic: str, doing: str) -> FrametallyError:
    """Return the library's error as ours; see `explained`."""
    match error:
        case errors.UnknownTopicOrPartitionError() | errors.UnknownTopicIdError():
            return NoSuchTopic(url, topic)
        case errors.TopicAuthorizationFailedError() | errors.ClusterAuthorizationFailedError():
            return no_right(access, doing, f"topic {topic!r}")
        case errors.GroupAuthorizationFailedError():
            return no_right(access, "join or describe", "this consumer group")
        case errors.SaslAuthenticationFailedError():
            return Misconfigured(
                f"{url} refused the user name {access.user!r} or its password: check FRAMETALLY_LOG_USER "
                "and FRAMETALLY_LOG_PASSWORD"
            )
        case errors.InvalidSessionTimeoutError():
            return Misconfigured(
                f"{url} does not accept FRAMETALLY_LEASE_S as the session timeout: set it between the "
                "broker's group.min.session.timeout.ms (6 s by default) and group.max.session.timeout.ms"
            )
        case errors.MessageSizeTooLargeError() | errors.RecordListTooLargeError():
            return Misconfigured(
                f"topic {topic!r} does not accept a message of this size: raise its max.message.bytes"
            )
        case errors.UnsupportedVersionError() | errors.IncompatibleBrokerVersion():
            return Misconfigured(
                f"{url}: frametally does not support this version of Kafka ({error}): use 2.8 or later"
            )
        case errors.InvalidReplicationFactorError():
            return Misconfigured(
                f"topic {topic!r} cannot be created: there are fewer brokers than Kafka's "
                "default.replication.factor; lower it, or add brokers"
            )
        case errors.InvalidTopicError():
            return Misconfigured(f"{topic!r} is not a valid topic name: correct FRAMETALLY_TOPIC")
        case (
            errors.NodeNotReadyError()
            | errors.KafkaConnectionError()
            | errors.KafkaTimeoutError()
            | errors.MetadataEmptyBrokerList()
            | errors.StaleMetadata()
            | errors.Cancelled()
        ):
            return not_responding(url, error)
    return Retryable(f"{url} did not answer correctly ({error}): try again, or check its log", part=PART)
