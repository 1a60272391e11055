"""The MP4 file that is being made: it begins with what a player needs first, and is bounded in its size."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer

from frametally.errors import Misconfigured, Poison

_LOOK_EVERY_PACKETS = 100
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Mp4File:
    """An MP4 file with its tracks."""

    def __init__(self, container: OutputContainer, path: Path, *, most_bytes: int) -> None:
        """See `open_mp4`."""
        self.container = container
        self._path = path
        self._most_bytes = most_bytes
        self._packets = 0

    def put(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Write what belongs to its tracks.

        Raises:
            Poison: It becomes larger than it may.
            OSError: The disk, or what is written, does not do.
        """
        for packet in packets:
            self.container.mux(packet)
            self._packets += 1
            if not self._packets % _LOOK_EVERY_PACKETS:
                self.check_size()

    def check_size(self) -> None:
        """Raise `Poison` where it is larger than it may be."""
        if self._path.stat().st_size > self._most_bytes:
            raise Poison(
                f"would become larger than {self._most_bytes / 1e6:.0f} MB, which is the limit for it (3 "
                "times the original, 20 GB at most): raise FRAMETALLY_VIDEO_CRF, or lower "
                "FRAMETALLY_PLAYABLE_MAX_SIDE_PX"
            )


@contextmanager
def open_mp4(path: Path, *, most_bytes: int) -> Iterator[Mp4File]:
    """Open a new file; at the end of the block it is whole.

    Raises:
        Poison: It is larger than it may be.
        Misconfigured: It cannot be written.
    """
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            file = Mp4File(container, path, most_bytes=most_bytes)
            yield file
        file.check_size()
    except OSError as error:  # FFmpeg's errors are such, too
        if error.errno in _NO_ROOM:
            why = "no room is left there: make some, or set FRAMETALLY_SCRATCH_DIR"
        elif error.errno == errno.EFBIG:
            why = "it is larger than a job's files may be"
        else:
            why = str(error.strerror or error).partition("\n")[0][:200]
        raise Misconfigured(f"a video could not be made in {path.parent}: {why}") from error
