"""Security of every route, errors included: response headers, and the dashboard's allowed host names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, request

from frametally.actions.problems import Problem
from frametally.errors import Misconfigured
from frametally.settings.loading import Settings
from frametally_web.access.visitors import visitor
from frametally_web.requests.origins import is_of_own_page, is_origin

# Scripts, styles, pictures and requests only from this server; nothing inline; no markup made from text
# (`require-trusted-types-for` makes `innerHTML = ...` throw).
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)


HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Footage is private: other sites may neither embed a frame nor hold a handle on the window.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

UPLOADS_REMEDY = (
    "Open the dashboard on the machine that it runs on, or allow uploads there, as the manual of videos "
    "describes."
)
"""What to do if uploads and edits are off."""

# What a page of an allowed site may send and read, in addition to what any page may.
_SENT = (
    "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range, Tus-Resumable, Upload-Checksum, "
    "Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset"
)
_TOLD = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Frametally-Known, Frametally-Remark, "
    "Frametally-Video, Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, "
    "Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset"
)
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{0,5}))?")
_API = ("/api/", "/upload", "/metadata/", "/internal/", "/processed_videos/", "/openapi.json")
"""The paths of the API, including those for the original player."""
_OF_VIDEOS = tuple(
    f"/api/{version}{group}"
    for version in ("", "v1/")
    for group in ("videos", "jobs", "streams", "stream/", "cameras")
)


class Guard:
    """Headers and checks that are the same for every answer, from any part of the server."""

    def __init__(self, settings: Settings, *, picture_origin: str = "") -> None:
        """Allow pictures also from `picture_origin`, such as `https://s3.example.org`."""
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
        self.allows_uploads = settings.web_uploads
        """Whether videos may be uploaded, edited and removed here."""
        if settings.web_uploads is None:
            self.allows_uploads = settings.listens_to_itself

    def headers_for(
        self,
        method: str,
        path: str,
        *,
        origin: str,
        referrer: str,
        methods: Sequence[str] = ("GET", "HEAD"),
        shown_on: Sequence[str] = (),
    ) -> dict[str, str]:
        """Return the headers of the answer to a request for `path` with this `origin` and `referrer`.

        Pages of the sites that the settings allow may read the API, upload videos, and show the frames, the
        videos and `/embed`; pages of other sites may not, and a viewer's sign-in is never sent. They may use
        `methods`. A signed chart is only for pages of `shown_on`.
        """
        headers = dict(self.headers)
        if path.startswith("/sign-in"):
            # Without a referrer a form's origin is `null`, even for this server's own page.
            headers["Referrer-Policy"] = "same-origin"
        if path == "/embed" and (sites := shown_on or self._origins):
            policy = headers["Content-Security-Policy"]
            allowed = " ".join(["'self'", *sorted(sites)])
            headers["Content-Security-Policy"] = policy.replace(
                "frame-ancestors 'none'", f"frame-ancestors {allowed}"
            )
        elif self._origins and is_of_api(path):
            headers["Vary"] = "Origin, Referer"
            # A picture is requested without an origin and, unless its page forbids it, with a referrer.
            if origin in self._origins or _origin_in(referrer) in self._origins:
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            if origin in self._origins:
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = _TOLD
                if method == "OPTIONS":
                    headers["Access-Control-Allow-Methods"] = ", ".join(methods)
                    headers["Access-Control-Allow-Headers"] = _SENT
                    headers["Access-Control-Max-Age"] = "600"
        return headers

    def check_name(self, host: str | None) -> None:
        """Refuse a request with a host name (its Host header) that is not the dashboard's.

        A page of any site could point its own name at this machine (DNS rebinding), and a browser would then
        let it read every frame. If the dashboard listens on all networks, any address is allowed, because no
        site can use an address as its name. A client that sends no name is not a browser.

        Raises:
            Problem: 421.
        """
        if host is None:
            return
        name = _name_in(host)
        if name not in self._names and not (self._listens_everywhere and _is_address(name)):
            raise Problem(
                421,
                "The dashboard does not accept this host name.",
                remedy="Use localhost, or ask an administrator to allow this name.",
            )

    def check_writer(self, *, host: str, origin: str, fetch_site: str, is_shared: bool = True) -> None:
        """Refuse a change that comes from a page of another site; the arguments are the request's headers.

        A browser sends sign-ins automatically, even with requests from another site's page (behind a proxy
        with basic auth, that would be a viewer's password). But it names the requesting site; a client that
        names none, such as curl, is not a browser. Pages of the sites that the settings allow may change what
        `is_shared`.

        Raises:
            Problem: 403.
        """
        says_nothing = not origin and not fetch_site
        is_own = is_of_own_page(host=host, origin=origin, fetch_site=fetch_site)
        if not (is_own or says_nothing or (is_shared and origin in self._origins)):
            raise Problem(
                403,
                "A page of another site cannot change anything here.",
                remedy="Use the dashboard itself, or ask an administrator to allow that site.",
            )

    def check_listener(self, headers: Mapping[str, str]) -> None:
        """Refuse a WebSocket that a page of another site opens: browsers do not ask first.

        Raises:
            Problem: 403, 421.
        """
        self.check_name(headers.get("Host"))
        self.check_writer(
            host=headers.get("Host", ""),
            origin=headers.get("Origin", ""),
            fetch_site=headers.get("Sec-Fetch-Site", ""),
        )

    def check_uploads(self) -> None:
        """Refuse a change of videos if uploads are off.

        Raises:
            Problem: 403.
        """
        if not self.allows_uploads:
            raise Problem(403, "Uploads are off here.", remedy=UPLOADS_REMEDY)

    def protect(self, app: Flask) -> None:
        """Apply these checks and headers to all routes of `app`."""

        @app.before_request
        def check() -> None:
            self.check_name(request.headers.get("Host"))
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                self.check_writer(
                    host=request.headers.get("Host", ""),
                    origin=request.headers.get("Origin", ""),
                    fetch_site=request.headers.get("Sec-Fetch-Site", ""),
                    is_shared=is_of_api(request.path),  # a sign-in is only for our own pages
                )

        @app.after_request
        def set_headers(response: Response) -> Response:
            vary = response.headers.get("Vary")
            response.headers.update(
                self.headers_for(
                    request.method,
                    request.path,
                    origin=request.headers.get("Origin", ""),
                    referrer=request.headers.get("Referer", ""),
                    methods=_methods_for_others(response),
                    shown_on=visitor().shown_on,
                )
            )
            if vary:
                response.vary.update(name.strip() for name in vary.split(","))
            return response


def is_of_api(path: str) -> bool:
    """Return whether a path belongs to the API, which pages of allowed sites may use."""
    return path.startswith(_API)


def read_origins(setting: str) -> frozenset[str]:
    """Return the origins of `FRAMETALLY_WEB_ALLOWED_ORIGINS`, as browsers write them.

    Raises:
        Misconfigured: One of them is not an origin.
    """
    origins = frozenset(origin.strip() for origin in setting.split(",") if origin.strip())
    for origin in origins:
        if not is_origin(origin):
            raise Misconfigured(
                f"FRAMETALLY_WEB_ALLOWED_ORIGINS has {origin!r}, which is not an origin: write each as "
                "https://name or https://name:port, in lower case and without a path"
            )
    return origins


def _origin_in(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _methods_for_others(response: Response) -> list[str]:
    """Return the methods that pages of allowed sites may use here: drawings are read-only for them."""
    if not (request.path.startswith(_OF_VIDEOS) and response.allow):
        return ["GET", "HEAD"]
    return sorted(method.upper() for method in response.allow if method.upper() != "OPTIONS")


def _name_in(host: str) -> str:
    """Return the name or address in a Host header, without its port; empty if there is none."""
    match = _HOST.fullmatch(host.lower())
    if match is None or int(match["port"] or 0) > 65535:
        return ""
    return match["name"].strip("[]").removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
