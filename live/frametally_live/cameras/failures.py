"""Why a camera cannot be read: what may pass by itself, and what a person must mend."""

from __future__ import annotations

from frametally.errors import FrametallyError


class CameraAway(FrametallyError):
    """It cannot be read now; it is tried again.

    Attributes:
        refuses_login: Whether it does not let us in: it is tried again more seldom, so as to lock nobody out.
    """

    def __init__(self, reason: str, *, refuses_login: bool = False) -> None:
        """Give the reason as one clause, without the camera's name."""
        super().__init__(reason)
        self.refuses_login = refuses_login


class PlaceRefused(CameraAway):
    """It leads, for now, to where no camera may be: by a redirect, a playlist or what its name means."""

    def __init__(self, reason: str) -> None:
        """Give the reason why nothing connects there."""
        super().__init__(f"leads to an address that is refused: {reason}")


def told_status(status: int, phrase: str, *, has_login: bool, source: str) -> CameraAway:
    """Return what an answer's status (RTSP and HTTP share them) means for a person."""
    if status == _UNAUTHORIZED and not has_login:
        return CameraAway(
            f'asks for a log-in: set FRAMETALLY_LIVE_LOGINS={{"{source}": "<user>:<password>"}}',
            refuses_login=True,
        )
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return CameraAway(
            f"refuses the log-in ({status}): check that of {source} in FRAMETALLY_LIVE_LOGINS",
            refuses_login=True,
        )
    if status == _NOT_FOUND:
        return CameraAway("knows no such path (404): check the address")
    if status // 100 == _REDIRECTS:
        return CameraAway(f"redirects to another address ({status}), which is not followed: give that one")
    return CameraAway(f"answers {status} {phrase[:100]}".rstrip())


_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _REDIRECTS = 401, 403, 404, 3
