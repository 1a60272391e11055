"""Removes what the retention policy allows, once an hour; without a rule it removes nothing."""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")
NOTIFY = os.environ.get("FRAMETALLY_NOTIFY_COMMAND", "cat")
FAILED = "frametally: the retention policy was not fully applied; see the log of frametally_remove_old_data"

with DAG(
    dag_id="frametally_remove_old_data",
    description="Remove what the retention policy allows",
    schedule="45 * * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # otherwise data that must go stays until someone switches it on
    tags=["frametally"],
) as dag:
    BashOperator(
        task_id="apply",
        bash_command=f"{FRAMETALLY} retention apply",
        retries=int(os.environ.get("FRAMETALLY_AIRFLOW_RETRIES", "2")),
        retry_delay=datetime.timedelta(minutes=1),
    ) >> BashOperator(
        task_id="notify",
        bash_command=f"echo '{FAILED}' | {{ {NOTIFY}; }}; exit 1",
        trigger_rule="all_failed",
    )
