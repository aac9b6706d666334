"""Options: impossible ones are refused by the template, sizes are read as people write them, presets know their keys."""

import math
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simglove_spark import config
from simglove_spark.config import (
    CorpusConfig,
    ImportConfig,
    PairsConfig,
    PhrasesConfig,
    RunConfig,
    SparkConfig,
    TextConfig,
    TrainConfig,
    VocabularyConfig,
)
from simglove_spark.errors import ConfigError
from simglove_spark.memory import parse_size, show_size
from simglove_spark.presets import PRESETS, Preset
from simglove_spark.saved_config import resolved

WHOLE = "Give a positive whole number."
DEFAULT = "Use the default."
KEEP_ALL = "Leave it out to keep all words."
SUBSAMPLE = "Use 1e-3 to 1e-5, or leave it out."
LEFT_OUT = "must be left out with --vocabulary, whose words are all kept"
ADD_GROW = "Or add --grow: it then decides about other words."
CASES = [
    *(
        (
            CorpusConfig,
            {"input": ("a",), "tokenizer": name},
            f"--tokenizer must be whitespace, words, jieba or MODULE:FUNCTION; got {name}. Leave it out for words between blanks.",
        )
        for name in ("Words", "", "a:b:c", "my module:f", "f:")
    ),
    (VocabularyConfig, {"min_count": 0}, "--min-count must be at least 1; got 0. Use 1 to keep every word."),
    (VocabularyConfig, {"max_vocab": 1}, f"--max-vocab must lie between 2 and 2,147,483,646; got 1. {KEEP_ALL}"),
    (
        VocabularyConfig,
        {"max_vocab": 2**31 - 1},
        f"--max-vocab must lie between 2 and 2,147,483,646; got 2147483647. {KEEP_ALL}",
    ),
    (VocabularyConfig, {"min_documents": 0}, "--min-documents must be at least 1; got 0. Leave it out."),
    (VocabularyConfig, {"vocabulary": "v", "min_documents": 2}, f"--min-documents {LEFT_OUT}; got 2. {ADD_GROW}"),
    (VocabularyConfig, {"grow": True}, "--grow must come with --vocabulary; got none. Name the vocabulary that grows."),
    (VocabularyConfig, {"vocabulary": "v", "min_count": 4}, f"--min-count {LEFT_OUT}; got 4. {ADD_GROW}"),
    (VocabularyConfig, {"vocabulary": "v", "max_vocab": 9}, f"--max-vocab {LEFT_OUT}; got 9. {ADD_GROW}"),
    (PhrasesConfig, {"min_count": 0}, "--min-count must be at least 1; got 0. Use 20."),
    (PhrasesConfig, {"threshold": 1.5}, "--threshold must lie between -1 and 1; got 1.5. Use 0.5."),
    (PhrasesConfig, {"threshold": math.nan}, "--threshold must lie between -1 and 1; got nan. Use 0.5."),
    (PhrasesConfig, {"joiner": "\t"}, "--joiner must be printable and without white space; got '\\t'. Use _."),
    (PairsConfig, {"window_size": 0}, "--window-size must lie between 1 and 1000; got 0. Use 10."),
    (PairsConfig, {"window_size": 1001}, "--window-size must lie between 1 and 1000; got 1001. Use 10."),
    (PairsConfig, {"num_shards": 0}, "--num-shards must lie between 1 and 1,048,576; got 0. Leave it out."),
    (
        PairsConfig,
        {"num_shards": 2**20 + 1},
        "--num-shards must lie between 1 and 1,048,576; got 1048577. Leave it out.",
    ),
    (PairsConfig, {"subsample": 0.0}, f"--subsample must lie between 0 and 1; got 0.0. {SUBSAMPLE}"),
    (PairsConfig, {"subsample": 1.0}, f"--subsample must lie between 0 and 1; got 1.0. {SUBSAMPLE}"),
    (PairsConfig, {"subsample": math.nan}, f"--subsample must lie between 0 and 1; got nan. {SUBSAMPLE}"),
    (TrainConfig, {"dim": 0}, f"--dim must be at least 1; got 0. {WHOLE}"),
    (TrainConfig, {"dim": 4097}, "--dim must be at most 4096; got 4097. Use 100 to 300."),
    (TrainConfig, {"sweeps": 0}, f"--sweeps must be at least 1; got 0. {WHOLE}"),
    (TrainConfig, {"epochs": -2}, f"--epochs must be at least 1; got -2. {WHOLE}"),
    (TrainConfig, {"x_max": 0.0}, f"--x-max must be positive and finite; got 0.0. {DEFAULT}"),
    (TrainConfig, {"x_max": math.nan}, f"--x-max must be positive and finite; got nan. {DEFAULT}"),
    (TrainConfig, {"learning_rate": math.inf}, f"--learning-rate must be positive and finite; got inf. {DEFAULT}"),
    (TrainConfig, {"all_pairs_weight": -1}, f"--all-pairs-weight must be 0 or more and finite; got -1. {DEFAULT}"),
    (TrainConfig, {"l2": math.nan}, f"--l2 must be 0 or more and finite; got nan. {DEFAULT}"),
    (TrainConfig, {"alpha": -0.5}, f"--alpha must be 0 or more and finite; got -0.5. {DEFAULT}"),
    (TrainConfig, {"all_pairs_pmi": math.inf}, f"--all-pairs-pmi must be finite; got inf. {DEFAULT}"),
    (TrainConfig, {"all_pairs_power": math.nan}, f"--all-pairs-power must be finite; got nan. {DEFAULT}"),
    (TrainConfig, {"held_out": 1.0}, "--held-out must lie in [0, 1); got 1.0. Use 0.01."),
    (TrainConfig, {"held_out": math.nan}, "--held-out must lie in [0, 1); got nan. Use 0.01."),
    (TrainConfig, {"seed": -1}, "--seed must lie in [0, 2^63); got -1. Use a small whole number."),
    (TrainConfig, {"seed": 2**63}, f"--seed must lie in [0, 2^63); got {2**63}. Use a small whole number."),
    (
        TrainConfig,
        {"solver": "adagrad"},
        "--all-pairs-weight must be 0 with --solver adagrad, which visits seen pairs only; got 0.001. "
        "Add --all-pairs-weight 0, or use --preset simpler-glove.",
    ),
    (
        ImportConfig,
        {"format": "csv", "unit": 0},
        "--unit must lie between 1 and 4,294,967,296; got 0. Use 1048576.",
    ),
    (RunConfig, {"threads": 0}, "--threads must lie between 1 and 4096; got 0. Leave it out to use all cores."),
]


