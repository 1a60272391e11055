"""Which uploads were begun from here and are not over: so the same command goes on with them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from frametally.errors import Misconfigured
from frametally_videos.commands.upload_clip import Clip

_FOLDER = "uploads-from-here"


class UploadNotes:
    """A small file for each upload that is under way; whoever can read it can go on with that upload."""

    def __init__(self, data_dir: Path) -> None:
        """Keep them in a deployment's folder, or in that of whoever uploads to another machine."""
        self._folder = data_dir / _FOLDER

    def get(self, mark: str) -> str | None:
        """Return what was noted of an upload; None if nothing was."""
        try:
            return (self._folder / mark).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return None  # then it begins anew

    def put(self, mark: str, text: str) -> None:
        """Note it. Raises `Misconfigured` if that cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            staging = self._folder / f"{mark}.{os.getpid()}"
            handle = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            staging.replace(self._folder / mark)
        except OSError as error:
            raise Misconfigured(
                f"{self._folder}: it cannot be noted there which uploads are under way ({error.strerror}); "
                "set FRAMETALLY_DATA_DIR to a folder that this user may write"
            ) from error

    def mark_of(self, clip: Clip, place: str) -> str:
        """Return the mark of a file's upload; one that may move counts goes on with one that might not."""
        mark = clip.mark(place)
        if clip.fields.move_counts and self.get(mark) is None:
            fields = msgspec.structs.replace(clip.fields, move_counts=False)
            unconfirmed = clip._replace(fields=fields).mark(place)
            begun = self.get(unconfirmed)
            if begun is not None:
                self.put(mark, begun)
                self.forget(unconfirmed)
        return mark

    def forget(self, mark: str) -> None:
        """Remove the note: the upload is over."""
        (self._folder / mark).unlink(missing_ok=True)
