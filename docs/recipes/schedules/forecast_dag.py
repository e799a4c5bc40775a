"""The month's report in Airflow 3: made on the third, tried again only where that can help.

Which month is meant follows from the run, not from the clock: a run that is cleared weeks later, or made by a backfill,
makes the month that it would have made. Save this file in the folder of DAGs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

ZONE = "Europe/Berlin"  # where the company is: the timezone of its company.toml
PLACE = "/srv/forecast"
COMMAND = [f"{PLACE}/.venv/bin/forecast", "report", "--data", "/srv/crm/current", "--out", "/srv/reports", "--quiet"]
RETRIED = (3, 4)  # a notebook, the machine; 1 and 2, the data and the command, would come out the same


def month_before(run: Any) -> str:
    """Return the month before a run, as `2026-10`: by the end of its data interval, else by when it was due.

    A run by the schedule has its own moment as the end of its interval; so has a run of a backfill. One that is started
    by hand without a logical date has no interval.
    """
    moment = run.data_interval_end or run.run_after
    return pendulum.instance(moment).in_timezone(ZONE).start_of("month").subtract(days=1).format("YYYY-MM")


class Report(BaseOperator):
    """Run `forecast report` for the month before the run; a retry continues what the try before had finished."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hook = SubprocessHook()

    def execute(self, context: Any) -> str:
        """Return the month that was made. Raises AirflowFailException where a retry would meet the same."""
        month = month_before(context["dag_run"])
        code = self.hook.run_command([*COMMAND, "--as-of", month], cwd=PLACE).exit_code
        if code in RETRIED:
            raise AirflowException(f"{month}: forecast ended with {code}; the next try continues")
        if code:
            raise AirflowFailException(f"{month}: forecast ended with {code}; mend what its message names, then clear")
        return month

    def on_kill(self) -> None:
        """End the run and its kernels."""
        self.hook.send_sigterm()


with DAG(
    "forecast",
    schedule="0 6 3 * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
):
    Report(task_id="report", retries=2, retry_delay=timedelta(minutes=10))
