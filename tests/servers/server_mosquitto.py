"""Mosquitto from Debian: an MQTT broker with a password, a port with TLS, loopback only."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

import trustme
from serving.downloads import debian, no_service_started
from serving.place import Place, answers

_PROGRAM = Path("/usr/sbin/mosquitto")
_USER = "frametally"


def start(place: Place) -> dict[str, str]:
    """Start it, with the user `frametally`, who may publish and read everything."""
    install(place.cache)
    port, tls_port = place.port(), place.port("tls")
    folder = place.folder
    authority, keys = folder / "ca.pem", folder / "server.pem"
    if not keys.is_file():
        issuer = trustme.CA()
        issuer.cert_pem.write_to_path(str(authority))
        issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(keys))
        keys.chmod(0o600)
    passwords = folder / "passwords"
    passwords.touch(mode=0o600)
    passwords.write_text(f"{_USER}:{place.secret('password')}\n")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"user {getpass.getuser()}\nper_listener_settings false\nallow_anonymous false\n"
        f"password_file {passwords}\n"
        f"listener {port} 127.0.0.1\n"
        f"listener {tls_port} 127.0.0.1\n"
        f"certfile {keys}\nkeyfile {keys}\n"
    )
    broker = place.spawn([_PROGRAM, "-c", configuration], label="broker")
    place.wait_until(lambda: answers(port) and answers(tls_port), process=broker)
    return {
        "FRAMETALLY_TEST_MOSQUITTO_URL": f"mqtt://127.0.0.1:{port}",
        "FRAMETALLY_TEST_MOSQUITTO_TLS_URL": f"mqtts://127.0.0.1:{tls_port}",
        "FRAMETALLY_TEST_MOSQUITTO_USER": _USER,
        "FRAMETALLY_TEST_MOSQUITTO_PASSWORD": place.secret("password"),
        "FRAMETALLY_TEST_MOSQUITTO_CA_FILE": str(authority),
    }


def install(cache: Path) -> None:
    """Install its program without a service."""
    del cache
    if not _PROGRAM.exists():
        with no_service_started("mosquitto"):
            debian("", ["mosquitto"], found=[_PROGRAM])
