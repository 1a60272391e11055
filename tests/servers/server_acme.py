"""Pebble: Let's Encrypt's test server, with a DNS that resolves every name to this machine."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path

import trustme
from serving.downloads import go_program
from serving.place import Place, answers

VERSION = "v2.10.0"
_PACKAGE = "github.com/letsencrypt/pebble/v2/cmd"


def start(place: Place) -> dict[str, str]:
    """Start it; the options `acme_http_port` and `acme_tls_port` are the ports for its challenges.

    Its certificates are new at every start; earlier ones are worthless afterwards.
    """
    pebble, dns = install(place.cache)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(place.folder / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    leaf.private_key_pem.write_to_path(str(place.folder / "server.key"))
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    (place.folder / "server.pem").write_bytes(chain)
    http = int(place.options.get("acme_http_port", place.port("http")))
    tls = int(place.options.get("acme_tls_port", place.port("tls")))
    port, management, names = place.port(), place.port("management"), place.port("dns")
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(place.folder / "server.pem"),
        "privateKey": str(place.folder / "server.key"),
        "httpPort": http,
        "tlsPort": tls,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (place.folder / "pebble.json").write_text(json.dumps({"pebble": settings}), encoding="utf-8")
    resolver = place.spawn(
        [
            *(dns, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", f"127.0.0.1:{names}"),
            *("-doh", "", "-http01", "", "-https01", "", "-tlsalpn01", ""),
            *("-management", f"127.0.0.1:{place.port('dns-management')}"),
        ],
        label="dns",
    )
    place.wait_until(lambda: answers(place.port("dns-management")), process=resolver)
    server = place.spawn(
        [pebble, "-config", place.folder / "pebble.json", "-dnsserver", f"127.0.0.1:{names}"],
        label="pebble",
        # Without these it waits and refuses now and then, as the real one may.
        env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )
    place.wait_until(lambda: _save_root(place, management), process=server)
    return {
        "FRAMETALLY_TEST_ACME_URL": f"https://127.0.0.1:{port}/dir",
        "FRAMETALLY_TEST_ACME_CA_FILE": str(place.folder / "ca.pem"),
        "FRAMETALLY_TEST_ACME_ROOT_FILE": str(place.folder / "root.pem"),
        "FRAMETALLY_TEST_ACME_HTTP_PORT": str(http),
        "FRAMETALLY_TEST_ACME_TLS_PORT": str(tls),
    }


def install(cache: Path) -> tuple[Path, Path]:
    """Pebble, and the DNS server that it uses."""
    pebble = go_program(cache, f"pebble-{VERSION}", f"{_PACKAGE}/pebble@{VERSION}")
    return pebble, go_program(cache, f"pebble-dns-{VERSION}", f"{_PACKAGE}/pebble-challtestsrv@{VERSION}")


def _save_root(place: Place, port: int) -> bool:
    """Keep the root certificate of all certificates that it issues."""
    context = ssl.create_default_context(cafile=str(place.folder / "ca.pem"))
    request = f"https://127.0.0.1:{port}/roots/0"
    with urllib.request.urlopen(request, timeout=5.0, context=context) as answer:
        Path(place.folder / "root.pem").write_bytes(answer.read())
    return True
