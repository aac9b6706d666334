"""What `--dry-run` prints; and the commands that judge and hand out finished runs, or tell what has become of one."""

import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simglove_spark.commands_evaluate import print_json
from simglove_spark.config import ObserveConfig
from simglove_spark.errors import InputError
from simglove_spark.figures import figure
from simglove_spark.memory import cores, show_size
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import DryRun, Json, Threads
from simglove_spark.progress import make_progress
from simglove_spark.runs.plan import Plan
from simglove_spark.shown import plain_text
from simglove_spark.storage.paths import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simglove_spark.publishing.gates import Gate
    from simglove_spark.runs.status import Status
    from simglove_spark.verifying import Findings


def tell_plan(plan: Plan) -> None:
    """Print what would be done, as a table on a terminal and else as JSON; ends as the command itself would be refused.

    Raises
    ------
    SimgloveError
        The first refusal.
    """
    if sys.stdout.isatty():
        table = Table("stage", "does", "why", title="What would be done", title_justify="left")
        for step in plan.steps:
            table.add_row(step.stage, step.does, Text(plain_text(" ".join(filter(None, (step.why, step.forecast))))))
        Console(highlight=False).print(table)
    else:
        code = 0 if plan.error is None else plan.error.exit_code
        print_json({"steps": [step.to_dict() for step in plan.steps], "exit_code": code})
    if plan.error is not None:
        raise plan.error


def publish(
    run: Annotated[str, Parameter(help="Run folder.")],
    /,
    *,
    to: Annotated[str, Parameter(help="Folder whose latest.json readers take.")],
    sets: Annotated[
        tuple[str, ...],
        Parameter(
            help="Public evaluation sets to judge it by, as of evaluate.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = (),
    min: Annotated[
        tuple[str, ...],
        Parameter(
            help="Least figures, NAME=VALUE: coverage, size, kept-words, neighbours, or a set's name, .coverage or .change.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = (),
    first: Annotated[bool, Parameter(negative="", help="Compare it with nothing, as the first one.")] = False,
    threads: Threads = None,
    observe: ObserveConfig = ObserveConfig(),
    dry_run: DryRun = False,
) -> None:
    """Hand a run out: when it passes all gates, name it in latest.json. Needs no Spark."""
    from simglove_spark.publishing.publish import Asked
    from simglove_spark.publishing.publish import publish as published

    folder, root, asked = path_of(run), path_of(to), Asked(sets, min, first)
    progress = make_progress() if dry_run else observed(observe)
    told = nullcontext() if dry_run else progress.stage("publish", reads=[("vectors", folder / "vectors")])
    with told:
        done = published(folder, root, asked, threads or cores(), progress, dry_run)
        if sys.stdout.isatty():
            _show_gates(done.gates)
        else:
            print_json(done.to_dict())
        if done.error is not None:
            raise done.error
    if sys.stdout.isatty() and done.record is not None:
        print(f"{root / 'latest.json'} names {done.record['path']}" + ("." if done.gates else " already."))


def rollback(
    *,
    to: Annotated[str, Parameter(help="Folder that publish wrote latest.json into.")],
    threads: Threads = None,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Name the run again in latest.json that was published before the present one. Needs no Spark."""
    from simglove_spark.publishing.publish import rollback as rolled_back

    root, progress = path_of(to), observed(observe)
    with progress.stage("rollback"):
        record = rolled_back(root, threads or cores(), progress)
    if sys.stdout.isatty():
        print(f"{root / 'latest.json'} names {record['path']} again.")
    else:
        print_json({"published": record})


def _show_gates(gates: "Sequence[Gate]") -> None:
    table = Table("gate", "", title="Gates", title_justify="left")
    for name in ("figure", "least", "most"):
        table.add_column(name, no_wrap=True)
    table.add_column("what it is")
    for gate in gates:
        figures = ("-" if value is None else f"{value:.4g}" for value in (gate.figure, gate.least, gate.most))
        table.add_row(Text(plain_text(gate.name)), "passed" if gate.passed else "failed", *figures, Text(gate.told))
    Console(highlight=False).print(table)


def verify(
    folder: Annotated[str, Parameter(help="Table, run folder, or folder that publish wrote.")],
    /,
    *,
    threads: Threads = None,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Check every manifest, checksum and invariant of tables, to the last byte; tells all that is broken. Needs no Spark."""
    from simglove_spark.verifying import verify as verified

    path, progress = path_of(folder), observed(observe)
    with progress.stage("verify"):
        found = verified(path, threads or cores(), progress)
        if sys.stdout.isatty():
            _show_findings(found)
        else:
            print_json({"path": str(path), **found.to_dict()})
        if found.found:
            raise InputError(
                f"folder must be whole; got {len(found.found):,} things that are not ({path}). "
                "Run the stages again that made what is broken."
            )


def _show_findings(found: "Findings") -> None:
    console = Console(highlight=False)
    for title, rows in (("Broken", found.found), ("To know", found.notes)):
        if rows:
            table = Table("where", "what", title=title, title_justify="left")
            for row in sorted(rows):
                table.add_row(Text(plain_text(row.path)), Text(plain_text(row.what)))
            console.print(table)
    read = f"{found.tables:,} tables of {found.files:,} files and {show_size(found.bytes)} were read"
    console.print(f"{read}: {'all is whole' if not found.found else f'{len(found.found):,} things are broken'}.")


def status(folder: Annotated[str, Parameter(help="Run folder.")], /, *, json: Json = False) -> int:
    """Tell what has become of a run, by its run.json: exit code 0 complete, 10 running, 11 died, 12 failed, 13 interrupted."""
    from simglove_spark.runs.status import status_of

    path = path_of(folder)
    found = status_of(path)
    with suppress(BrokenPipeError):  # the exit code tells it also to who reads no further
        if json:
            print_json({"path": str(path), **found.to_dict()})
        else:
            for line in _lines_of(found):
                print(plain_text(line))
    return found.code


def _lines_of(found: "Status") -> "Iterator[str]":
    yield f"{found.run_id} {found.state}: {_took(found.seconds)}, begun {found.started}"
    if found.error is not None:
        yield f"exit code {found.exit_code}: {found.error}"
    for name, stage in found.stages.items():
        yield f"  {name:<14}{stage['status']}" + ("" if stage["seconds"] is None else f", {_took(stage['seconds'])}")
    if found.state in ("running", "died"):
        yield f"last heartbeat {_took(found.heartbeat_age)} ago, of process {found.pid} of {found.host}"
    if found.next is not None:
        yield f"next: {found.next}" if found.state == "running" else f"the same command goes on at {found.next}"


def _took(seconds: float | None) -> str:
    return "unknown time" if seconds is None else figure(("seconds", seconds))[1]


COMMANDS = {"publish": publish, "rollback": rollback, "verify": verify, "status": status}
