"""Streams one video: each of its frames at its time, with its detections.

Only `video_id` in the run's configuration names the video; `stream_id` names a stream of it booked in the
dashboard, which this run launches, and which ends with it. A run takes as long as the stream, and ends with
it, however that ends. Every stream of the video has the same frames, so a repeated run announces nothing that
counts twice.
"""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")
VIDEO_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


with DAG(
    dag_id="frametally_stream",
    description="Stream one video at its own pace",
    schedule=None,
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=int(os.environ.get("FRAMETALLY_STREAMS", "2")),
    is_paused_upon_creation=False,  # otherwise no video is streamed until someone switches it on
    params={
        "video_id": Param(type="string", pattern=VIDEO_ID, description="ID of the video."),
        "stream_id": Param("", type="string", pattern=f"^$|{VIDEO_ID}", description="ID of a booked stream."),
        "speed": Param(1, type="number", minimum=0.1, maximum=16, description="Seconds of video per second."),
    },
    tags=["frametally"],
) as dag:
    # No automatic retries: the viewer may have left.
    BashOperator(
        task_id="stream",
        bash_command=f'exec {FRAMETALLY} stream "$VIDEO_ID" --speed "$SPEED" --booked "$STREAM_ID"',
        env={
            "VIDEO_ID": "{{ params.video_id }}",
            "STREAM_ID": "{{ params.stream_id }}",
            "SPEED": "{{ params.speed }}",
        },
        append_env=True,
        retries=0,
    )
