"""The DAG of examples/, read by Airflow's own parser and walked by its own operators: in an environment with the extra `airflow`."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow", reason="airflow: see CONTRIBUTING.md, it needs an environment of its own")
pytestmark = pytest.mark.airflow

CONTEXT = {
    "run_id": "scheduled__2026-11-23T00:00:00+00:00",
    "params": {"corpus": "/corpus", "runs": "/runs", "published": "/published", "jobs": "/jobs"},
}
FOLDER = Path(__file__).parent.parent / "examples" / "airflow"


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(FOLDER, bundle_path=FOLDER, bundle_name="examples")
    assert bag.import_errors == {}
    assert list(bag.dags) == ["simglove_daily"]
    return bag.dags["simglove_daily"]


def test_the_road_is_four_tasks_one_after_another(dag: Any) -> None:
    road = ["count_words", "count_pairs", "train", "publish"]
    following = [["count_pairs"], ["train"], ["publish"], []]
    found = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert found == dict(zip(road, following, strict=True))
    assert [dag.get_task(name).retries for name in road] == [3] * 4
    kinds = [type(dag.get_task(name)).__mro__[2].__name__ for name in road]
    assert kinds == ["SparkSubmitOperator", "SparkSubmitOperator", "BashOperator", "BashOperator"]


def test_every_command_is_one_that_simglove_takes(dag: Any) -> None:
    from simglove_spark.cli import app

    commands = []
    for name in ("count_words", "count_pairs"):
        task = dag.get_task(name)
        job = Path(task.render_template(task.application, CONTEXT))
        assert (FOLDER.parent.parent / "jobs" / job.name).is_file()
        commands.append([name.replace("_", "-"), *task.render_template(task.application_args, CONTEXT)])
    for name in ("publish", "train"):
        task = dag.get_task(name)
        _, _, *arguments = shlex.split(task.render_template(task.bash_command, CONTEXT))
        commands.append(arguments)
    app.config = []
    for command in commands:
        _, bound, *_ = app.parse_args(command, exit_on_error=False, print_error=False)
        assert bound.arguments["observe"].run_id == CONTEXT["run_id"]
    assert arguments[arguments.index("--output") + 1] == "/runs/scheduled__2026-11-23T0000000000/vectors"


@pytest.mark.parametrize(
    ("code", "tried_again"), [(1, True), (2, False), (3, False), (4, True), (5, False), (6, False), (7, True)]
)
def test_exit_codes_decide_whether_a_task_is_tried_again(dag: Any, code: int, tried_again: bool) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    class Raising:
        def execute(self, context: Any) -> None:
            raise AirflowException(context)

    final = type(dag.get_task("train")).__mro__[1]
    operator = type("Operator", (final, Raising), {})()
    for said in (
        f"Cannot execute: ['spark-submit']. Error code is: {code}.\nlast lines",
        f"Bash command failed. The command returned a non-zero exit code {code}.",
    ):
        with pytest.raises(AirflowException) as caught:
            operator.execute(said)
        assert isinstance(caught.value, AirflowFailException) is not tried_again


def test_bash_says_its_exit_code_as_the_dag_reads_it() -> None:
    """Airflow's own operator with a command that ends so, without a database."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from simglove_daily import Simglove\n"
        "from airflow.sdk.exceptions import AirflowException, AirflowFailException\n"
        "for code in (3, 7):\n"
        "    try: Simglove(task_id='t', bash_command=f'exit {code}').execute({})\n"
        "    except AirflowException as error: print(code, type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, FOLDER], capture_output=True, text=True, check=True, timeout=120
    )
    ends = [line for line in done.stdout.splitlines() if line[0] in "37"]
    assert ends == ["3 AirflowFailException", "7 AirflowException"]
