"""The sender of mail is killed at each of its steps and at random: each event is sent, in one mail."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.smtp_server import Received, mail_server
from tests.videos.video_records import make_video

from frametally.process import failpoints
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoRecord

pytestmark = pytest.mark.thorough

KILLS = int(os.environ.get("FAULTS_MAIL_KILLS", "4"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PATIENCE_S = 120.0
POINTS = ("mail.put", "mail.claimed", "mail.taken", "mail.noted")
# A worker's rounds: events are sent, then noted as a state, and waiting mail is sent. A lease of no time, so
# that the next worker does not wait for a dead one.
ROUND = """
import sys
from frametally_videos.jobs import video_news as sending
from frametally_videos.jobs.video_news import VideoNews
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.catalogue.catalogue_rows import Job
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally.process import failpoints
from frametally.settings.loading import load_settings
sending._LEASE_S = 0.0
failpoints.arm()
settings = load_settings("producer")
catalogue = open_video_catalogue(settings.catalogue_url)
news = VideoNews(settings, catalogue)
print("begun", flush=True)
for row in catalogue.unsettled(100):
    video = row.record
    news.ready(video, Job(f"job of {video.id}", video.id, "frames", "done", generation=1), None, None)
    catalogue.set_video(video.id, state="ready")
sending.Mailer(settings, catalogue, print).send(waited_s=0)
catalogue.close()
"""


def test_each_event_is_mailed_once_whatever_is_killed(tmp_path: Path) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    received = Received()
    told: list[VideoRecord] = []
    with (
        mail_server(received, tmp_path) as (url, _),
        closing(open_video_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite")) as catalogue,
    ):
        environment = os.environ | {
            "FRAMETALLY_DATA_DIR": str(tmp_path),
            "FRAMETALLY_SMTP_URL": url,
            "FRAMETALLY_MAIL_TO": "to@example.org",
        }

        def start(failpoint: str = "") -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-c", ROUND],
                env=environment | {failpoints.VARIABLE: failpoint},
                stdout=subprocess.PIPE,
            )

        killed = 0
        while killed < KILLS:
            for _ in range(rng.randrange(1, 4)):
                told.append(make_video(len(told) + 1))
                catalogue.put_video(told[-1], "1")
            if rng.random() < 0.7:
                with start(f"{rng.choice(POINTS)}:{rng.randrange(1, 3)}") as sender:
                    killed += sender.wait(PATIENCE_S) == -signal.SIGKILL
                continue
            with start() as sender:
                sender.stdout.readline()
                time.sleep(rng.uniform(0, 0.1))
                sender.kill()
                killed += sender.wait(PATIENCE_S) == -signal.SIGKILL
        with start() as sender:
            assert sender.wait(PATIENCE_S) == 0
        notices = catalogue.notices(1000)
    assert {notice.state for notice in notices} == {"sent"}
    assert Counter(notice.subject for notice in notices) == Counter(f"{one.name} is ready" for one in told)
    # The same mail may arrive twice with the same id; no two mails share an id.
    bodies = {mail["Message-ID"]: mail.get_content() for mail in received.mails}
    assert all(bodies[mail["Message-ID"]] == mail.get_content() for mail in received.mails)
    for video in told:
        assert sum(f"Video: {video.id}\n" in body.replace("\r\n", "\n") for body in bodies.values()) == 1
    print(
        f"{killed} kills, {len(received.ids)} mails, {len(received.ids) - len(bodies)} of them a second time"
    )
