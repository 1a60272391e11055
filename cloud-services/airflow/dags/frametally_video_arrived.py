"""Waits for new videos on the log, and starts `frametally_video_process` for each.

A trigger waits, so no worker is held. A new run begins when the previous one has ended, so one is always
waiting. Videos are taken off the log once their runs exist: killed anywhere before, it finds them again.
"""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from frametally_new_videos import WaitForVideos

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")

with DAG(
    dag_id="frametally_video_arrived",
    description="Start frametally_video_process for each new video",
    schedule="@continuous",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # otherwise no video is processed until someone switches it on
    tags=["frametally"],
) as dag:
    wait = WaitForVideos(
        task_id="wait",
        command=FRAMETALLY,
        poll_s=float(os.environ.get("FRAMETALLY_VIDEOS_POLL_S", "15")),
    )
    process = TriggerDagRunOperator.partial(
        task_id="process",
        trigger_dag_id="frametally_video_process",
        logical_date=None,
        skip_when_already_exists=True,
    ).expand_kwargs(wait.output)
    # Also if all runs existed already.
    take = BashOperator(
        task_id="take",
        bash_command=f'{FRAMETALLY} media arrivals --take "$UP_TO"',
        env={"UP_TO": "{{ ti.xcom_pull(task_ids='wait', key='up_to') }}"},
        append_env=True,
        trigger_rule="none_failed",
    )
    process >> take
