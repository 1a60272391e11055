"""How true the count of unique objects is, on a video with known tracks and on generated scenes; how fast.

    python benchmarks/tracking.py --data ../shared/data [--yardstick] [--clips FOLDER]

`--data` names a folder with `vtest/vtest.avi` and `vtest/tracks_first_400_frames.csv`; cars are those of the
demo clip, which is fetched. Detections are made once, of stored frames by the default detector, as the
pipeline makes them, and kept in `--cache`.
`--yardstick` also runs PyPI's `trackers`, in an environment of its own that is made in `--cache`: it needs
another OpenCV than frametally does.
`--clips` names a folder with `TUD-Campus/` and `TUD-Stadtmitte/` of MOTChallenge 2015: two streets at 25
frames a second, each with `gt.txt` (the truth) and `det.txt` (boxes, as published with SORT). With
`--yardstick`, five trackers follow the same boxes.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time
import venv
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idf1 import Box, Boxes, idf1
from results import CACHE, SHARED, Cell, Goal, Table, options, save
from stored_frames import DEFAULT_QUALITY, decoded_frames, stored
from tracking_scenes import LABEL, SPEED_BOXES, SPEED_FRAMES, Seen, Shown, busy_frames, generated

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings
from frametally_consumer.detectors.protocol import Detector
from frametally_hadoop.job import following
from frametally_hadoop.job.params import CountParams, TrackParams
from frametally_hadoop.job.paths import Visit
from frametally_hadoop.job.visits import find_visits
from frametally_models.prepare import prepare_detector

FRAMES, FPS = 400, 10
WINDOW_FRAMES = 40
STEPS = (1, 2, 3, 5)
CLIP_FRAMES, CLIP_FPS = 360, 30
CLIP_LINES_PX = (340, 360)
CLIP_STEPS = (3, 6, 9)
VEHICLES = ("car", "truck", "bus")
TRACKERS = "trackers==2.6.1"
BYTE_TRACK = "ByteTrackTracker"
OTHER_TRACKERS = {
    "SORTTracker": "SORT",
    BYTE_TRACK: "ByteTrack",
    "OCSORTTracker": "OC-SORT",
    "BoTSORTTracker": "BoT-SORT",
    "CBIoUTracker": "C-BIoU",
}
STREETS, STREET_FPS, STREET_SIZE = ("TUD-Campus", "TUD-Stadtmitte"), 25, (640, 480)
SPEED_ROUNDS = 5


class Score(NamedTuple):
    """A tracker's score at one rate: visits in all, mean error of the windows (as a fraction), IDF1."""

    visits: int
    window_error: float
    idf1: float


class Variant(NamedTuple):
    """One way to track: params, and how far boxes are widened (None for the defaults)."""

    name: str
    params: TrackParams
    widened: tuple[float, float] | None = None


VARIANTS = [
    Variant("as shipped", TrackParams()),
    Variant("fixed persons left out", TrackParams(fixed_labels=(LABEL,))),
    Variant("without stitching", TrackParams(stitch_ms=0)),
    Variant("boxes not widened", TrackParams(), (0.0, 0.0)),
    Variant("confidence 0.4", TrackParams(strong=4000)),
]


