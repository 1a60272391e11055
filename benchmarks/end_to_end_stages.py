"""Measures each stage's cost per frame, next to the bare library call that does its work.

As many processes as there are cores do the same at the same time, so that each core is as slow as when the
pipeline runs. CPU seconds are compared, not wall seconds.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from frametally.settings.loading import Settings

_LEAST_S, _WARM_S = 0.5, 0.1
"""The least duration of one measurement in CPU seconds; the first warms up."""
_SOME_FRAMES = 60


class Cost(NamedTuple):
    """One stage, in CPU milliseconds a frame: frametally's function, and the bare library call if any."""

    stage: str
    library: str
    own_ms: float
    library_ms: float | None


Calls = dict[str, tuple[str, Callable[[], int], Callable[[], int] | None]]
"""By stage: the library call, and what does the work of some frames and returns their number, bare too."""


def stage_costs(clip: Path, settings: Settings, folder: Path, *, cores: int) -> list[Cost]:
    """Measure the cost of the stages, with as many processes as `cores`.

    Stages may write to `folder`; the data folder of the pipeline's `settings` is not touched.
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
    lines = [line for _, line in workers]

    def once(stage: str, *, is_bare: bool) -> float:
        for least_s in (_WARM_S, _LEAST_S):
            for line in lines:
                line.send((stage, is_bare, least_s))
            cost_ms = statistics.mean(line.recv() for line in lines) * 1000
        return cost_ms

    try:
        *_, stages = [line.recv() for line in lines]
        return [
            Cost(stage, library, once(stage, is_bare=False), once(stage, is_bare=True) if library else None)
            for stage, library in stages
        ]
    finally:
        for process, line in workers:
            line.close()
            process.join(10)
            process.kill()


def _work(clip: Path, settings: Settings, folder: Path, line: Connection) -> None:
    calls = _calls(clip, settings, folder)
    line.send([(stage, library) for stage, (library, *_) in calls.items()])
    while True:
        try:
            stage, is_bare, least_s = line.recv()
        except EOFError:
            return
        call: Callable[[], int] = calls[stage][1 + is_bare]
        frames, start_s = 0, time.process_time()
        while (taken_s := time.process_time() - start_s) < least_s:
            frames += call()
        line.send(taken_s / frames)


def _calls(clip: Path, settings: Settings, folder: Path) -> Calls:
    import av
    import footage
    import numpy as np
    import obstore
    import openvino as ov
    from av.video.reformatter import VideoReformatter
    from obstore.store import LocalStore

    from frametally import keys
    from frametally.adapters_by_url import open_frame_log, open_object_store
    from frametally.files.opencv import Pixels, cv2
    from frametally.records import FrameAnnouncement, encode
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
        raw = [timed.frame for timed in islice(video.frames(), _SOME_FRAMES)]
        pictures = [shrink(video.pixels(frame), settings.max_side_px) for frame in raw]
    jpegs = [encode_jpeg(picture, settings.jpeg_quality) for picture in pictures]
    announcements = []
    for number, (picture, jpeg) in enumerate(zip(pictures, jpegs, strict=True)):
        size = picture.shape[1], picture.shape[0]
        one = footage.announcement("stage", 1_000 * number, number, size=size, jpeg=jpeg)
        store.put(one.image_path, jpeg, durable=False)
        bare_store.put(one.image_path, jpeg)
        announcements.append(one)
    by_path = {one.image_path: jpeg for one, jpeg in zip(announcements, jpegs, strict=True)}
    messages = [encode(one) for one in announcements]
    found = detector.detect(pictures)
    least_px = getattr(detector, "least_px", None)
    bare_reformatter = VideoReformatter()
    turn = iter(range(1 << 60))

    def each(work: Callable[..., object], *items: Sequence[object]) -> Callable[[], int]:
        def call() -> int:
            for of_frame in zip(*items, strict=True):
                work(*of_frame)
            return len(items[0])

        return call

    def decode_video() -> int:
        with clip.open("rb") as file, open_video(file, max_pixels=max_pixels) as opened:
            return sum(1 for _ in opened.frames())

    def decode_video_bare() -> int:
        with av.open(str(clip)) as container:
            return sum(1 for _ in container.decode(video=0))

    def put_bare(jpeg: bytes) -> None:
        obstore.put(bare_store, f"images/put/{next(turn)}.jpg", jpeg, mode="create", use_multipart=False)

    def announce() -> int:
        many = [
            (keys.frame_log_key(one.source, one.captured_at_ms), encode(one))
            for one in (announcements * 2)[:100]
        ]
        log.publish(settings.topic, many)
        return len(many)

    class Fetched:
        """A store with frames in memory, which leaves only the cost of `read_frame` itself."""

        def get(self, key: str) -> bytes:
            return by_path[key]

    def read(one: FrameAnnouncement) -> Pixels:
        # As the consumer reads them: large frames at a half, a quarter or an eighth of each side.
        return read_frame(Fetched(), one, max_pixels=max_pixels, least_px=least_px)  # type: ignore[arg-type]

    def read_bare(jpeg: bytes) -> None:
        hashlib.sha256(jpeg).hexdigest()
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    images = [read(one) for one in announcements]

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

    def write_segments() -> int:
        frames = []
        for message, detections in zip(messages, found, strict=True):
            one = parse_announcement(message)
            of_one = {"medium": one.media, "image_path": one.image_path}
            size = one.width_px, one.height_px
            place = one.source, one.captured_at_ms, one.frame_index
            frames.append(footage.frame(detector.model_id, *place, detections, size=size, **of_one))
        log_id = f"log-{next(turn)}"
        SegmentChain(store, model=detector.model_id, log_id=log_id, topic="frames", partition=0).put(
            first_offset=0,
            next_offset=len(frames),
            frames=frames,
            dead_letters=[],
            image_paths={number: one.image_path for number, one in enumerate(frames)},
        )
        return len(frames)

    quality = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    paths = [*by_path]
    return {
        "decode the video": ("PyAV: container.decode", decode_video, decode_video_bare),
        "convert to BGR": (
            "PyAV: reformat, to_ndarray",
            each(video.pixels, raw),
            each(lambda frame: bare_reformatter.reformat(frame, format="bgr24").to_ndarray(), raw),
        ),
        "encode JPEG": (
            "cv2.imencode",
            each(lambda picture: encode_jpeg(picture, settings.jpeg_quality), pictures),
            each(lambda picture: cv2.imencode(".jpg", picture, quality), pictures),
        ),
        "put the frame": (
            "obstore.put, mode create",
            each(
                lambda jpeg: store.put(f"images/put/{next(turn)}.jpg", jpeg, if_absent=True, durable=False),
                jpegs,
            ),
            each(put_bare, jpegs),
        ),
        "announce, in hundreds": ("", announce, None),
        "fetch": (
            "obstore.get",
            each(store.get, paths),
            each(lambda path: bytes(obstore.get(bare_store, path).bytes()), paths),
        ),
        "verify and decode JPEG": (
            "hashlib.sha256, cv2.imdecode",
            each(read, announcements),
            each(read_bare, jpegs),
        ),
        "detect": ("OpenVINO: AsyncInferQueue on resized pictures", detect, detect_bare),
        "write segments": ("", write_segments, None),
    }
