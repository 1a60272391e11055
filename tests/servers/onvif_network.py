"""`onvif_network.py IPYCAM [USER PASSWORD]`: runs `frametally live discover` next to an IPyCam device.

IPyCam is a third-party virtual camera (MIT); IPYCAM is the folder that it is installed in. Its discovery,
which listens to the multicast group of WS-Discovery, and its services answer here, in a network of their own:
run it by `in_namespace.py`. Prints the JSON of the command; the exit code is that of the command.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "10.9.8.7"


def main(folder: str, user: str = "", password: str = "") -> int:
    """Serve the device, and search for it."""
    subprocess.run(["ip", "addr", "add", f"{HOST}/24", "dev", "lo"], check=True)
    sys.path.append(folder)
    from ipycam.config import CameraConfig  # type: ignore[import-not-found]
    from ipycam.discovery import WSDiscoveryServer  # type: ignore[import-not-found]
    from ipycam.onvif import ONVIFService  # type: ignore[import-not-found]

    config = CameraConfig()
    config.name, config.local_ip, config.onvif_port = "Frontdoor", HOST, 8080
    config.username, config.password = user, password
    service: Any = ONVIFService(config)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            question = re.search(r"<(?:\w+:)?Body>\s*<(?:\w+:)?(\w+)", body)
            is_known = service.verify_usernametoken(body)
            text = service.handle_action(question[1] if question else "", body) if is_known else ""
            answer = (text or service.fault("Sender not authorized")).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    WSDiscoveryServer(service).start()
    server = ThreadingHTTPServer((HOST, config.onvif_port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return subprocess.call([sys.executable, "-m", "frametally", "live", "discover", "--json"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
