"""Reads everything in the store once a day and compares its checksums.

It reports corruption on disk while there is still a backup.
"""

from __future__ import annotations

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")
NOTIFY = os.environ.get("FRAMETALLY_NOTIFY_COMMAND", "cat")
FOUND = "frametally: doctor --deep found a problem; see the log of frametally_scrub"

with DAG(
    dag_id="frametally_scrub",
    description="Read everything in the store and compare its checksums",
    schedule="30 2 * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # otherwise no damage is found until someone switches it on
    tags=["frametally"],
) as dag:
    BashOperator(
        task_id="doctor",
        bash_command=f"{FRAMETALLY} doctor --deep || {{ echo '{FOUND}' | {{ {NOTIFY}; }}; exit 1; }}",
    )
