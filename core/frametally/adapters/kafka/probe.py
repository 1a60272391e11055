"""Finds out why Kafka cannot be reached, because its client waits and does not give the cause.

The client library retries until its time is over, whatever is wrong. This module checks once, step by step:
that the host is known, that something listens, that the encryption is as we think, that we trust its
certificate, and that it accepts our name and password.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import closing

from frametally.adapters.kafka.access import PART, KafkaAccess, not_responding
from frametally.errors import FrametallyError, Misconfigured, Retryable, unknown_host

_TIMEOUT_S = 4.0
_SASL_HANDSHAKE, _SASL_AUTHENTICATE = 17, 36
_NO_ERROR, _ILLEGAL_SASL_STATE, _UNSUPPORTED_MECHANISM = 0, 34, 33
_MOST_BYTES = 1_000_000  # no answer to these requests is longer


def check_reachable(access: KafkaAccess) -> None:
    """Return if one of the servers lets us in.

    Raises:
        Misconfigured: None does, and a person has to change something: a wrong kind of connection, an
            untrusted authority, a refused name or password.
        Retryable: None does for now: its name is unknown, nothing listens, or nothing answers.
    """
    troubles: list[FrametallyError] = []
    for host, port in access.servers:
        try:
            _check_one(access, host, port)
        except (Misconfigured, Retryable) as error:
            troubles.append(error)
        else:
            return
    # Report temporary errors first: perhaps the other servers are just not needed.
    raise next((trouble for trouble in troubles if isinstance(trouble, Retryable)), troubles[0])


def _check_one(access: KafkaAccess, host: str, port: int) -> None:
    where = f"Kafka at {host}:{port}"
    with closing(_connected(access, where, host, port)) as connection:
        mechanism = access.mechanism if access.with_login else "PLAIN"
        answer = _ask(connection, where, access, _SASL_HANDSHAKE, 1, _text(mechanism))
        (error,) = struct.unpack_from(">h", answer)
        if not access.with_login:
            if error != _ILLEGAL_SASL_STATE:
                raise Misconfigured(
                    f"{where} requires a user name and a password: set FRAMETALLY_LOG_USER and "
                    "FRAMETALLY_LOG_PASSWORD"
                )
            return
        if error == _ILLEGAL_SASL_STATE:
            raise Misconfigured(
                f"{where} does not accept a user name and password on this port: leave out "
                "FRAMETALLY_LOG_USER, or set FRAMETALLY_LOG_URL to the port of its SASL listener"
            )
        if error == _UNSUPPORTED_MECHANISM:
            raise Misconfigured(
                f"{where} does not accept {mechanism}; it accepts {', '.join(_texts(answer[2:]))}: set "
                "sasl.mechanisms in the file that FRAMETALLY_LOG_CLIENT_PROPERTIES names"
            )
        if error == _NO_ERROR and mechanism == "PLAIN":
            _log_in(access, connection, where)


def _log_in(access: KafkaAccess, connection: socket.socket, where: str) -> None:
    token = f"\0{access.user}\0{access.password.get_secret_value()}".encode()
    answer = _ask(
        connection, where, access, _SASL_AUTHENTICATE, 0, struct.pack(f">i{len(token)}s", len(token), token)
    )
    (error,) = struct.unpack_from(">h", answer)
    if error != _NO_ERROR:
        raise Misconfigured(
            f"{where} refused the user name {access.user!r} or its password: check FRAMETALLY_LOG_USER and "
            "FRAMETALLY_LOG_PASSWORD"
        )


def _connected(access: KafkaAccess, where: str, host: str, port: int) -> socket.socket:
    try:
        plain = socket.create_connection((host, port), timeout=_TIMEOUT_S)
    except socket.gaierror as error:
        reason = f"unknown host ({error.strerror})"
        raise unknown_host(where, "FRAMETALLY_LOG_URL", reason, part=PART) from error
    except (OSError, UnicodeError) as error:
        raise not_responding(where, error) from error
    if not access.with_tls:
        return plain
    try:
        return access.tls_context().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise Misconfigured(
            f"the certificate of {where} is not trusted ({error.verify_message}): set "
            "FRAMETALLY_LOG_CA_FILE to the certificate file of its authority"
            + ("" if access.ca_file is None else f", not to {access.ca_file}")
        ) from error
    except TimeoutError as error:
        plain.close()
        raise not_responding(where, error) from error
    except OSError as error:
        plain.close()
        raise Misconfigured(
            f"{where} does not use TLS: set FRAMETALLY_LOG_SECURITY to "
            f"{'SASL_PLAINTEXT' if access.with_login else 'PLAINTEXT'}, or use its TLS port"
        ) from error


def _ask(
    connection: socket.socket, where: str, access: KafkaAccess, api: int, version: int, body: bytes
) -> bytes:
    """Send a request, and return the answer's bytes after its correlation id."""
    request = struct.pack(">hhi", api, version, 1) + _text(access.client_id) + body
    try:
        connection.sendall(struct.pack(">i", len(request)) + request)
        head = _exactly(connection, 4)
        (size,) = struct.unpack(">i", head)
        if 6 <= size <= _MOST_BYTES:
            return _exactly(connection, size)[4:]
    except TimeoutError as error:
        raise not_responding(where, error) from error
    except OSError as error:
        if access.with_tls or not _speaks_tls(connection):
            raise Retryable(
                f"{where} closed the connection ({error}): try again, or check FRAMETALLY_LOG_URL", part=PART
            ) from error
    if not access.with_tls and _speaks_tls(connection):
        raise Misconfigured(
            f"{where} uses TLS: set FRAMETALLY_LOG_SECURITY to {'SASL_SSL' if access.with_login else 'SSL'}"
        )
    raise Misconfigured(f"the server at {where} does not seem to be Kafka: check FRAMETALLY_LOG_URL")


def _speaks_tls(connection: socket.socket) -> bool:
    """Return whether the other end of the connection accepts TLS, on a new connection without data."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(connection.getpeername()[:2], timeout=_TIMEOUT_S) as plain:
            context.wrap_socket(plain).close()
    except OSError:
        return False
    return True


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        more = connection.recv(count - len(received))
        if not more:
            raise ConnectionResetError("it sent no answer")
        received += more
    return received


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _texts(data: bytes) -> list[str]:
    (count,) = struct.unpack_from(">i", data)
    texts, position = [], 4
    for _ in range(count):
        (size,) = struct.unpack_from(">h", data, position)
        texts.append(data[position + 2 : position + 2 + size].decode(errors="replace"))
        position += 2 + size
    return texts
