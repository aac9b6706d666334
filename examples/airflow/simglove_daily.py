"""Airflow: words and pairs counted by spark-submit, vectors learned by a plain task, published when the gates let them through.

Each run of the DAG has a folder of its own, and its run id is the one in logs, Spark's history, metrics and lineage. A retry is
the same command again: what is complete is left alone, and training goes on at its last checkpoint. What a retry cannot mend
ends a task at once: impossible options (exit code 2), a broken corpus (3), a training that diverges (5), a gate that refuses (6).
Everything else is tried again: a lack of memory or disk (4), a stop from outside (7), a lost cluster (1).

Needs the connection `spark_default` in client mode, and on Airflow's workers `spark-submit` and `simglove`; the folder of the
jobs is what `simglove jobs` prints.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FINAL = {2, 3, 5, 6}
RUN = "{{ params.runs }}/{{ run_id | replace(':', '') | replace('+', '') }}"
SAME_RUN = ["--run-id", "{{ run_id }}"]


class FailsForGood:
    """An operator whose task is not tried again after an exit code that says that it would not help."""

    def execute(self, context: Any) -> Any:
        """Run the command; a final exit code fails the task without a retry."""
        try:
            return super().execute(context)  # type: ignore[misc]
        except AirflowException as error:
            code = exit_code(str(error))
            if code in FINAL:
                raise AirflowFailException(f"exit code {code}: a retry would end the same way") from error
            raise


def exit_code(text: str) -> int | None:
    """The exit code that Airflow's operators tell of only in words."""
    found = re.search(r"(?:Error code is: |non-zero exit code )(\d+)", text)
    return int(found[1]) if found else None


class Submit(FailsForGood, SparkSubmitOperator):
    """A spark-submit job of ours."""


class Simglove(FailsForGood, BashOperator):
    """A command without Spark; stopped by SIGTERM, it keeps a checkpoint."""


with DAG(
    "simglove_daily",
    description="Word vectors of a corpus, every day",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
    params={
        "corpus": Param("/data/corpus", type="string", description="Files, folder or glob."),
        "runs": Param(
            "/data/simglove/runs", type="string", description="Folder of all runs; Spark's workers share it."
        ),
        "published": Param("/data/simglove/published", type="string", description="Where latest.json lies."),
        "jobs": Param("/opt/simglove/jobs", type="string", description="What `simglove jobs` prints."),
    },
) as dag:
    count_words = Submit(
        task_id="count_words",
        application="{{ params.jobs }}/count_words.py",
        application_args=["--input", "{{ params.corpus }}", "--output", RUN, *SAME_RUN],
    )
    count_pairs = Submit(
        task_id="count_pairs",
        application="{{ params.jobs }}/count_pairs.py",
        application_args=[
            *("--input", "{{ params.corpus }}", "--vocabulary", f"{RUN}/vocabulary"),
            *("--output", f"{RUN}/pairs", *SAME_RUN),
        ],
    )
    train = Simglove(
        task_id="train",
        bash_command=(
            f"exec simglove train --vocabulary '{RUN}/vocabulary' --pairs '{RUN}/pairs' --output '{RUN}/vectors' "
            f"--held-out 0.01 --run-id '{SAME_RUN[1]}'"
        ),
        execution_timeout=timedelta(hours=12),
    )
    publish = Simglove(
        task_id="publish",
        bash_command=f"exec simglove publish '{RUN}' --to '{{{{ params.published }}}}' --run-id '{SAME_RUN[1]}'",
    )
    count_words >> count_pairs >> train >> publish
