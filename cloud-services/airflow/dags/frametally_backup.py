"""Saves once a day what the store cannot restore: accounts, tokens, alert rules, reports, the audit log."""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")
NOTIFY = os.environ.get("FRAMETALLY_NOTIFY_COMMAND", "cat")
FAILED = "frametally: no backup was created; the log of frametally_backup gives the reason"

with DAG(
    dag_id="frametally_backup",
    description="Back up what the store cannot restore",
    schedule="15 1 * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # otherwise nothing is saved until someone switches it on
    tags=["frametally"],
) as dag:
    BashOperator(
        task_id="backup",
        bash_command=f"{FRAMETALLY} backup",
        retries=int(os.environ.get("FRAMETALLY_AIRFLOW_RETRIES", "2")),
        retry_delay=datetime.timedelta(minutes=1),
    ) >> BashOperator(
        task_id="notify",
        bash_command=f"echo '{FAILED}' | {{ {NOTIFY}; }}; exit 1",
        trigger_rule="all_failed",
    )
