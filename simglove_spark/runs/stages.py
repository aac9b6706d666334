"""The plans of the commands that build tables: their stages one after another, each asked as the stage itself asks."""

from dataclasses import dataclass, field
from pathlib import Path

from simglove_spark.config import (
    CorpusConfig,
    PairsConfig,
    PhrasesConfig,
    RunConfig,
    SparkConfig,
    TrainConfig,
    VocabularyConfig,
)
from simglove_spark.corpus import list_inputs
from simglove_spark.errors import SimgloveError
from simglove_spark.manifest import Manifest
from simglove_spark.progress import Progress
from simglove_spark.run import Road, refuse_contradictions, refuse_foreign, second_run
from simglove_spark.runs import there
from simglove_spark.runs.plan import Plan, refuse_held
from simglove_spark.runs.reading import LOCK

NOTHING_TOLD = Progress()


def plan_run(folder: Path, road: Road) -> Plan:
    """The plan of `simglove run`."""
    try:
        refuse_contradictions(road)
        counting = Counting(road.corpus, road.resources, road.spark)
        if folder.is_dir():
            refuse_foreign(folder)
        refuse_held(folder / LOCK, second_run(folder))
    except SimgloveError as error:
        return Plan.refused("run", error)
    vocabulary, pairs, plan = folder / "vocabulary", folder / "pairs", counting.plan
    counting.words(road.vocabulary, folder)
    counting.pairs(road.pairs, vocabulary, pairs, needs=plan.is_there, training=road.training)
    ask_training(plan, (vocabulary, pairs), folder / "vectors", road.training, road.resources, needs=plan.is_there)
    return plan


def plan_training(vocabulary: Path, pairs: Path, output: Path, config: TrainConfig, run: RunConfig) -> Plan:
    """The plan of `simglove train`."""
    plan = Plan()
    ask_training(plan, (vocabulary, pairs), output, config, run)
    return plan


def ask_training(
    plan: Plan, made_from: tuple[Path, Path], output: Path, config: TrainConfig, run: RunConfig, needs: bool = True
) -> None:
    """Add training on a vocabulary and its pairs to a plan."""
    vocabulary, pairs = made_from

    def forecast() -> str:
        from simglove_spark.forecast import refuse_what_cannot_fit
        from simglove_spark.storage.tables import scratch_of
        from simglove_spark.trainer import checkpoints_of, expected_training
        from simglove_spark.training_inputs import check_pairs, parents_of

        checkpoints = checkpoints_of(output, config, parents_of(vocabulary, pairs, config))
        refuse_held(checkpoints.lock, checkpoints.refusal)
        words = Manifest.load(vocabulary, "vocabulary").rows
        expected = expected_training(pairs, check_pairs(pairs, vocabulary, config), words, config, run)
        refuse_what_cannot_fit(expected, scratch_of(output), local=False)
        state = None if run.overwrite else checkpoints.peek()
        kept = "" if state is None else f" It goes on from a checkpoint: {len(state['passes'])} passes are done."
        return expected.sentence + kept

    def is_there() -> bool:
        return there.vectors_are_trained(vocabulary, pairs, output, config, run.overwrite)

    plan.ask("train", output, is_there, forecast, run.overwrite, needs)


