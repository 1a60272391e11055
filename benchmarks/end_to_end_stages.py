"""Measures each stage's cost per frame, next to the bare library call that does its work.

As many processes as there are cores do the same at the same time, so that each core is as slow as when the
pipeline runs. CPU seconds are compared, not wall seconds.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from frametally.settings.loading import Settings

_LEAST_S, _WARM_S = 0.5, 0.1
"""The least duration of one measurement in CPU seconds; the first warms up."""
_SOME_FRAMES = 60


class Cost(NamedTuple):
    """One stage, in CPU milliseconds a frame.

    Attributes:
        stage: Its work.
        library: The library call to compare it with; empty if no single call does that.
        own_ms: The time of frametally's function.
        library_ms: The time of the bare call.
        ratio: The median of the rounds' ratios.
    """

    stage: str
    library: str
    own_ms: float
    library_ms: float | None
    ratio: float | None


LIBRARY_OF = {
    "decode the video": "PyAV: container.decode",
    "convert to BGR": "PyAV: reformat, to_ndarray",
    "encode JPEG": "cv2.imencode",
    "put the frame": "obstore.put, mode create",
    "announce, in hundreds": "",
    "fetch": "obstore.get",
    "verify and decode JPEG": "hashlib.sha256, cv2.imdecode",
    "detect": "OpenVINO: AsyncInferQueue on resized pictures",
    "write segments": "",
}


def stage_costs(clip: Path, settings: Settings, folder: Path, *, cores: int, rounds: int) -> list[Cost]:
    """Measure the cost of the stages.

    Args:
        clip: The video.
        settings: The pipeline's settings; their data folder is not touched.
        folder: A folder that stages may write to.
        cores: How many processes work at the same time.
        rounds: How often each is measured; a stage and its library call take turns.
    """
    context = multiprocessing.get_context("spawn")
    workers = []
    for number in range(cores):
        ours, theirs = context.Pipe()
        own = settings.model_copy(update={"detector_threads": 1})
        process = context.Process(target=_work, args=(clip, own, folder / f"stages-{number}", theirs))
        process.start()
        theirs.close()
        workers.append((process, ours))
    try:
        for _, line in workers:
            line.recv()  # ready
        measured = _measure([line for _, line in workers], rounds)
    finally:
        for process, line in workers:
            line.close()
            process.join(10)
            process.kill()
    return measured


def _measure(lines: list[Connection], rounds: int) -> list[Cost]:
    def once(name: str, least_s: float) -> float:
        for line in lines:
            line.send((name, least_s))
        return statistics.mean(line.recv() for line in lines) * 1000

    costs = []
    for stage, library in LIBRARY_OF.items():
        own, bare = [], []
        for number in range(rounds + 1):
            least_s = _LEAST_S if number else _WARM_S
            own_ms = once(stage, least_s)
            bare_ms = once(f"{stage}, bare", least_s) if library else None
            if number:  # the first round warms up
                own.append(own_ms)
                if bare_ms is not None:
                    bare.append(bare_ms)
        ratio = statistics.median(a / b for a, b in zip(own, bare, strict=True)) if bare else None
        costs.append(
            Cost(stage, library, statistics.median(own), statistics.median(bare) if bare else None, ratio)
        )
    return costs


def _work(clip: Path, settings: Settings, folder: Path, line: Connection) -> None:
    calls = _calls(clip, settings, folder)
    line.send("ready")
    while True:
        try:
            name, least_s = line.recv()
        except EOFError:
            return
        call = calls[name]
        frames, start_s = 0, time.process_time()
        while (taken_s := time.process_time() - start_s) < least_s:
            frames += call()
        line.send(taken_s / frames)


def _calls(clip: Path, settings: Settings, folder: Path) -> dict[str, Callable[[], int]]:
    """Return, by name, a call that does a stage's work for some frames and returns their number."""
    import av
    import numpy as np
    import obstore
    import openvino as ov
    from av.video.reformatter import VideoReformatter
    from obstore.store import LocalStore

    from frametally import keys
    from frametally.files.opencv import cv2
    from frametally.opening import open_frame_log, open_object_store
    from frametally.records import FrameAnnouncement, FrameDetections, encode
    from frametally.segments.chain import SegmentChain
    from frametally.segments.stored_frame import parse_announcement, read_frame
    from frametally_consumer.backends.network import AS_DARKNET, fit
    from frametally_consumer.detectors.protocol import start
    from frametally_models.prepare import prepare_detector
    from frametally_producer.reading.pixels import encode_jpeg, shrink
    from frametally_producer.reading.video_file import open_video

    folder.mkdir(parents=True)
    max_pixels = settings.max_image_megapixels * 1_000_000
    store = open_object_store((folder / "store").as_uri())
    log = open_frame_log(f"sqlite:///{folder / 'log.sqlite'}")
    log.create_topic(settings.topic, settings.log_partitions)
    bare_store = LocalStore(folder / "bare", mkdir=True)
    detector = prepare_detector(settings)

    with clip.open("rb") as file, open_video(file, max_pixels=max_pixels) as video:
        raw = []
        for timed in video.frames():
            raw.append(timed.frame)
            if len(raw) == _SOME_FRAMES:
                break
        pictures = [video.pixels(frame) for frame in raw]
    decoded = pictures
    pictures = [shrink(picture, settings.max_side_px) for picture in decoded]
    jpegs = [encode_jpeg(picture, settings.jpeg_quality) for picture in pictures]
    announcements = []
    for number, (picture, jpeg) in enumerate(zip(pictures, jpegs, strict=True)):
        path = keys.image_key("stage", 1_000 * number, "ab" * 32, number)
        store.put(path, jpeg, durable=False)
        bare_store.put(path, jpeg)
        announcements.append(
            FrameAnnouncement(
                image_path=path,
                source="stage",
                frame_index=number,
                captured_at_ms=1_000 * number,
                time_source="start_time",
                width_px=picture.shape[1],
                height_px=picture.shape[0],
                bytes=len(jpeg),
                sha256=hashlib.sha256(jpeg).hexdigest(),
                media="ab" * 32,
            )
        )
    found = detector.detect(pictures)
    least_px = getattr(detector, "least_px", None)
    bare_reformatter = VideoReformatter()
    turn = iter(range(1 << 60))

    def decode_video() -> int:
        with clip.open("rb") as file, open_video(file, max_pixels=max_pixels) as opened:
            return sum(1 for _ in opened.frames())

    def decode_video_bare() -> int:
        with av.open(str(clip)) as container:
            return sum(1 for _ in container.decode(video=0))

    def convert() -> int:
        for frame in raw:
            video.pixels(frame)
        return len(raw)

    def convert_bare() -> int:
        for frame in raw:
            bare_reformatter.reformat(frame, format="bgr24").to_ndarray()
        return len(raw)

    def encode_jpegs() -> int:
        for picture in pictures:
            encode_jpeg(picture, settings.jpeg_quality)
        return len(pictures)

    def encode_jpegs_bare() -> int:
        for picture in pictures:
            cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality])
        return len(pictures)

    def put() -> int:
        at = next(turn)
        for number, jpeg in enumerate(jpegs):
            store.put(f"images/put/{at}-{number}.jpg", jpeg, if_absent=True, durable=False)
        return len(jpegs)

    def put_bare() -> int:
        at = next(turn)
        for number, jpeg in enumerate(jpegs):
            obstore.put(bare_store, f"images/put/{at}-{number}.jpg", jpeg, mode="create", use_multipart=False)
        return len(jpegs)

    def announce() -> int:
        many = [
            (keys.frame_log_key(one.source, one.captured_at_ms), encode(one))
            for one in (announcements * 2)[:100]
        ]
        log.publish(settings.topic, many)
        return len(many)

    def fetch() -> int:
        for one in announcements:
            store.get(one.image_path)
        return len(announcements)

    def fetch_bare() -> int:
        for one in announcements:
            bytes(obstore.get(bare_store, one.image_path).bytes())
        return len(announcements)

    class Fetched:
        """A store with frames in memory, which leaves only the cost of `read_frame` itself."""

        def get(self, key: str) -> bytes:
            return by_path[key]

    by_path = {one.image_path: jpeg for one, jpeg in zip(announcements, jpegs, strict=True)}
    fetched = Fetched()

    def read() -> int:
        for one in announcements:
            read_frame(fetched, one, max_pixels=max_pixels, least_px=least_px)  # type: ignore[arg-type]
        return len(announcements)

    def read_bare() -> int:
        for jpeg in jpegs:
            hashlib.sha256(jpeg).hexdigest()
            cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        return len(jpegs)

    # As the consumer reads them: large frames at a half, a quarter or an eighth of each side.
    images = [
        read_frame(fetched, one, max_pixels=max_pixels, least_px=least_px)  # type: ignore[arg-type]
        for one in announcements
    ]

    def detect() -> int:
        for future in [
            start(detector, image, frame_px=(one.width_px, one.height_px))
            for one, image in zip(announcements, images, strict=True)
        ]:
            future.result()
        return len(images)

    # The back-end's compiled network, here with only OpenVINO's queue around it.
    network = getattr(detector, "_network", None)
    inputs = [
        fit(picture, input_px=settings.input_px, preparation=AS_DARKNET).picture[np.newaxis]
        for picture in pictures
    ]
    queue = ov.AsyncInferQueue(network._compiled, 3) if network is not None else None

    def detect_bare() -> int:
        if queue is None:
            raise ValueError("no OpenVINO network")
        for picture in inputs:
            queue.start_async({0: picture})
        queue.wait_all()
        return len(inputs)

    messages = [encode(one) for one in announcements]

    def write_segments() -> int:
        at = next(turn)
        frames = []
        for message, detections in zip(messages, found, strict=True):
            one = parse_announcement(message)
            frames.append(
                FrameDetections(
                    image_path=one.image_path,
                    source=one.source,
                    frame_index=one.frame_index,
                    captured_at_ms=one.captured_at_ms,
                    time_source=one.time_source,
                    width_px=one.width_px,
                    height_px=one.height_px,
                    media=one.media,
                    model=detector.model_id,
                    detections=detections,
                )
            )
        chain = SegmentChain(store, model=detector.model_id, log_id=f"log-{at}", topic="frames", partition=0)
        chain.put(
            first_offset=0,
            next_offset=len(frames),
            frames=frames,
            dead_letters=[],
            image_paths={number: one.image_path for number, one in enumerate(frames)},
        )
        return len(frames)

    return {
        "decode the video": decode_video,
        "decode the video, bare": decode_video_bare,
        "convert to BGR": convert,
        "convert to BGR, bare": convert_bare,
        "encode JPEG": encode_jpegs,
        "encode JPEG, bare": encode_jpegs_bare,
        "put the frame": put,
        "put the frame, bare": put_bare,
        "announce, in hundreds": announce,
        "fetch": fetch,
        "fetch, bare": fetch_bare,
        "verify and decode JPEG": read,
        "verify and decode JPEG, bare": read_bare,
        "detect": detect,
        "detect, bare": detect_bare,
        "write segments": write_segments,
    }