@pytest.mark.parametrize(("kind", "options", "message"), CASES)
def test_impossible_options_are_refused(kind: type, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        kind(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (VocabularyConfig, {"min_count": 1, "max_vocab": 2}),
        (VocabularyConfig, {"vocabulary": "v", "min_count": 5, "deny_list": "d"}),
        (VocabularyConfig, {"vocabulary": "v", "grow": True, "min_count": 2, "max_vocab": 9}),
        (PhrasesConfig, {"min_count": 1, "threshold": -1, "joiner": ""}),
        (PairsConfig, {"window_size": 1000, "num_shards": 1, "subsample": 1e-300}),
        (
            TrainConfig,
            {"dim": 1, "sweeps": 1, "epochs": 1, "alpha": 0, "l2": 0, "all_pairs_weight": 0, "seed": 2**63 - 1},
        ),
        (TrainConfig, {"dim": 4096, "solver": "adagrad", "all_pairs_weight": 0.0, "all_pairs_power": -1.0}),
        (RunConfig, {"threads": 4096}),
    ],
)
def test_the_last_possible_options_are_taken(kind: type, options: dict[str, Any]) -> None:
    kind(**options)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("10b", 10),
        ("1k", 1024),
        ("512m", 512 << 20),
        ("8g", 8 << 30),
        ("8G", 8 << 30),
        ("1.5GiB", 3 << 29),
        (" 2 tb ", 2 << 40),
        ("0.5k", 512),
        ("100MB", 100 << 20),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text, "memory") == size