@dataclass
class Counting:
    """The stages that count one corpus; each adds its steps to ``plan``.

    Raises
    ------
    SimgloveError
        When it is made, if the corpus is refused.
    """

    corpus: CorpusConfig
    resources: RunConfig
    spark: SparkConfig
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        self.listed, self.overwrite = list_inputs(self.corpus), self.resources.overwrite

    def words(self, config: VocabularyConfig, output: Path) -> None:
        """Count words, and choose some."""
        corpus, overwrite = self.corpus, self.overwrite

        def counted() -> bool:
            there.options_of_lists(config, corpus)  # what is wrong with a list is told before anything is counted
            return there.words_are_counted(corpus, config, self.listed, output, overwrite)

        def chosen() -> bool:
            return there.words_are_chosen(output, there.options_of_lists(config, corpus), overwrite)

        def forecast() -> str:
            return self._forecast_words(self.listed, output)

        self.plan.ask("count-words", output / "word_counts", counted, forecast, overwrite)
        self.plan.ask("choose words", output / "vocabulary", chosen, str, overwrite, self.plan.is_there)

    def pairs(
        self,
        config: PairsConfig,
        vocabulary: Path,
        output: Path,
        needs: bool = True,
        training: TrainConfig | None = None,
    ) -> None:
        """Count pairs; ``training``: what will be trained on them, whose vectors must fit."""
        corpus, overwrite = self.corpus, self.overwrite

        def counted() -> bool:
            words = Manifest.load(vocabulary, "vocabulary")
            there.check_pairs_asked(corpus, config, self.listed, words, vocabulary)
            return there.pairs_are_counted(corpus, config, self.listed, words, output, overwrite)

        def forecast() -> str:
            from simglove_spark.counting import Context
            from simglove_spark.counting.context import without
            from simglove_spark.counting.pairs import bad_files_among, expected_pairs
            from simglove_spark.forecast import forecast_training
            from simglove_spark.trainer import memory_budget
            from simglove_spark.word_table import read_word_table

            words = Manifest.load(vocabulary, "vocabulary")
            if training is not None:
                forecast_training(0, words.rows, training, 1, memory_budget(self.resources))
            inputs = without(bad_files_among(self.listed, words), self.listed, NOTHING_TOLD)
            context = Context(NOTHING_TOLD, self.resources, self.spark)
            expected = expected_pairs(corpus, config, inputs, words, read_word_table(vocabulary), context)
            context.refuse_what_cannot_fit(expected, output.parent)
            return expected.sentence

        self.plan.ask("count-pairs", output, counted, forecast, overwrite, needs)

    def phrases(self, config: PhrasesConfig, words: Path, output: Path) -> None:
        """Find phrases, count words with them joined, and choose some."""
        from simglove_spark.counting import Context
        from simglove_spark.counting.context import without
        from simglove_spark.counting.phrases import checked_words, expected_phrases, refuse_other_words, rules_of

        corpus, overwrite, plan = self.corpus, self.overwrite, self.plan

        def found() -> bool:
            return there.phrases_are_found(corpus, config, checked_words(corpus, words, output), output, overwrite)

        def forecast() -> str:
            refuse_other_words(output, overwrite)
            parent = Manifest.load(words / "vocabulary", "vocabulary")
            context = Context(NOTHING_TOLD, self.resources, self.spark)
            expected = expected_phrases(corpus, without(parent.bad_files, parent.listed, NOTHING_TOLD), context)
            context.refuse_what_cannot_fit(expected, output)
            return expected.sentence

        def joined() -> bool:
            parent, joins = (
                Manifest.load(words / "vocabulary", "vocabulary"),
                Manifest.load(output / "phrases", "phrases"),
            )
            return there.joined_words_are_counted(corpus, parent, joins, output, overwrite)

        def chosen() -> bool:
            rules = rules_of(Manifest.load(words / "vocabulary", "vocabulary"))
            return there.words_are_chosen(output, there.options_of_lists(rules, corpus), overwrite)

        def anew() -> str:
            return self._forecast_words(self.listed, output)

        plan.ask("find phrases", output / "phrases", found, forecast, overwrite)
        plan.ask("count joined words", output / "word_counts", joined, anew, overwrite, plan.is_there)
        plan.ask("choose words", output / "vocabulary", chosen, str, overwrite, plan.is_there)

    def _forecast_words(self, inputs: there.Files, output: Path) -> str:
        from simglove_spark.counting import Context
        from simglove_spark.counting.words import expected_words

        context = Context(NOTHING_TOLD, self.resources, self.spark)
        expected = expected_words(self.corpus, inputs, context)
        context.refuse_what_cannot_fit(expected, output)
        return expected.sentence
