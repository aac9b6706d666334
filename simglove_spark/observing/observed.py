"""The progress of a command, with everybody who listens to it."""

from simglove_spark.config import ObserveConfig
from simglove_spark.observing.libraries import LibraryWarnings
from simglove_spark.observing.lineage import lineage_listener
from simglove_spark.progress import Progress, make_progress


def observed(config: ObserveConfig) -> Progress:
    """Progress on standard error, as `progress.make_progress` has it, for whoever is asked for by options or environment.

    Raises
    ------
    ResourceError
        When metrics are asked for where their library is missing.
    """
    progress = make_progress(run_id=config.run_id)
    progress.listeners.append(LibraryWarnings(progress))
    if config.metrics is not None:
        from simglove_spark.observing.metrics import Metrics

        progress.listeners.append(Metrics(config.metrics, progress.note))
    lineage = lineage_listener(progress.note)
    if lineage is not None:
        progress.listeners.append(lineage)
    return progress
