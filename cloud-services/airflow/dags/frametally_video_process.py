"""Brings one video through its layers: bronze, silver, gold.

Only `video_id` in the run's configuration names the video. Each layer skips existing results, so tasks and
runs may be repeated.
"""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")
RETRIES = int(os.environ.get("FRAMETALLY_AIRFLOW_RETRIES", "2"))
VIDEO_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
LAYERS = "bronze", "silver", "gold"


with DAG(
    dag_id="frametally_video_process",
    description="Process one video, layer by layer",
    schedule=None,
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=int(os.environ.get("FRAMETALLY_VIDEOS_AT_ONCE", "2")),
    is_paused_upon_creation=False,  # otherwise no video is processed until someone switches it on
    params={"video_id": Param(type="string", pattern=VIDEO_ID, description="ID of the video.")},
    default_args={"retries": RETRIES, "retry_delay": datetime.timedelta(minutes=1)},
    tags=["frametally"],
) as dag:
    before = None
    for layer in LAYERS:
        task = BashOperator(
            task_id=layer,
            bash_command=f'{FRAMETALLY} media {layer} --video "$VIDEO_ID"',
            env={"VIDEO_ID": "{{ params.video_id }}"},
            append_env=True,
        )
        if before is not None:
            before >> task
        before = task
