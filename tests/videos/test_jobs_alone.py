"""What decodes an uploaded video reaches nobody, knows no log-in, and changes nothing but its own."""

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.videos.test_jobs import Shop, shop
from tests.videos.video_records import make_video as make_record

from frametally import keys
from frametally.records import encode
from frametally_producer import child
from frametally_videos.ports.job_book import JobKind
from frametally_videos.records import VideoRecord

pytestmark = pytest.mark.thorough

__all__ = ["shop"]

PROGRAM = """
import json, os, socket
from frametally.errors import FrametallyError
from frametally_videos.ports.video_catalogue import Artifact
from frametally_videos.jobs import job_steps, __main__

def do(call):
    found = {{}}
    def tried(name, act):
        try:
            found[name] = str(act())
        except (OSError, FrametallyError) as error:
            found[name] = type(error).__name__ + ": " + str(error)
{body}
    key = f"videos/{{call.record.id}}/poster-of-the-probe.jpg"
    call.store.put(key, json.dumps(found).encode())
    return [Artifact("poster", key, "image/jpeg", 1)]

job_steps.DOING[{kind!r}] = do
__main__._main()
"""

Found = dict[str, str]


@pytest.fixture
def probe(
    shop: Shop,
    make_video: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[VideoRecord, Found]]:
    """Does something in the place of a job that decodes; returns the video and what came of it."""

    def do(body: str, kind: JobKind = "previews") -> tuple[VideoRecord, Found]:
        program = PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), "    "), kind=kind)
        monkeypatch.setattr(child, "bound", lambda arguments: [sys.executable, "-c", program])
        video = shop.upload_for(kind, make_video("a.mp4", 3), start_time="2026-03-01T10:00:00Z")
        assert shop.work().failed == [], shop.lines
        found: Found = json.loads(shop.store.get(f"videos/{video.id}/poster-of-the-probe.jpg"))
        return video, found

    return do


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
@pytest.mark.parametrize("kind", ["previews", "frames"])
def test_it_has_no_network(probe: Callable[..., tuple[VideoRecord, Found]], kind: JobKind) -> None:
    _, found = probe('tried("socket", lambda: socket.create_connection(("127.0.0.1", 9)))', kind)
    assert found["socket"].startswith("PermissionError")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
def test_an_encoder_gets_no_turn_before_all_other_processes(
    probe: Callable[[str], tuple[VideoRecord, Found]],
) -> None:
    _, found = probe(
        """
        import av
        from fractions import Fraction
        from frametally_videos.derivatives.encoders import Coding

        encoder = av.CodecContext.create("libsvtav1", "w")  # as root it would take one, and for its threads
        Coding(128, 96, Fraction(25), None, 23, "veryfast").set_up(encoder)
        grey = av.VideoFrame(128, 96, "yuv420p")
        for plane in grey.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        grey.pts, grey.time_base = 0, encoder.time_base
        packets = encoder.encode(grey)
        threads = os.listdir("/proc/self/task")
        tried("threads", lambda: len(threads) > 2)
        tried("turns", lambda: {os.sched_getscheduler(int(thread)) for thread in threads})
        tried("packets", lambda: len(packets + encoder.encode(None)))
        """
    )
    assert found == {"threads": "True", "turns": "{0}", "packets": "1"}


def test_it_knows_no_log_in(
    shop: Shop, probe: Callable[[str], tuple[VideoRecord, Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "what-nobody-is-told"  # noqa: S105 - made up
    shop.settings = shop.settings.model_copy(
        update={"catalogue_password": type(shop.settings.catalogue_password)(secret)}
    )
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "SMTP_PASSWORD",
        "FRAMETALLY_STORE_SECRET_KEY",
    ):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("PG_CONN_URI", f"postgresql://somebody:{secret}@host/database")
    _, found = probe('found["environment"] = json.dumps(dict(os.environ))')
    assert "FRAMETALLY_CATALOGUE_URL" in found["environment"]
    assert secret not in found["environment"]


def test_it_changes_neither_the_original_nor_the_record_nor_another_video(
    shop: Shop, probe: Callable[[str], tuple[VideoRecord, Found]]
) -> None:
    other = make_record(7).id
    shop.store.put(f"videos/{other}/poster-0a1b2c3d.jpg", b"somebody else's")
    video, found = probe(
        f"""
        mine = f"videos/{{call.record.id}}"
        tried("original", lambda: call.store.put(mine + "/original", b"other"))
        tried("delete", lambda: call.store.delete(mine + "/original"))
        tried("record", lambda: call.store.change(mine + "/video.json", lambda _: None))
        tried("write", lambda: call.store.resumable(mine + "/original", mine + "/a.part"))
        tried("other", lambda: call.store.get("videos/{other}/poster-0a1b2c3d.jpg"))
        tried("all", lambda: len(list(call.store.list("videos"))))
        tried("out", lambda: call.store.get(mine + "/../{other}/poster-0a1b2c3d.jpg"))
        """
    )
    assert {name: said.partition(":")[0] for name, said in found.items()} == {
        "original": "Misconfigured",
        "delete": "Misconfigured",
        "record": "Misconfigured",
        "write": "Misconfigured",
        "other": "Misconfigured",
        "all": "Misconfigured",
        "out": "Poison",
    }
    assert shop.store.head(keys.original_key(video.id)) is not None
    assert shop.store.get(video.key) == encode(video)


def test_it_has_the_memory_that_is_set_and_says_so(
    shop: Shop, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.settings = shop.settings.model_copy(update={"job_memory_mb": 256})
    program = PROGRAM.format(body="    bytearray(400_000_000)", kind="previews")
    monkeypatch.setattr(child, "bound", lambda arguments: [sys.executable, "-c", program])
    shop.upload_for("previews", make_video("a.mp4", 3))
    why = "It takes more than 256 MB of memory; convert it, or raise FRAMETALLY_JOB_MEMORY_MB."
    assert f"a.mp4: previews failed: {why}" in shop.work().failed


def test_it_has_the_time_that_is_set_and_no_more(
    shop: Shop, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.settings = shop.settings.model_copy(update={"job_max_h": 0.0005})
    monkeypatch.setattr(
        child, "bound", lambda arguments: [sys.executable, "-c", "import time; time.sleep(600)"]
    )
    shop.upload_for("previews", make_video("a.mp4", 3))
    why = "It takes more than 0.0005 h; cut it, or raise FRAMETALLY_JOB_MAX_H."
    assert f"a.mp4: previews failed: {why}" in shop.work().failed
