"""RabbitMQ from Debian, with Erlang's port mapper: a password, a port with TLS, loopback only."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import trustme
from kombu import Connection
from kombu.exceptions import OperationalError
from serving.downloads import debian, no_service_started
from serving.place import Place, answers

STOP_WITHIN_S = 20.0
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the one in /usr/sbin, which must run as the user rabbitmq."""
_USER = "frametally"
_READY_WITHIN_S = 300.0


def start(place: Place) -> dict[str, str]:
    """Start it, with the user `frametally`, who has all rights."""
    install(place.cache)
    port, tls_port, epmd_port = place.port(), place.port("tls"), place.port("epmd")
    folder = place.folder
    authority, keys = folder / "ca.pem", folder / "server.pem"
    if not keys.is_file():
        issuer = trustme.CA()
        issuer.cert_pem.write_to_path(str(authority))
        issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(keys))
        keys.chmod(0o600)
    settings = {
        "listeners.tcp.1": f"127.0.0.1:{port}",
        "listeners.ssl.1": f"127.0.0.1:{tls_port}",
        "ssl_options.cacertfile": authority,
        "ssl_options.certfile": keys,
        "ssl_options.keyfile": keys,
        "default_user": _USER,
        "default_pass": place.secret("password"),
        "log.console": "true",
        "log.file": "false",
        "disk_free_limit.absolute": "50MB",
    }
    configuration = folder / "rabbitmq.conf"
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    (folder / "enabled_plugins").write_text("[].\n")
    # In the foreground: otherwise Erlang would start a separate one that stays.
    mapper = place.spawn(["epmd", "-address", "127.0.0.1", "-port", str(epmd_port)], label="epmd")
    place.wait_until(lambda: answers(epmd_port), process=mapper)
    broker = place.spawn(
        [_PROGRAM],
        label="broker",
        env={
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"frametally{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(place.port("distribution")),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        },
    )
    place.wait_until(
        lambda: _lets_in(port, place.secret("password")), process=broker, timeout_s=_READY_WITHIN_S
    )
    return {
        "FRAMETALLY_TEST_RABBITMQ_URL": f"amqp://127.0.0.1:{port}",
        "FRAMETALLY_TEST_RABBITMQ_TLS_URL": f"amqps://127.0.0.1:{tls_port}",
        "FRAMETALLY_TEST_RABBITMQ_USER": _USER,
        "FRAMETALLY_TEST_RABBITMQ_PASSWORD": place.secret("password"),
        "FRAMETALLY_TEST_RABBITMQ_CA_FILE": str(authority),
    }


def install(cache: Path) -> None:
    """Install its program without a service."""
    del cache
    if not _PROGRAM.exists():
        with no_service_started("rabbitmq-server"):
            debian("", ["rabbitmq-server"], found=[_PROGRAM])


def _lets_in(port: int, password: str) -> bool:
    connection = Connection(f"amqp://127.0.0.1:{port}", userid=_USER, password=password, connect_timeout=5)
    with closing(connection):
        try:
            connection.connect()
        except (OperationalError, *connection.connection_errors):  # it is still starting
            return False
    return True