@pytest.mark.parametrize("text", ["", "0", "0.1", "-1g", "g", "8 gigs", "1e3", "nan", "8g8", "auto", "٣g", "9" * 400])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_size(text, "worker-memory")
    expected = f"--worker-memory must be a size such as 512m or 8g; got {text!r}. Write a number and k, m, g or t."
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1 << 20, "1 MiB"),
        (120000000, "114 MiB"),
        (1 << 30, "1.0 GiB"),
        (3 << 40, "3072.0 GiB"),
    ],
)
def test_sizes_are_shown(size: int, text: str) -> None:
    assert show_size(size) == text


@given(st.integers(1, 1 << 44))
def test_a_size_shown_can_be_read_again(size: int) -> None:
    assert parse_size(show_size(size), "memory") == pytest.approx(size, rel=0.51)
    assert parse_size(str(size), "memory") == size


def dataclasses() -> list[type]:
    return [kind for kind in vars(config).values() if is_dataclass(kind) and isinstance(kind, type)]


def test_options_are_frozen_and_named_once() -> None:
    kinds = [
        kind for kind in dataclasses() if kind not in (PhrasesConfig, TextConfig)
    ]  # no command takes both min_count, of words and of phrases, or counts a corpus and is asked for a text
    names = [name for kind in kinds for name in kind.__annotations__]  # RunConfig has those of BuildConfig too
    assert len(dataclasses()) == 12
    assert len(names) == len(set(names)) > 25
    with pytest.raises(FrozenInstanceError):
        TrainConfig().dim = 3  # type: ignore[misc]


def preset_options(preset: str, kind: type) -> dict[str, Any]:
    """Options of a preset that belong to a dataclass."""
    names = {entry.name for entry in fields(kind)}
    return {key: value for key, value in PRESETS[preset].items() if key in names}


def test_secrets_of_spark_are_not_among_what_is_saved() -> None:
    given = ("spark.hadoop.fs.s3a.secret.key=hidden", "spark.ui.port=4041", "spark.ssl.keyPassword=hidden")
    found = resolved(SparkConfig(spark_conf=given, spark_remote="sc://host:1/;token=hidden"))
    assert found["spark_conf"] == ("spark.ui.port=4041",)
    assert found["spark_remote"] == "sc://host:1"


def test_presets_hold_possible_options_only() -> None:
    assert set(PRESETS) == set(get_args(Preset))
    names = {entry.name for kind in (VocabularyConfig, PairsConfig, TrainConfig) for entry in fields(kind)}
    for preset, options in PRESETS.items():
        assert set(options) <= names
        assert options == {
            **preset_options(preset, PairsConfig),
            **preset_options(preset, TrainConfig),
        }
        TrainConfig(**{**preset_options(preset, TrainConfig), "preset": preset})
    assert TrainConfig(**preset_options("simpler-glove", TrainConfig)).passes == TrainConfig().epochs == 15


def test_the_defaults_and_the_published_settings() -> None:
    assert (TrainConfig().x_max, TrainConfig().alpha, TrainConfig().learning_rate) == (1000.0, 0.5, 0.1)
    published = PRESETS["simpler-glove"]
    assert [published[name] for name in ("x_max", "alpha", "count_power", "all_pairs_weight")] == [100, 0.75, 1, 0]
    assert TrainConfig().passes == TrainConfig().sweeps


def test_the_manifest_gets_what_decides_content_and_not_the_input() -> None:
    merged = config.content_config(CorpusConfig(input=("a",), lowercase=True), PairsConfig(window_size=3))
    assert merged == {
        "column": None,
        "where": None,
        "normalize": "none",
        "document_break": "line",
        "tokenizer": "whitespace",
        "lowercase": True,
        "on_bad_bytes": "error",
        "on_bad_file": "error",
        "window_size": 3,
        "distance_weighting": "harmonic",
        "unknown_words": "drop",
        "subsample": None,
        "num_shards": None,
    }
    assert not {entry.name for kind in (RunConfig, SparkConfig) for entry in fields(kind)} & set(merged)