def main() -> None:
    """Run everything."""
    asked = options(__doc__, data=SHARED, cache=CACHE, yardstick=False, clips=Path)
    asked.cache.mkdir(parents=True, exist_ok=True)
    frames = detected(asked.data / "vtest" / "vtest.avi", asked.cache / "vtest-stored.json", FRAMES, (LABEL,))
    truth = true_tracks(asked.data / "vtest" / "tracks_first_400_frames.csv")
    busy = busy_frames()

    scores = {
        variant.name: [score_ours(frames, truth, step, variant) for step in STEPS] for variant in VARIANTS
    }
    speeds = {"frametally": speed_ours(busy)}
    packages = ["opencv-python-headless"]
    if asked.yardstick:
        name, scores_of_it, speeds_of_it = yardstick(asked.cache, frames, truth, busy)
        scores[name], speeds[name] = scores_of_it, speeds_of_it
    scenes = [scene_row(fps) for fps in (10.0, 5.0)]
    clip = detected(ensure_demo_clip(asked.cache), asked.cache / "clip-stored.json", CLIP_FRAMES, VEHICLES)
    cars = [[seen for seen in frame if seen.label == "car"] for frame in clip]
    vehicles = [vehicle_row(cars, strong) for strong in (4000, 5000, 6000)]
    together = [
        label_row(clip, "each label by itself", TrackParams(groups=())),
        label_row(clip, "as shipped: together, one label by vote", TrackParams()),
    ]

    shipped, fps = scores["as shipped"], statistics.median(speeds["frametally"])
    exact = min(float(row[-1]) for row in scenes) / float(scenes[0][1])
    save(
        name="tracking",
        title="Unique objects",
        about=(
            f"The first {FRAMES} frames of vtest.avi (pedestrians, 10 frames a second), found by "
            "YOLOv4-tiny, against the published tracks: 10 visits; one more walker is not annotated. "
            "*Visits* is what is counted over all frames; *windows* the mean error of the visits in ten "
            f"windows of {WINDOW_FRAMES} frames, each tracked by itself; *IDF1* how much of all boxes has "
            "the right identity throughout."
        ),
        packages=packages,
        tables=[
            score_table(scores),
            *other_tables(vehicles, together, scenes, speeds),
            *([street_table(asked.clips, asked.cache, asked.yardstick)] if asked.clips else ()),
        ],
        goals=[
            *(
                goal
                for step, score in zip(STEPS, shipped, strict=True)
                for goal in (
                    Goal(f"IDF1 at {rate(step)}", round(score.idf1, 3), at_least=0.6),
                    Goal(f"windows: mean error at {rate(step)}", round(score.window_error, 3), at_most=0.2),
                )
            ),
            Goal(f"frames a second of one core, {SPEED_BOXES} boxes each", round(fps), at_least=4000),
            Goal("generated scenes: share counted exactly", round(exact, 3), at_least=1),
        ],
    )


def detected(
    video: Path,
    cache: Path,
    number: int,
    labels: Collection[str],
    *,
    jpeg_quality: int | None = DEFAULT_QUALITY,
    detector: Detector | None = None,
    step: int = 1,
) -> list[list[Seen]]:
    """Return the labels' boxes in the first frames, from the cache if they are there.

    Boxes are found in JPEGs of that quality, as in the pipeline, or in the decoded frames if it is None; by
    the default detector or another one, in every `step`th frame.
    """
    if not cache.exists():
        detector = detector or prepare_detector(load_settings())
        frames = []
        for place, picture in enumerate(decoded_frames(video, number)):
            shown = picture if jpeg_quality is None else stored(picture, jpeg_quality)
            found = [] if place % step else detector.detect([shown])[0]
            frames.append([[d.label, d.confidence, d.box] for d in found if d.label in labels])
        cache.write_text(json.dumps(frames))
    return [
        [Seen(label, confidence, tuple(box)) for label, confidence, box in frame]
        for frame in json.loads(cache.read_text())
    ]


def true_tracks(path: Path) -> dict[int, list[tuple[int, Box]]]:
    """Return identities and boxes by frame, from 0."""
    truth: dict[int, list[tuple[int, Box]]] = {number: [] for number in range(FRAMES)}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            box = (float(row["left"]), float(row["top"]), float(row["width"]), float(row["height"]))
            truth[int(row["frame"]) - 1].append((int(row["track_id"]), box))
    return truth


