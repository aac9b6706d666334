"""OpenLineage events of every stage: START, then COMPLETE, FAIL or ABORT.

Configured as OpenLineage's Python client is everywhere: OPENLINEAGE_URL, OPENLINEAGE__TRANSPORT__..., OPENLINEAGE_CONFIG or
openlineage.yml, and OPENLINEAGE_DISABLED. Without any of them nothing is imported.

Each attempt is a run of its own, as the standard has it; our run id, which a retry keeps, is a tag. The parent of a stage is the
command it belongs to, and that one's parent is what OPENLINEAGE_PARENT_ID names, `namespace/name/run id` as Airflow's
lineage_parent_id has it.
"""

import os
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simglove_spark.observing.outbox import Outbox
from simglove_spark.observing.stages import Stage

if TYPE_CHECKING:
    pass

NAMESPACE = "simglove"
ENDS = {"complete": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT"}
Tell = Callable[[str, str], None]


def lineage_listener(tell: Tell) -> "Lineage | None":
    """Who sends OpenLineage events, where they are configured; what stands in the way is told, and ends nothing."""
    if not is_configured(os.environ):
        return None
    try:
        import openlineage.client  # noqa: F401 - so that a transport that cannot be imported is told as what it is
    except ImportError as error:
        missing = f"OpenLineage is configured; got {error}. pip install 'simglove-spark[lineage]'."
        tell(f"No lineage is sent: {missing}", "warning")
        return None
    try:
        return Lineage(tell)
    except Exception as error:
        tell(f"No lineage is sent: OpenLineage is not configured well; got {type(error).__name__}: {error}.", "warning")
        return None


def is_configured(environment: Mapping[str, str]) -> bool:
    """Whether OpenLineage's client would find where to send events, in the environment or its file."""
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    ways = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")
    if any(name.startswith(ways) for name in environment):
        return True
    places = (Path.cwd(), Path.home() / ".openlineage")
    return any((place / "openlineage.yml").is_file() for place in places)


class Lineage:
    """Sends an event when a stage begins and when it ends."""

    def __init__(self, tell: Tell) -> None:
        from openlineage.client import OpenLineageClient, set_producer

        set_producer(f"urn:simglove-spark:{version('simglove-spark')}")
        self._client: OpenLineageClient = OpenLineageClient()
        self._outbox = Outbox("lineage to OpenLineage", tell)
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or NAMESPACE
        self._run_ids: dict[int, str] = {}  # of the stages that run, by their identity
        self._parent = _given("OPENLINEAGE_PARENT_ID", tell)
        self._root = _given("OPENLINEAGE_ROOT_PARENT_ID", tell) or self._parent

    def started(self, stage: Stage) -> None:
        """Send START."""
        from openlineage.client.uuid import generate_new_uuid

        self._run_ids[id(stage)] = str(generate_new_uuid(stage.began))
        self._send("START", stage, stage.began)

    def told(self, stage: Stage | None, event: str, fields: dict[str, Any]) -> None:
        """Nothing that lineage needs to know."""

    def ended(self, stage: Stage) -> None:
        """Send how it ended; at the end of all, wait until all is sent."""
        self._send(ENDS[stage.status], stage, stage.began + timedelta(seconds=stage.seconds))
        del self._run_ids[id(stage)]
        if stage.outer is None:
            self._outbox.wait()

    def _send(self, kind: str, stage: Stage, when: datetime) -> None:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

        from simglove_spark.observing import datasets  # with Parquet, which commands that ask do without

        event = RunEvent(
            eventTime=when.astimezone(UTC).isoformat(timespec="milliseconds"),
            eventType=RunState[kind],
            run=Run(self._run_ids[id(stage)], self._run_facets(stage)),
            job=Job(self._namespace, job_name(stage), _job_facets()),
            inputs=datasets.inputs_of(stage),
            outputs=datasets.outputs_of(stage),
        )
        self._outbox.send(lambda: self._client.emit(event))

    def _run_facets(self, stage: Stage) -> dict[str, Any]:
        from openlineage.client.facet_v2 import error_message_run, processing_engine_run, tags_run

        own, tag = version("simglove-spark"), tags_run.TagsRunFacetFields("run_id", stage.run_id, "simglove")
        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(own, "simglove-spark", own),
            "tags": tags_run.TagsRunFacet([tag]),
        }
        parent = self._parent
        if stage.outer is not None:
            parent = self._namespace, job_name(stage.outer), self._run_ids[id(stage.outer)]
        if parent is not None:
            facets["parent"] = _parent_facet(parent, self._root or parent)
        if stage.error is not None:
            told = "".join(traceback.format_exception(stage.error, chain=False))
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(stage.message or "", "PYTHON", told)
        return facets


def job_name(stage: Stage) -> str:
    """Name of a stage's job: simglove.count-words, or simglove.run.count-words as a part of a run."""
    return f"{job_name(stage.outer)}.{stage.name}" if stage.outer is not None else f"simglove.{stage.name}"


def _job_facets() -> dict[str, Any]:
    from openlineage.client.facet_v2 import job_type_job

    return {"jobType": job_type_job.JobTypeJobFacet("BATCH", "SIMGLOVE", "JOB")}


def _parent_facet(parent: tuple[str, str, str], root: tuple[str, str, str]) -> Any:
    from openlineage.client.facet_v2 import parent_run

    (namespace, name, run), (root_namespace, root_name, root_run) = parent, root
    above = parent_run.Root(parent_run.RootRun(root_run), parent_run.RootJob(root_namespace, root_name))
    return parent_run.ParentRunFacet(parent_run.Run(run), parent_run.Job(namespace, name), above)


def _given(name: str, tell: Tell) -> tuple[str, str, str] | None:
    """Namespace, job and run id that a variable names."""
    from uuid import UUID

    text = os.environ.get(name, "")
    if not text:
        return None
    parts = text.rsplit("/", 2)
    try:
        namespace, job, run = parts
        return namespace, job, str(UUID(run))
    except ValueError:
        tell(f"{name} must be namespace/name/run id, the last a UUID; got {text!r}. It is left out.", "warning")
        return None
