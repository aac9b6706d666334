"""Commands that show finished vectors: report writes a page, explore serves one."""

from contextlib import suppress
from threading import Thread
from typing import Annotated

from cyclopts import Parameter

from simglove_spark.config import ObserveConfig, TextConfig
from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import PairsFolder, VectorsFolder, Whole, open_pairs, require
from simglove_spark.pages.report.word_map import Projection
from simglove_spark.questions import read_texts_as
from simglove_spark.storage.paths import path_of
from simglove_spark.storage.texts import replace_text
from simglove_spark.vectors import Vectors

Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)]


def report(
    folder: Annotated[str, Parameter(help="Run folder.")],
    /,
    *,
    output: Annotated[
        str | None, Parameter(help="File to write; by default FOLDER.report.html beside the run.", show_default=False)
    ] = None,
    evaluation: Annotated[Words, Parameter(help="Files that `simglove evaluate --json` wrote, to be shown too.")] = (),
    watch: Annotated[Words, Parameter(help="Words whose neighbours to show; by default some of all ranks.")] = (),
    map_words: Annotated[Whole, Parameter(help="How many of the most frequent words the map shows.")] = 3000,
    projection: Annotated[Projection, Parameter(help="How the map is made: tsne, or pca, which is quick.")] = "tsne",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an existing file.")] = False,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Write one HTML page that shows a run: map, neighbours, losses, norms, scores, stages, lineage, settings."""
    from simglove_spark.pages.report import page
    from simglove_spark.pages.report.run_folder import RunFolder, read_evaluations, tables_of

    require(3 <= map_words <= 20_000, "map-words", "lie between 3 and 20000", map_words, "Use 3000.")
    run = path_of(folder)
    path = page.default_output(run) if output is None else path_of(output)
    if path.exists() and not (overwrite and path.is_file()):
        raise ConfigError(
            f"output must be a new file; got one that exists ({path}). Give another --output, or --overwrite."
        )
    with observed(observe).stage("report", corpus=evaluation, reads=tables_of(run), files=[path]):
        evaluations = read_evaluations([path_of(name) for name in evaluation])
        text = page.render(RunFolder.read(run), evaluations, watch, map_words, projection)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, text)
        except OSError as error:
            raise ResourceError(
                f"output must be writable; got {error.strerror} ({path}). Give another --output."
            ) from error
    print(f"The report is in {path}: one file, which any browser opens without a network.")


def explore(
    *,
    vectors: VectorsFolder,
    pairs: PairsFolder = None,
    reading: TextConfig = TextConfig(),
    port: Annotated[Whole, Parameter(help="Port on 127.0.0.1; 0 takes any that is free.")] = 8642,
) -> None:
    """Serve a page on this machine to ask vectors: words, analogies, keywords of a text, and what stands behind two words."""
    from simglove_spark.pages.explore.answers import Answers
    from simglove_spark.pages.explore.server import Server

    require(0 <= port <= 65535, "port", "lie between 0 and 65535", port, "Leave it out.")
    known = Vectors.load(path_of(vectors))
    read_texts_as(reading, known)
    answers = Answers(known, open_pairs(pairs))
    with Server(answers, port) as server:
        Thread(target=answers.prepare, daemon=True).start()
        print(f"Open {server.url} in a browser on this machine. Ctrl-C ends.", flush=True)
        with suppress(KeyboardInterrupt):  # of Ctrl-C or SIGTERM: there is nothing that could be left half done
            server.serve_forever()


COMMANDS = {
    "report": report,
    "explore": explore,
}
