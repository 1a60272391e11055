"""What holds on every route, errors included: response headers, and which names the dashboard goes by."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flask import Flask, Response, request

from frametally.errors import Misconfigured
from frametally.settings.loading import Settings
from frametally_web.requests.problems import Problem

# Scripts, styles, pictures and requests from this server alone; nothing inline; no markup made from text
# (`require-trusted-types-for` makes `innerHTML = ...` throw).
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

# The port that a scheme has anyway is not written, nor is anything behind it.
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?")

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Footage is nobody else's: other sites may neither embed a frame nor hold a handle on the window.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """What is the same for every answer, whichever part of the server gives it."""

    def __init__(self, settings: Settings, *, picture_origin: str = "") -> None:
        """Pictures may come from `picture_origin`, too (`https://s3.example.org`)."""
        self.headers = dict(HEADERS)
        if picture_origin:
            self.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
                "img-src 'self'", f"img-src 'self' {picture_origin}"
            )
        self._origins = read_origins(settings.web_allowed_origins)
        bound = settings.web_host.strip("[]").lower()
        self._names = {"localhost", "127.0.0.1", "::1", bound}
        self._names |= {name.strip().strip("[]").lower() for name in settings.web_hosts.split(",")}
        self._names.discard("")
        self._listens_everywhere = bound in ("0.0.0.0", "::")  # noqa: S104

    def headers_for(self, method: str, path: str, *, origin: str, referrer: str) -> dict[str, str]:
        """Return the headers of the answer to a request for `path`; `origin` and `referrer` are its own.

        Pages of the sites that the settings allow may read the API and show the frames and `/embed`; nobody
        else's, and never with a viewer's log-in.
        """
        headers = dict(self.headers)
        if not self._origins:
            return headers
        if path == "/embed":
            policy = headers["Content-Security-Policy"]
            allowed = " ".join(["'self'", *sorted(self._origins)])
            headers["Content-Security-Policy"] = policy.replace(
                "frame-ancestors 'none'", f"frame-ancestors {allowed}"
            )
        elif path.startswith("/api/"):
            headers["Vary"] = "Origin, Referer"
            # A picture is asked for without an origin and, unless its page forbids it, with a referrer.
            if origin in self._origins or _origin_in(referrer) in self._origins:
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            if origin in self._origins:
                headers["Access-Control-Allow-Origin"] = origin
                if method == "OPTIONS":
                    headers["Access-Control-Allow-Methods"] = "GET, HEAD"
                    headers["Access-Control-Allow-Headers"] = "If-None-Match"
                    headers["Access-Control-Max-Age"] = "600"
        return headers

    def check_name(self, asked: str | None) -> None:
        """Refuse a request for a name (its Host header) that is not the dashboard's.

        A page of any site could point its own name at this machine (DNS rebinding), and a browser would then
        let it read every frame. Where the dashboard listens on all networks it may be asked for by any
        address, which no site can take for its name. Who sends no name at all is no browser.

        Raises:
            Problem: 421.
        """
        if asked is None:
            return
        name = _name_in(asked)
        if name not in self._names and not (self._listens_everywhere and _is_address(name)):
            raise Problem(
                421,
                "The dashboard does not go by the name that was asked for.",
                remedy="Ask for localhost, or have whoever runs this server allow the name.",
            )

    def protect(self, app: Flask) -> None:
        """Hold all routes of `app` to it."""

        @app.before_request
        def check_name() -> None:
            self.check_name(request.headers.get("Host"))

        @app.after_request
        def set_headers(response: Response) -> Response:
            vary = response.headers.get("Vary")
            response.headers.update(
                self.headers_for(
                    request.method,
                    request.path,
                    origin=request.headers.get("Origin", ""),
                    referrer=request.headers.get("Referer", ""),
                )
            )
            if vary:
                response.vary.update(name.strip() for name in vary.split(","))
            return response


def read_origins(setting: str) -> frozenset[str]:
    """Return the origins of `FRAMETALLY_WEB_ALLOWED_ORIGINS`, as browsers write them.

    Raises:
        Misconfigured: One of them is none.
    """
    origins = frozenset(one.strip() for one in setting.split(",") if one.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise Misconfigured(
                f"FRAMETALLY_WEB_ALLOWED_ORIGINS has {origin!r}, which is no origin: "
                "write each as https://name or https://name:port, in small letters and without a path"
            )
    return origins


def _origin_in(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _name_in(host: str) -> str:
    """Return the name or address in a Host header, without its port; empty if there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
