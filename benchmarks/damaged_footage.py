"""How often FFmpeg notices bytes turned inside a picture, by codec.

    python benchmarks/damaged_footage.py            # --seeds 30

Each film has 60 numbered pictures. For each seed, up to 40 random bytes overwrite a part of one picture, and
the film is read as the producer reads it. A film counts as unnoticed if a picture that is not the original
one is given, and no line says that the film is damaged.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from tests.fakes.damaged import FILMS, is_smeared, make_film, with_bytes_turned  # noqa: E402

from frametally_producer.reading.video_file import open_video  # noqa: E402


def read(data: bytes) -> tuple[int, int, bool]:
    """Return how many pictures of a film are given, how many of them are smeared, and whether it says so."""
    with open_video(io.BufferedReader(io.BytesIO(data)), max_pixels=1_000_000) as video:
        smeared = [is_smeared(video.pixels(one.frame), one.offset_ms // 40) for one in video.frames()]
        return len(smeared), sum(smeared), bool(video.damage)


def main() -> None:
    """Print a row for each codec."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=30)
    seeds = parser.parse_args().seeds
    print(
        "| codec | films with smeared pictures | of them unnoticed | whole pictures of the undamaged film |"
    )
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, film in FILMS.items():
            path = make_film(Path(folder), film)
            given, smeared_whole, _ = read(path.read_bytes())
            outcomes = [read(with_bytes_turned(path, seed)) for seed in range(seeds)]
            smeared = sum(count > 0 for _, count, _ in outcomes)
            unnoticed = sum(count > 0 and not is_noticed for _, count, is_noticed in outcomes)
            row = f"{smeared} of {seeds}", f"{unnoticed} of {seeds}", given - smeared_whole
            print(f"| {name} | {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
