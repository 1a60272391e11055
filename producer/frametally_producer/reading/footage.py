"""Which media the given paths hold."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from frametally.files.names import as_text
from frametally.process.reports import Skipped
from frametally_producer.reading.media_file import why_unusable

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".flv"}
    | {".wmv", ".asf", ".ogv", ".3gp"}
)
# Media that people have and frametally does not read: named, not passed over.
OTHER_SUFFIXES = frozenset(
    {".heic", ".heif", ".avif", ".gif", ".dng", ".cr2", ".nef", ".arw", ".m3u8", ".dav"}
)

HOLDS_NOTHING = "holds no pictures or videos; put some there"


class VideoToProduce(NamedTuple):
    """A video file, and the source's name as it is to be shown."""

    path: Path
    source_name: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file alone, as `PicturesToProduce.paths` has several."""
        return (self.path,)


class PicturesToProduce(NamedTuple):
    """Picture files of one given path, sorted, and the source's name as it is to be shown."""

    name: str
    paths: tuple[Path, ...]
    source_name: str


class Footage(NamedTuple):
    """What the paths hold, in the order given, and what of it cannot be produced."""

    media: list[VideoToProduce | PicturesToProduce]
    skipped: list[Skipped]


def find_footage(paths: Sequence[Path], *, source: str | None, leave_out: Collection[Path]) -> Footage:
    """Find the media at `paths`: files, or folders (searched all through, sorted, hidden ones passed over).

    The source's name is `source`, or else that of the folder given, for a single file its stem. Folders in
    `leave_out`, such as those that frametally itself writes, are not searched.
    """
    footage = Footage([], [])
    for path in dict.fromkeys(paths):
        if path.is_dir():
            name = as_text(source or path.resolve().name or "source")
            _add_folder(footage, path, name, leave_out)
        elif path.exists():
            _add_file(footage, path, as_text(source or path.stem))
        else:
            footage.skipped.append(Skipped(str(path), "there is no such file or folder; check the path"))
    return footage


def _add_file(footage: Footage, path: Path, source_name: str) -> None:
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        footage.media.append(PicturesToProduce(as_text(path), (path,), source_name))
    elif suffix in VIDEO_SUFFIXES:
        footage.media.append(VideoToProduce(path, source_name))
    else:
        footage.skipped.append(_not_read(path))


def _add_folder(footage: Footage, folder: Path, source_name: str, leave_out: Collection[Path]) -> None:
    left_out = {path.resolve() for path in leave_out} - {folder.resolve()}
    pictures: list[Path] = []
    videos: list[Path] = []
    others: list[Path] = []

    def unreadable(error: OSError) -> None:
        footage.skipped.append(Skipped(str(error.filename), why_unusable(error)))

    for parent, subfolders, files in os.walk(folder, onerror=unreadable):
        subfolders[:] = sorted(
            name for name in subfolders if name[0] != "." and Path(parent, name).resolve() not in left_out
        )
        for name in sorted(files):
            path = Path(parent, name)
            for suffixes, found in (
                (PICTURE_SUFFIXES, pictures),
                (VIDEO_SUFFIXES, videos),
                (OTHER_SUFFIXES, others),
            ):
                if name[0] != "." and path.suffix.lower() in suffixes:
                    found.append(path)
    if pictures:
        footage.media.append(PicturesToProduce(as_text(folder), tuple(pictures), source_name))
    footage.media.extend(VideoToProduce(path, source_name) for path in videos)
    footage.skipped.extend(_not_read(path) for path in others)
    if not pictures and not videos and not others:
        footage.skipped.append(Skipped(str(folder), HOLDS_NOTHING))


def _not_read(path: Path) -> Skipped:
    known = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES))
    return Skipped(str(path), f"is of no kind that is read by its name ({known}); convert it")
