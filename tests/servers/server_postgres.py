"""PostgreSQL from Debian: with passwords, TLS, and a collation that differs from Python's."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import trustme
from serving.downloads import debian
from serving.place import Place
from serving.processes import ServerFailed

STOP_WITHIN_S = 10.0
_USER, _DATABASE = "frametally", "frametally"


def start(place: Place) -> dict[str, str]:
    """Start it, with the database `frametally` owned by the user `frametally`, who may create others."""
    programs = install(place.cache)
    port, data = place.port(), place.folder / "data"
    made = place.folder / "made"  # the last step: a first start that failed starts over
    new = not made.is_file()
    if new:
        shutil.rmtree(data, ignore_errors=True)
    place.give_to_nobody(place.folder, data)
    if new:
        password_file = place.folder / "superuser-password"
        password_file.write_text(place.secret("superuser"), encoding="utf-8")
        # ICU's collation differs from code points: code that needs those must request them.
        place.run(
            [
                programs / "initdb",
                *("-D", data, "-U", "superuser", "-A", "scram-sha-256", f"--pwfile={password_file}"),
                *("-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"),
                "--no-instructions",
            ],
            unprivileged=True,
        )
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(str(place.folder / "ca.pem"))
        certificate.private_key_pem.write_to_path(str(data / "server.key"))
        (data / "server.key").chmod(0o600)
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(data / "server.crt"), append=True)
        place.give_to_nobody(data)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "ssl": "on",
        "fsync": "off",  # it must survive its own death, not the machine's
        "max_connections": 200,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    # Left by a killed server; a dead process that its parent has not waited for would look alive to it.
    (data / "postmaster.pid").unlink(missing_ok=True)
    process = place.spawn([programs / "postgres", "-D", data, *options], unprivileged=True)
    place.wait_until(lambda: _ready(place, programs, port), process=process)
    if new:
        _sql(place, programs, f"CREATE ROLE {_USER} LOGIN CREATEDB PASSWORD '{place.secret('password')}'")
        _sql(place, programs, f"CREATE DATABASE {_DATABASE} OWNER {_USER}")
        made.touch()
    return {
        "FRAMETALLY_TEST_POSTGRES_URL": f"postgresql://127.0.0.1:{port}/{_DATABASE}",
        "FRAMETALLY_TEST_POSTGRES_USER": _USER,
        "FRAMETALLY_TEST_POSTGRES_PASSWORD": place.secret("password"),
        "FRAMETALLY_TEST_POSTGRES_CA_FILE": str(place.folder / "ca.pem"),
    }


def install(cache: Path) -> Path:
    """Install its programs; return the folder of the newest."""
    del cache
    debian("", ["postgresql"], found=_programs())
    if not _programs():
        raise ServerFailed("postgres: no /usr/lib/postgresql/*/bin; run: apt-get install postgresql")
    return _programs()[-1]


def _programs() -> list[Path]:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def _ready(place: Place, programs: Path, port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1.0):
        pass
    try:
        _sql(place, programs, "SELECT 1")
    except ServerFailed:  # it is still starting
        return False
    return True


def _sql(place: Place, programs: Path, statement: str) -> None:
    place.run(
        [
            programs / "psql",
            *("-h", "127.0.0.1", "-p", str(place.port()), "-U", "superuser", "-d", "postgres"),
            *("-v", "ON_ERROR_STOP=1", "-c", statement),
        ],
        env={"PGPASSWORD": place.secret("superuser"), "PGCONNECT_TIMEOUT": "5"},
    )
