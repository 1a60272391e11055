"""Provides frames to calibrate an INT8 network: from a folder, the store, or the demo clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Poison
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2, decode_image
from frametally.process.reports import Progress, plural
from frametally.settings.loading import Settings

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
MOST_FRAMES = 200
_KEPT_PER_WANTED = 8
"""Names held for each wanted picture; more names make the choice more even."""


def calibration_frames(
    settings: Settings, progress: Progress, folder: Path | None = None
) -> Iterator[Pixels]:
    """Yield at most 200 frames, spread evenly over all available ones, (height, width, 3) uint8 BGR.

    Takes them from `folder` if given, otherwise from the store, or from the demo clip if the store has none.
    Each is read when the caller takes it: 200 frames of 4K would be 5 GB.

    Raises:
        Misconfigured: The folder is missing or has no readable picture; or the clip is unavailable.
    """
    if folder is not None:
        yield from _of_folder(folder.expanduser(), progress)
        return
    count = 0
    for frame in _of_store(settings, progress):
        count += 1
        yield frame
    if count:
        progress.say(f"calibrating on {plural(count, 'frame')} of this store")
        return
    progress.say(
        "calibrating on the demo clip, because this store has no frames; your own footage gives better "
        "results"
    )
    clip = ensure_demo_clip(settings.models_dir.expanduser(), progress)
    yield from _of_clip(clip, MOST_FRAMES)


def evenly(count: int, wanted: int) -> list[int]:
    """Return up to `wanted` indices, at most `count`, spread evenly over `range(count)`."""
    wanted = min(count, wanted)
    return [place * count // wanted for place in range(wanted)]


def thinned(names: Iterable[str], wanted: int) -> list[str]:
    """Return up to `wanted` of `names`, spread evenly, without holding many more in memory.

    Keeps every `step`-th, and doubles `step` when there are too many: a camera's year has 160 million.
    """
    sample: list[str] = []
    step = 1
    for place, name in enumerate(names):
        if place % step == 0:
            sample.append(name)
            if len(sample) > _KEPT_PER_WANTED * wanted:
                sample = sample[::2]
                step *= 2
    return [sample[place] for place in evenly(len(sample), wanted)]


def _of_folder(folder: Path, progress: Progress) -> Iterator[Pixels]:
    setting = f"--calibration-dir {folder}"
    if not folder.is_dir():
        raise Misconfigured(
            f"{setting}: this folder does not exist; set it to a folder with pictures, or leave the option "
            "out"
        )
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    has_frames = False
    for place in evenly(len(paths), MOST_FRAMES):
        picture = cv2.imread(str(paths[place]), cv2.IMREAD_COLOR)
        if picture is None:
            progress.say(f"{paths[place]} cannot be decoded; it is left out")
        else:
            has_frames = True
            yield np.asarray(picture, np.uint8)
    if not has_frames:
        raise Misconfigured(
            f"{setting}: it has no picture that can be read ({', '.join(sorted(_PICTURES))}); put frames "
            "of your footage there, or leave the option out to use the store's frames"
        )


def _of_store(settings: Settings, progress: Progress) -> Iterator[Pixels]:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        for key in thinned((info.key for info in store.list(keys.IMAGES)), MOST_FRAMES):
            try:
                frame = decode_image(store.get(key), settings.max_image_megapixels * 1_000_000)
            except Poison as error:
                progress.say(f"{key}: {error}; it is left out")
            else:
                yield frame


def _of_clip(clip: Path, wanted: int) -> Iterator[Pixels]:
    capture = cv2.VideoCapture(str(clip))
    chosen = set(evenly(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), wanted))
    place = frames = 0
    while capture.grab():
        if place in chosen:
            frames += 1
            yield np.asarray(capture.retrieve()[1], np.uint8)
        place += 1
    capture.release()
    if not frames:
        raise Misconfigured(
            f"{clip}: no frame in it can be decoded; delete it, and frametally downloads it again"
        )
