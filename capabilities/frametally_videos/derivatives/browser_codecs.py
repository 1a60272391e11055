"""Containers and codecs that Chromium, Firefox and Safari all play.

A codec that only some of them play, or only with certain graphics cards (HEVC), counts as not played.
"""

from __future__ import annotations

_BASELINE = {"yuv420p", "yuvj420p"}
_DEEP = _BASELINE | {"yuv420p10le"}
_NAMES = {
    "h264": "H.264",
    "hevc": "H.265 (HEVC)",
    "mpeg4": "MPEG-4 part 2",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
    "mjpeg": "Motion JPEG",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "theora": "Theora",
    "prores": "ProRes",
    "h263": "H.263",
}
_CONTAINERS = {
    "matroska": "Matroska",
    "avi": "AVI",
    "mpegts": "MPEG transport streams",
    "mpeg": "MPEG program streams",
    "flv": "Flash video",
    "asf": "Windows Media",
    "ogg": "Ogg",
}
# The playable video codecs of each container, with their pixel formats.
_PLAYED: dict[str, dict[str, set[str]]] = {
    "mp4": {"h264": _BASELINE, "av1": _DEEP, "vp9": _DEEP},
    "mov": {"h264": _BASELINE},
    "webm": {"vp8": _BASELINE, "vp9": _DEEP, "av1": _DEEP},
}
_REMEDY = "download it, or upload it as MP4 with H.264"


def why_not_played(container: str, codec: str, pixel_format: str, *, track: int = 1) -> str | None:
    """Return why browsers do not play a video track, as one sentence, or None if they do.

    Sound does not matter: browsers play pictures without sound that they cannot decode.
    """
    codecs = _PLAYED.get(container)
    if codecs is None:
        return f"Browsers cannot play {_CONTAINERS.get(container, container)}: {_REMEDY}."
    name = _NAMES.get(codec, codec)
    if codec not in codecs:
        return f"Not every browser can play {name}: {_REMEDY}."
    if pixel_format not in codecs[codec]:
        return f"Not every browser can play {name} with {pixel_format} pixels: {_REMEDY}."
    if track > 1:
        return f"Browsers play its first video track, but frametally counts track {track}: {_REMEDY}."
    return None
