"""Response headers that hold on every route, errors included."""

from __future__ import annotations

from flask import Flask, Response

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

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Footage is nobody else's: other sites may neither embed a frame nor hold a handle on the window.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add_headers(app: Flask, *, picture_origin: str = "") -> None:
    """Set `HEADERS` on every response; pictures may come from `picture_origin`, too (`https://s3.example.org`)."""
    headers = dict(HEADERS)
    if picture_origin:
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
            "img-src 'self'", f"img-src 'self' {picture_origin}"
        )

    @app.after_request
    def set_headers(response: Response) -> Response:
        response.headers.update(headers)
        return response