def shown_at(
    frames: Sequence[Sequence[Seen]], numbers: Iterable[int], fps: int, size: tuple[int, int] = (768, 576)
) -> list[Shown]:
    """Return the numbered frames as the tracker reads them."""
    return [
        Shown(n * 1000 // fps, f"{n:05d}", list(frames[n]), width_px=size[0], height_px=size[1])
        for n in numbers
    ]


def track(frames: Sequence[Sequence[Seen]], numbers: Sequence[int], variant: Variant) -> Boxes:
    """Return the tracks that our tracker finds in the numbered frames."""
    shown = shown_at(frames, numbers, FPS)
    kept = following.WIDENED_X, following.WIDENED_Y
    try:
        if variant.widened is not None:
            following.WIDENED_X, following.WIDENED_Y = variant.widened
        visits = find_visits(shown, CountParams(tracking=variant.params), variant.params)
    finally:
        following.WIDENED_X, following.WIDENED_Y = kept
    return boxes_of(visits, FPS)


def boxes_of(visits: Iterable[Visit], fps: int) -> Boxes:
    """Return the visits' boxes by frame."""
    found: defaultdict[int, list[tuple[int, Box]]] = defaultdict(list)
    for identity, visit in enumerate(visits):
        for seen in visit.sightings:
            box = (seen.left / 10, seen.top / 10, seen.width / 10, seen.height / 10)
            found[seen.time_ms * fps // 1000].append((identity, box))
    return found


def windows(step: int) -> list[list[int]]:
    """Return the analysed frames of each window."""
    return [
        [number for number in range(first, first + WINDOW_FRAMES) if number % step == 0]
        for first in range(0, FRAMES, WINDOW_FRAMES)
    ]


def score(truth: Boxes, step: int, whole: Boxes, of_windows: Sequence[Boxes]) -> Score:
    """Score tracks against the truth at every `step`th frame."""
    errors = []
    for numbers, found in zip(windows(step), of_windows, strict=True):
        there = len({identity for number in numbers for identity, _ in truth[number]})
        errors.append(abs(identities(found) - there) / there)
    sampled = {number: truth[number] for number in range(0, FRAMES, step)}
    return Score(identities(whole), statistics.mean(errors), idf1(sampled, whole))


def identities(found: Boxes) -> int:
    """Return the number of identities."""
    return len({identity for boxes in found.values() for identity, _ in boxes})


def score_ours(frames: Sequence[Sequence[Seen]], truth: Boxes, step: int, variant: Variant) -> Score:
    """Score our tracker at every `step`th frame."""
    whole = track(frames, range(0, FRAMES, step), variant)
    return score(truth, step, whole, [track(frames, numbers, variant) for numbers in windows(step)])


def clip_visits(frames: Sequence[list[Seen]], step: int, params: TrackParams) -> list[Visit]:
    """Return the visits of the traffic clip at every `step`th frame."""
    shown = shown_at(frames, range(0, len(frames), step), CLIP_FPS, (854, 480))
    return find_visits(shown, CountParams(tracking=params), params)


def label_row(frames: Sequence[list[Seen]], name: str, params: TrackParams) -> list[Cell]:
    """Return the traffic clip's visits of vehicles in all, and by label, by rate."""
    row: list[Cell] = [name]
    for step in CLIP_STEPS:
        found = Counter(visit.label for visit in clip_visits(frames, step, params))
        row.append(f"{found.total()}: " + ", ".join(f"{found[label]} {label}" for label in VEHICLES))
    return row


def vehicle_row(frames: Sequence[list[Seen]], strong: int) -> list[Cell]:
    """Return the clip's cars in all, and those whose centre comes down across either line, by rate."""
    row: list[Cell] = [f"{strong / 10_000:g}"]
    for step in CLIP_STEPS:
        visits = clip_visits(frames, step, TrackParams(strong_by_label=(("car", strong),)))
        ends = [
            [(seen.top + seen.height / 2) / 10 for seen in (visit.sightings[0], visit.sightings[-1])]
            for visit in visits
        ]
        over = [sum(first < line <= last for first, last in ends) for line in CLIP_LINES_PX]
        row.append(f"{len(visits)} / {over[0]} / {over[1]}")
    return row


def speed_ours(frames: Sequence[list[Seen]]) -> list[float]:
    """Return the frames a second from decoded lines to visits, stitching included."""
    shown = [Shown(number * 200, f"{number:05d}", boxes) for number, boxes in enumerate(frames)]
    params = CountParams()
    speeds = []
    for _ in range(SPEED_ROUNDS):
        began = time.process_time()
        visits = find_visits(shown, params, TrackParams())
        speeds.append(len(shown) / (time.process_time() - began))
        if len(visits) != SPEED_BOXES:
            sys.exit(f"the busy scene has {SPEED_BOXES} people, not {len(visits)}")
    return speeds


def scene_row(fps: float, scenes: int = 40) -> list[Cell]:
    """Return how many generated scenes are counted exactly."""
    exact = people = counted = 0
    for seed in range(scenes):
        frames, true = generated(seed, fps)
        visits = find_visits(frames, CountParams(), TrackParams())
        people, counted = people + true, counted + len(visits)
        exact += len(visits) == true
    return [f"{fps:g}", scenes, people, counted, exact]


def yardstick(
    cache: Path, frames: Sequence[Sequence[Seen]], truth: Boxes, busy: Sequence[Sequence[Seen]]
) -> tuple[str, list[Score], list[float]]:
    """Run PyPI's ByteTrack on the same boxes: return its name, its scores, its frames a second."""
    ((name, scores),) = scores_of_others(cache, frames, truth, STEPS, [BYTE_TRACK]).items()
    answer = by_yardstick(cache, [yardstick_request(BYTE_TRACK, busy, 5.0)] * SPEED_ROUNDS)
    return name, scores, [SPEED_FRAMES / run["seconds"] for run in answer["runs"]]


def scores_of_others(
    cache: Path,
    frames: Sequence[Sequence[Seen]],
    truth: Boxes,
    steps: Sequence[int] = STEPS,
    trackers: Sequence[str] = tuple(OTHER_TRACKERS),
) -> dict[str, list[Score]]:
    """Score trackers of PyPI's `trackers` on the same boxes; return a score per step, by name and version."""
    runs: list[tuple[str, int, Sequence[int]]] = [
        (tracker, step, numbers)
        for tracker in trackers
        for step in steps
        for numbers in (range(0, FRAMES, step), *windows(step))
    ]
    answer = by_yardstick(
        cache,
        [
            yardstick_request(tracker, [frames[number] for number in numbers], FPS / step)
            for tracker, step, numbers in runs
        ],
    )
    tracks: defaultdict[tuple[str, int], list[Boxes]] = defaultdict(list)
    for (tracker, step, numbers), found in zip(runs, answer["runs"], strict=True):
        tracks[tracker, step].append(
            {
                number: [(identity, tuple(box)) for identity, *box in boxes]
                for number, boxes in zip(numbers, found["tracks"], strict=True)
            }
        )
    return {
        f"trackers {answer['version']}, {OTHER_TRACKERS[tracker]}": [
            score(truth, step, tracks[tracker, step][0], tracks[tracker, step][1:]) for step in steps
        ]
        for tracker in trackers
    }


def yardstick_request(tracker: str, frames: Sequence[Sequence[Seen]], fps: float) -> dict[str, object]:
    """Return a run of `tracking_yardstick.py`."""
    boxes = [[[seen.confidence, *seen.box] for seen in frame] for frame in frames]
    return {"tracker": tracker, "fps": fps, "frames": boxes}


def by_yardstick(cache: Path, requests: Sequence[dict[str, object]]) -> Any:
    """Return what `tracking_yardstick.py` answers, in an environment with PyPI's `trackers`."""
    python = cache / "yardstick" / "bin" / "python"
    if not python.exists():
        venv.create(cache / "yardstick", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TRACKERS], check=True)
    script = Path(__file__).with_name("tracking_yardstick.py")
    said = subprocess.run(
        [python, script], input=json.dumps({"runs": requests}), capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


def read_street(folder: Path) -> tuple[list[list[Seen]], dict[int, list[tuple[int, Box]]]]:
    """Return the boxes and the true tracks by frame, from 0, of a clip in MOTChallenge's format."""
    rows = {
        name: [
            [float(cell) for cell in row[:7]] for row in csv.reader((folder / name).read_text().splitlines())
        ]
        for name in ("gt.txt", "det.txt")
    }
    number = int(max(row[0] for row in rows["gt.txt"]))
    frames: list[list[Seen]] = [[] for _ in range(number)]
    truth: dict[int, list[tuple[int, Box]]] = {place: [] for place in range(number)}
    for frame, identity, left, top, width, height, _ in rows["gt.txt"]:
        truth[int(frame) - 1].append((int(identity), (left, top, width, height)))
    for frame, _, left, top, width, height, confidence in rows["det.txt"]:
        frames[int(frame) - 1].append(Seen(LABEL, confidence, (left, top, width, height)))
    return frames, truth


def track_street(frames: Sequence[list[Seen]]) -> Boxes:
    """Return the tracks that our tracker finds at 25 frames a second."""
    shown = shown_at(frames, range(len(frames)), STREET_FPS, STREET_SIZE)
    return boxes_of(find_visits(shown, CountParams(), TrackParams()), STREET_FPS)


def street_table(folder: Path, cache: Path, with_yardstick: bool) -> Table:
    """Return the table of the streets at 25 frames a second, with a row per tracker."""
    streets = [read_street(folder / name) for name in STREETS]
    tracks = {"frametally": [track_street(frames) for frames, _ in streets]}
    if with_yardstick:
        names = [name for name in OTHER_TRACKERS for _ in streets]
        runs = [
            yardstick_request(name, frames, STREET_FPS) for name in OTHER_TRACKERS for frames, _ in streets
        ]
        answer = by_yardstick(cache, runs)
        for name, run in zip(names, answer["runs"], strict=True):
            boxes = {n: [(row[0], tuple(row[1:])) for row in rows] for n, rows in enumerate(run["tracks"])}
            title = f"trackers {answer['version']}, {OTHER_TRACKERS[name]}"
            tracks.setdefault(title, []).append(boxes)
    true = [len({identity for boxes in truth.values() for identity, _ in boxes}) for _, truth in streets]
    rows: list[list[Cell]] = []
    for title, of_streets in tracks.items():
        scores = [idf1(truth, found) for (_, truth), found in zip(streets, of_streets, strict=True)]
        cells = [
            f"{identities(found)} / {score:.2f}" for found, score in zip(of_streets, scores, strict=True)
        ]
        rows.append([title, *cells, round(statistics.mean(scores), 3)])
    return Table(
        "Two streets at 25 frames a second",
        ["tracker", *STREETS, "IDF1"],
        rows,
        f"Visits / IDF1, and the mean IDF1, on SORT's published boxes; {true[0]} and {true[1]} people.",
    )


def rate(step: int) -> str:
    """Format the analysed frames a second for people."""
    return f"{FPS / step:.2g} fps"


def score_table(scores: dict[str, list[Score]]) -> Table:
    """Return a table with a row per tracker and three columns per rate."""
    return Table(
        "Visits, windows, IDF1",
        ["tracker", *(rate(step) for step in STEPS)],
        [
            [name, *(f"{one.visits} / {one.window_error:.0%} / {one.idf1:.2f}" for one in of_tracker)]
            for name, of_tracker in scores.items()
        ],
        "Visits / windows / IDF1, at so many analysed frames a second.",
    )


def other_tables(
    vehicles: list[list[Cell]],
    together: list[list[Cell]],
    scenes: list[list[Cell]],
    speeds: dict[str, list[float]],
) -> list[Table]:
    """Return the tables of the demo clip, of generated scenes, and of frames a second on one core."""
    rates = [f"{CLIP_FPS / step:.2g} fps" for step in CLIP_STEPS]
    return [
        Table(
            "Cars of the demo clip",
            ["confidence of a strong box", *rates],
            vehicles,
            "Visits / oncoming over the line at 340 px / at 360 px; by eye 11 and 12 come over. How many "
            "cars there are is not defined: they queue up to the horizon. As shipped the threshold is 0.4.",
        ),
        Table(
            "Vehicles of the demo clip",
            ["labels", *rates],
            together,
            "A quarter of the boxes of trucks and buses lie on one of a car: visits in all, and by label.",
        ),
        Table(
            "Generated scenes",
            ["frames a second", "scenes", "people", "counted", "scenes counted exactly"],
            scenes,
            "Six people cross, some behind a pillar, a fifth of their boxes missing: six visits each.",
        ),
        Table(
            f"Speed, {SPEED_BOXES} boxes a frame",
            ["tracker", "frames a second", "slowest", "fastest"],
            [
                [name, round(statistics.median(rounds)), round(min(rounds)), round(max(rounds))]
                for name, rounds in speeds.items()
            ],
            "By seconds of CPU; the median, the slowest and the fastest of rounds over the same frames.",
        ),
    ]


if __name__ == "__main__":
    main()
