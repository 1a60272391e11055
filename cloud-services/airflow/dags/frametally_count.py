"""Counts one event day: aggregate, quality, index, notify.

The event day is the run's data interval (a UTC day, started once a day after it has ended), or `day` in its
configuration. Recounting a day changes nothing, so runs may be repeated, and days backfilled.
"""

from __future__ import annotations

import datetime
import os

from airflow.exceptions import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, task

FRAMETALLY = os.environ.get("FRAMETALLY_COMMAND", "frametally")
NOTIFY = os.environ.get("FRAMETALLY_NOTIFY_COMMAND", "cat")
RETRIES = int(os.environ.get("FRAMETALLY_AIRFLOW_RETRIES", "2"))

DAY = "{% set day = dag_run.conf.get('day') or (data_interval_start | ds) %}"
SPAN = DAY + "--from {{ day }} --to {{ macros.ds_add(day, 1) }}"

with DAG(
    dag_id="frametally_count",
    description="Count one event day, check it, and publish it on the dashboard",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # otherwise nothing is counted until someone switches it on
    default_args={"retries": RETRIES, "retry_delay": datetime.timedelta(minutes=1)},
    tags=["frametally"],
) as dag:
    # Exit code 6: some input was set aside and reported, the rest is counted. A crash ends with 1.
    aggregate = BashOperator(
        task_id="aggregate", bash_command=f"{FRAMETALLY} aggregate {SPAN} || [ $? -eq 6 ]"
    )
    # Exit code 6: a check did not pass. The report is data, and published results stay: the task shows as
    # skipped, and the index still follows.
    quality = BashOperator(
        task_id="quality", bash_command=f"{FRAMETALLY} quality {SPAN}", skip_on_exit_code=6
    )
    index = BashOperator(
        task_id="index", bash_command=f"{FRAMETALLY} index || [ $? -eq 6 ]", trigger_rule="none_failed"
    )

    @task(trigger_rule="all_done", retries=0)
    def notify(day: str, *, ti=None, dag_run=None) -> None:  # type: ignore[no-untyped-def]
        """Pass one line to FRAMETALLY_NOTIFY_COMMAND on standard input; fail if an earlier task failed."""
        import subprocess

        states = ti.get_task_states(
            dag_id="frametally_count",
            run_ids=[dag_run.run_id],
            task_ids=["aggregate", "quality", "index"],
        )[dag_run.run_id]
        words = {"success": "done", "skipped": "did not pass"}
        summary = ", ".join(f"{name} {words.get(str(state), state)}" for name, state in states.items())
        line = f"frametally, {day}: {summary}\n"
        subprocess.run(["/bin/sh", "-c", NOTIFY], input=line, text=True, check=True)  # noqa: S603
        print(line, end="")
        if any(str(state) not in words for state in states.values()):
            raise AirflowFailException(line.strip())

    aggregate >> quality >> index >> notify(DAY + "{{ day }}")
