"""Waits for detected footage from the log, and starts `frametally_count` for its days.

A trigger waits, so no worker is held. A new run begins when the previous one has ended, so one is always
waiting.
"""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from frametally_footage import WaitForFootage

with DAG(
    dag_id="frametally_new_footage",
    description="Start frametally_count for the event days that new footage touches",
    schedule="@continuous",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # otherwise nothing is counted until someone switches it on
    tags=["frametally"],
) as dag:
    wait = WaitForFootage(
        task_id="wait",
        command=os.environ.get("FRAMETALLY_COMMAND", "frametally"),
        poll_s=float(os.environ.get("FRAMETALLY_FOOTAGE_POLL_S", "15")),
    )
    TriggerDagRunOperator.partial(
        task_id="count",
        trigger_dag_id="frametally_count",
        logical_date=None,
        skip_when_already_exists=True,
    ).expand_kwargs(wait.output)
