"""Makes the data of a release, once: `python tests/together/released_data.py VERSION PROGRAM...`.

PROGRAM is that release's `frametally`. The data that it leaves is `fixtures/data-<VERSION>.tar.xz`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

FIXTURES = Path(__file__).with_name("fixtures")
SETTINGS = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1", "COLUMNS": "300"}
STARTS = {"gate": "2026-03-04T10:00:00Z", "yard": "2026-03-04T11:00:00Z", "cam": "2026-03-04T23:59:54Z"}
FRAMES = 60
_SIZE = {"width_px": 64, "height_px": 48}
_DRAWING = {
    "v": 1,
    "lines": [{"name": "across", **_SIZE, "points": [[30, 0], [30, 48]], "to_right": "out", "to_left": "in"}],
    "zones": [{"name": "within", **_SIZE, "points": [[8, 0], [50, 0], [30, 48]]}],
}


def make_videos(folder: Path) -> None:
    """Twelve seconds of each source: one patch is still, one slow, one fast; `yard` is black for a while."""
    for number, source in enumerate(STARTS):
        with av.open(str(folder / f"{source}.mp4"), "w") as container:
            stream: Any = container.add_stream("libx264", rate=5)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.time_base = Fraction(1, 5)
            for n in range(FRAMES):
                image = np.zeros((48, 64, 3), np.uint8)
                if source != "yard" or not 20 <= n < 45:
                    image[:] = 30
                    image[4:12, 4 + 3 * number : 14 + 3 * number] = 255
                    image[18:28, 2 * n % 54 : 2 * n % 54 + 10] = 255
                    if (left := 13 * n % 120) < 54:
                        image[34:44, left : left + 10] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            container.mux(stream.encode())


def make(version: str, program: list[str]) -> Path:
    """Let `program` produce, detect, count and publish, and pack its data folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_videos(folder)
        (folder / "drawing.json").write_text(json.dumps(_DRAWING))
        steps = [
            *(
                ["produce", f"{source}.mp4", "--start-time", at, "--sample-fps", "5"]
                for source, at in STARTS.items()
            ),
            ["lines", "import", "gate", "drawing.json"],
            ["consume", "--until-caught-up"],
            *(["aggregate"], ["index"], ["gold"]),
            ["users", "add", "anna", "--role", "run"],
            ["status"],
        ]
        for step in steps:
            subprocess.run(
                [*program, *step, "--data-dir", "data"], cwd=folder, env=os.environ | SETTINGS, check=True
            )
        (folder / "data/reserve").unlink(missing_ok=True)  # random bytes, which the next command makes again
        FIXTURES.mkdir(exist_ok=True)
        packed = FIXTURES / f"data-{version}.tar.xz"
        with tarfile.open(packed, "w:xz") as archive:
            archive.add(folder / "data", "data")
    return packed


def unpack(version: str, folder: Path) -> Path:
    """Unpack the data of a release into `folder`, and return the data folder."""
    with tarfile.open(FIXTURES / f"data-{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "data"


if __name__ == "__main__":
    version, *program = sys.argv[1:]
    program[0] = str(Path(shutil.which(program[0]) or program[0]).absolute())
    print(make(version, program))
