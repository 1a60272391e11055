"""Films in which every frame shows its number, and an object at the matching place."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import av
import numpy as np

SIZE_PX = (320, 180)
BITS = 10
STEP_PX = 6
OBJECT_PX = (40, 30)
_TOP_PX = 100
_TIME_BASE = Fraction(1, 30_000)
READ = f"""([pictures, boxes]) => {{
    const at = Date.now();
    const picture = document.querySelector(pictures);
    const canvas = new OffscreenCanvas({SIZE_PX[0]}, {SIZE_PX[1]});
    const pen = canvas.getContext("2d", {{willReadFrequently: true}});
    pen.drawImage(picture, 0, 0, {SIZE_PX[0]}, {SIZE_PX[1]});
    let number = 0;
    for (let bit = 0; bit < {BITS}; bit += 1) {{
        if (pen.getImageData(16 + 32 * bit, 16, 1, 1).data[0] > 60) number += 2 ** bit;
    }}
    const box = document.querySelector(`${{boxes}} rect.box`);
    return [number, box ? Number(box.getAttribute("x")) : null, at];
}}"""
"""The number of the frame in the player, read from its picture; the place of the box; and the time."""
NOTE_ALL = f"""() => {{
    const read = {READ};
    window.noted = {{drawn: [], told: []}};
    const pace = document.querySelector(".live-pace");
    const now = () => window.noted.drawn.push(read([".live-canvas", ".live-stream"]));
    const tell = () => window.noted.told.push([pace.textContent, window.noted.drawn.length]);
    new MutationObserver(now).observe(
        document.querySelector(".live-canvas"), {{attributeFilter: ["data-n"]}}
    );
    new MutationObserver(tell).observe(pace, {{childList: true}});
}}"""
"""Record from now on each frame that a stream draws, and its reported pace with the number drawn by then."""


class Film(NamedTuple):
    """How a film is made: the times of its frames, in 1/30000 s, and how far frames refer ahead."""

    pts: tuple[int, ...]
    b_frames: int

    @property
    def length_s(self) -> float:
        """Where its last frame begins."""
        return float(self.pts[-1] * _TIME_BASE)

    def number_at(self, position_s: float) -> int:
        """Return the frame whose place is nearest."""
        return min(range(len(self.pts)), key=lambda number: abs(self.pts[number] * _TIME_BASE - position_s))

    def shown_s(self, number: int) -> tuple[float, float]:
        """Return when a frame is shown, from and to; part of that for the last one."""
        begins, ends = (*self.pts, self.pts[-1] + 1000)[number : number + 2]
        return float(begins * _TIME_BASE), float(ends * _TIME_BASE)

    @property
    def frame_ms(self) -> float:
        """The duration of its longest frame."""
        return max(float(1000 * (after - pts) * _TIME_BASE) for pts, after in pairwise(self.pts))

    def make(self) -> bytes:
        """Return it as MP4 with H.264."""
        target = io.BytesIO()
        with av.open(target, "w", format="mp4", options={"video_track_timescale": "30000"}) as output:
            output.metadata["creation_time"] = "2026-05-04T16:40:00Z"
            options = {"preset": "fast", "bf": str(self.b_frames), "b-adapt": "0", "g": "30", "crf": "16"}
            stream = output.add_stream("libx264", rate=30, options=options)
            stream.width, stream.height = SIZE_PX
            stream.pix_fmt = "yuv420p"
            stream.time_base = stream.codec_context.time_base = _TIME_BASE
            for number, pts in enumerate(self.pts):
                frame = av.VideoFrame.from_ndarray(_drawn(number), format="rgb24")
                frame.pts, frame.time_base = pts, _TIME_BASE
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return target.getvalue()


def _varying(number: int) -> int:
    return (number // 4) * 10_000 + (0, 1_000, 2_500, 6_000)[number % 4]


def _film(frames: int, b_frames: int, place: Callable[[int], int]) -> Film:
    return Film(tuple(map(place, range(frames))), b_frames)


FILMS = {
    "25 a second, with B-frames": _film(200, 3, partial(int.__mul__, 1200)),
    "29.97 a second": _film(90, 0, partial(int.__mul__, 1001)),
    "a rate that varies, with B-frames": _film(48, 2, _varying),
}


def left_of(number: int) -> int:
    """Return where the object of a frame is."""
    return STEP_PX * number % 276


def is_of_frame(box_left: float, number: int, within: int) -> bool:
    """Return whether a box is at the place of a frame's object, or of a neighbour's."""
    return any(abs(box_left - left_of(n)) < STEP_PX / 2 for n in range(number - within, number + within + 1))


def _drawn(number: int) -> np.ndarray:
    """Its number is too dark for the detector of patches, unlike the object."""
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), (50, 55, 52), np.uint8)
    for bit in range(BITS):
        picture[:32, 32 * bit : 32 * bit + 32] = 105 if number >> bit & 1 else 16
    left = left_of(number)
    picture[_TOP_PX : _TOP_PX + OBJECT_PX[1], left : left + OBJECT_PX[0]] = (230, 40, 40)
    return picture
