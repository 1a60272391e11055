"""Frames to calibrate an INT8 network on: a folder of pictures, the store's own, or the demo clip's."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from frametally import keys
from frametally.demo_clip import ensure_demo_clip
from frametally.errors import Misconfigured, Poison
from frametally.object_store import open_object_store
from frametally.opencv import Pixels, cv2, decode_image
from frametally.reports import Progress
from frametally.settings import Settings

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def calibration_frames(settings: Settings, progress: Progress) -> list[Pixels]:
    """At most `calibration_frames` frames, evenly from all there are, each (height, width, 3) uint8 BGR.

    From `calibration_dir` if it is set, else from the store; from the demo clip if the store has none.

    Raises:
        Misconfigured: The folder is not there or has no picture that can be read; or the clip cannot be had.
    """
    if settings.calibration_dir is not None:
        return _of_folder(settings.calibration_dir.expanduser(), settings, progress)
    frames = _of_store(settings, progress)
    if frames:
        progress.say(f"calibrating on {len(frames)} frames of this store")
        return frames
    progress.say("calibrating on the demo clip: this store has no frames; your own footage is better")
    return _of_clip(ensure_demo_clip(settings.models_dir.expanduser(), progress), settings.calibration_frames)


def evenly(count: int, wanted: int) -> list[int]:
    """`wanted` places, at most `count`, spread evenly over `range(count)`."""
    wanted = min(count, wanted)
    return [place * count // wanted for place in range(wanted)]


def _of_folder(folder: Path, settings: Settings, progress: Progress) -> list[Pixels]:
    setting = f"FRAMETALLY_CALIBRATION_DIR={folder}"
    if not folder.is_dir():
        raise Misconfigured(f"{setting}: there is no such folder; name one with pictures, or leave it empty")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    frames = []
    for place in evenly(len(paths), settings.calibration_frames):
        picture = cv2.imread(str(paths[place]), cv2.IMREAD_COLOR)
        if picture is None:
            progress.say(f"{paths[place]}: cannot be decoded; left out")
        else:
            frames.append(np.asarray(picture, np.uint8))
    if not frames:
        raise Misconfigured(
            f"{setting}: no picture in it that can be read ({', '.join(sorted(_PICTURES))}); put frames of "
            "your footage there, or leave it empty for the store's own"
        )
    return frames


def _of_store(settings: Settings, progress: Progress) -> list[Pixels]:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        image_keys = [info.key for info in store.list(keys.IMAGES)]
        frames = []
        for place in evenly(len(image_keys), settings.calibration_frames):
            try:
                data = store.get(image_keys[place])
                frames.append(decode_image(data, settings.max_image_megapixels * 1_000_000))
            except Poison as error:
                progress.say(f"{image_keys[place]}: {error}; left out")
        return frames


def _of_clip(clip: Path, wanted: int) -> list[Pixels]:
    capture = cv2.VideoCapture(str(clip))
    chosen = set(evenly(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), wanted))
    frames = []
    place = 0
    while capture.grab():
        if place in chosen:
            frames.append(np.asarray(capture.retrieve()[1], np.uint8))
        place += 1
    capture.release()
    if not frames:
        raise Misconfigured(f"{clip}: no frame in it can be decoded; delete it, it is fetched anew")
    return frames
