"""`rtsp_camera.py PORT LAUNCH [USER PASSWORD [PEM]]`: a real RTSP server; what LAUNCH makes is at `/gate`.

It is GStreamer's, run by the system's own Python, which has its bindings. LAUNCH is a pipeline as for
`gst-launch`, with a payloader `pay0`; PEM is a file of a key and its certificate, for TLS. Its first line
is the port that it listens on; 0 takes a free one.
"""

from __future__ import annotations

import sys

import gi  # type: ignore[import-not-found]  # the system's

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

_TELLS_EVERY_NS = 100_000_000


def tell_the_time_at_once(media: GstRtspServer.RTSPMedia) -> None:
    """Report its clock ten times a second: by default reports begin after some seconds."""
    for number in range(media.n_streams()):
        media.get_stream(number).get_rtpsession().set_property("rtcp-min-interval", _TELLS_EVERY_NS)


def main(port: str, launch: str, user: str = "", password: str = "", pem: str = "") -> None:
    """Serve until killed; with a user, only to clients that know the password (Digest)."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {launch} )")
    factory.set_shared(True)
    factory.connect("media-configure", lambda _, media: media.connect("prepared", tell_the_time_at_once))
    if user or pem:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        if user:
            auth.add_digest(user, password, token)
        else:
            auth.set_default_token(token)
        if pem:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(pem))
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for what in ("ACCESS", "CONSTRUCT"):
            right = getattr(GstRtspServer, f"RTSP_PERM_MEDIA_FACTORY_{what}")
            permissions.add_permission_for_role("viewer", right, True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/gate", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
