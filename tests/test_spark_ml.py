"""SimplerGlove where Word2Vec stood: its examples, the same model as the commands', saved and loaded alone and in a pipeline."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simglove_spark.cli import main
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.vectors import Vectors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from simglove_spark.spark_vectors.ml import SimplerGloveModel

pytestmark = pytest.mark.spark
OPTIONS: dict[str, Any] = {"worker_memory": "64m", "num_shards": 3, "count_power": 1.0}
PARAMS: dict[str, Any] = {"vectorSize": 6, "minCount": 0, "windowSize": 3, "maxIter": 2, "seed": 5, "options": OPTIONS}


@pytest.fixture(scope="module")
def texts(spark: "SparkSession", small_text: bytes) -> "DataFrame":
    rows = [(number, line, line.split()) for number, line in enumerate(small_text.decode().split("\n"))]
    return spark.createDataFrame([*rows, (-1, None, None)], "n int, body string, words array<string>").coalesce(2)


@pytest.fixture(scope="module")
def model(texts: "DataFrame", tmp_path_factory: pytest.TempPathFactory) -> "SimplerGloveModel":
    from simglove_spark.spark_vectors.ml import SimplerGlove

    shared = tmp_path_factory.mktemp("shared")
    stage = SimplerGlove(inputCol="words", outputCol="features", workDir=str(shared / "work"), **PARAMS)
    return stage.fit(texts)


def vectors_of(frame: "DataFrame") -> dict[int, list[float] | None]:
    return {row.n: None if row.features is None else row.features.toArray().tolist() for row in frame.collect()}


def test_the_model_is_that_of_the_commands(model: "SimplerGloveModel", tmp_path: Path, small_text: bytes) -> None:
    (tmp_path / "corpus.txt").write_bytes(small_text)
    command = (
        f"run --input {tmp_path}/corpus.txt --output {tmp_path}/run --dim 6 --min-count 1 --window-size 3 --sweeps 2"
    )
    assert (
        main([*command.split(), *["--seed", "5", "--count-power", "1", "--num-shards", "3", "--worker-memory", "64m"]])
        == 0
    )
    expected = Vectors.load(tmp_path / "run" / "vectors")
    assert list(model.vectors.words) == list(expected.words)
    assert np.array_equal(model.vectors.matrix, expected.matrix)
    assert sorted(path.name for path in model.folder.parent.iterdir()) == ["vectors"]  # the counts are gone


def test_transform_is_as_word2vec_has_it(model: "SimplerGloveModel", texts: "DataFrame") -> None:
    known, session = model.vectors, texts.sparkSession
    rows = [tuple(row) for row in texts.limit(20).collect()]
    odd = [
        (-1, None, None),
        (-2, "nowhere", ["nowhere", None]),
        (-3, "", []),
        (-4, "nowhere", [known.words[0], "nowhere"]),
    ]
    given = session.createDataFrame([*rows, *odd], texts.schema)
    found = vectors_of(model.transform(given))
    for number, _, words in rows:
        total = np.sum([known[word] for word in words], axis=0, dtype=np.float64) if words else np.zeros(6)
        assert np.allclose(found[number] or [], total / max(1, len(words)))
    assert found[-1] is None and found[-2] == found[-3] == [0.0] * 6
    assert np.allclose(found[-4] or [], known.matrix[0] / 2)
    summed = vectors_of(model.copy().setCombine("sum").setInputCol("body").transform(given))
    for number, _, words in rows:
        assert np.allclose(summed[number] or [], np.sum([np.zeros(6), *(known[word] for word in words)], axis=0))


def test_vectors_and_synonyms(model: "SimplerGloveModel") -> None:
    known = model.vectors
    rows = model.getVectors().collect()
    assert {row.word: row.vector.toArray().tolist() for row in rows} == {w: known[w].tolist() for w in known.words}
    word = known.words[3]
    found = model.findSynonyms(word, 4)
    assert found.dtypes == [("word", "string"), ("similarity", "double")]
    assert [tuple(row) for row in found.collect()] == model.findSynonymsArray(word, 4)
    assert model.findSynonymsArray(word, 4) == known.most_correlative(word, 4, normalize=True)
    assert model.findSynonymsArray(rows[3].vector, 1)[0][0] == rows[3].word
    with pytest.raises(InputError, match="word must be one of the vocabulary's 60; got 'nowhere'"):
        model.findSynonyms("nowhere", 4)


def test_saved_and_loaded_alone(model: "SimplerGloveModel", texts: "DataFrame", tmp_path: Path) -> None:
    from simglove_spark.spark_vectors.ml import SimplerGlove, SimplerGloveModel

    path = str(tmp_path / "a model")
    model.save(path)
    loaded = SimplerGloveModel.load(f"file://{path}")
    assert loaded.uid == model.uid
    assert loaded.getOptions() == OPTIONS and loaded.getSeed() == 5 and loaded.getVectorSize() == 6
    assert vectors_of(loaded.transform(texts)) == vectors_of(model.transform(texts))
    with pytest.raises(ConfigError) as caught:
        model.save(path)
    assert str(caught.value) == (
        f"path must be new, or a saved model to be overwritten; got other content ({path}). "
        "Give another, or write().overwrite().save(path)."
    )
    loaded.setCombine("sum").write().overwrite().save(path)  # onto itself
    assert SimplerGloveModel.load(path).getCombine() == "sum"
    assert np.array_equal(SimplerGloveModel.load(path).vectors.matrix, model.vectors.matrix)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    with pytest.raises(ConfigError, match="path must be new"):
        model.write().overwrite().save(str(tmp_path / "mine"))
    with pytest.raises(ConfigError, match="folder must lie in this machine's file systems; got 's3a"):
        model.save("s3a://bucket/model")
    with pytest.raises(InputError, match="vectors must be a complete table"):
        SimplerGloveModel.load(str(tmp_path / "mine"))
    SimplerGlove(**PARAMS).save(str(tmp_path / "stage"))
    assert SimplerGlove.load(str(tmp_path / "stage"))._configs() == SimplerGlove(**PARAMS)._configs()


def test_in_a_pipeline_with_a_stage_of_sparks(texts: "DataFrame", tmp_path: Path) -> None:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.feature import Normalizer

    from simglove_spark.spark_vectors.ml import SimplerGlove

    params = {**PARAMS, "options": {**OPTIONS, "lowercase": True}}
    stage = SimplerGlove(inputCol="body", outputCol="raw", **params)
    pipeline = Pipeline(stages=[stage, Normalizer(inputCol="raw", outputCol="features")])
    pipeline.save(str(tmp_path / "pipeline"))
    some = texts.where("n >= 0")
    fitted = Pipeline.load(str(tmp_path / "pipeline")).fit(some)
    fitted.save(str(tmp_path / "fitted"))
    found = vectors_of(PipelineModel.load(str(tmp_path / "fitted")).transform(some))
    assert found == vectors_of(fitted.transform(some))
    shouted = some.selectExpr("n", "upper(body) AS body")  # texts become words as those of the corpus did
    assert found == vectors_of(PipelineModel.load(str(tmp_path / "fitted")).transform(shouted))
    assert np.allclose(np.linalg.norm(found[0] or []), 1)


def test_params_and_what_is_refused(texts: "DataFrame", tmp_path: Path) -> None:
    from simglove_spark.spark_vectors.ml import SimplerGlove

    stage = SimplerGlove().setVectorSize(7).setMinCount(3).setWindowSize(4).setSeed(2).setPreset("simpler-glove")
    counting, training, _ = stage.setMaxIter(9).setOptions({"x_max": 50.0, "threads": 1}).setWorkDir("w")._configs()
    assert counting == {"min_count": 3, "window_size": 4, "distance_weighting": "flat"}
    assert (training.dim, training.seed, training.passes, training.x_max, training.solver) == (7, 2, 9, 50.0, "adagrad")
    for params, message in (
        ({"stepSize": 0.1}, r"param must be one of .*vectorSize.*; got 'stepSize'\. Check its name\."),
        ({"preset": "best"}, r"preset must be one of default, simpler-glove, glove; got 'best'"),
        ({"combine": "max"}, r"combine must be one of mean, sum; got 'max'\. Use mean\."),
        ({"options": {"dim": 3}}, r"options must leave out what params say; got dim\. Set the param instead\."),
        ({"options": {"solver": "x"}}, r"solver must be one of rows, adagrad; got 'x'"),
        ({"options": {"nothing": 1}}, r"option must be one of .*; got 'nothing'"),
        ({"inputCol": "nowhere"}, r"--column must name a column; got 'nowhere'"),
        ({"minCount": 10**6}, r"with --min-count 1000000"),
    ):
        with pytest.raises((ConfigError, InputError), match=message):
            SimplerGlove(**{"inputCol": "words", "workDir": str(tmp_path), **params}).fit(texts)
    with pytest.raises(ConfigError, match=r"inputCol must be set; got none\."):
        SimplerGlove().fit(texts)
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_word2vec_runs(spark: "SparkSession") -> None:
    """Spark's word2vec_example.py, with the class exchanged."""
    from simglove_spark.spark_vectors.ml import SimplerGlove

    documents = spark.createDataFrame(
        [
            (["Hi", "I", "heard", "about", "Spark"],),
            (["I", "wish", "Java", "could", "use", "case", "classes"],),
            (["Logistic", "regression", "models", "are", "neat"],),
        ],
        ["text"],
    )
    word2vec = SimplerGlove(vectorSize=3, minCount=0, inputCol="text", outputCol="result")
    result = word2vec.fit(documents).transform(documents)
    assert [len(vector) for _, vector in result.collect()] == [3, 3, 3]


def test_the_examples_in_the_readme_run(
    texts: "DataFrame", model: "SimplerGloveModel", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["king", "queen", *model.vectors.words[:20]]
    matrix = np.random.default_rng(1).standard_normal((len(words), 4))
    Vectors(words, matrix, np.arange(len(words), 0, -1)).save(tmp_path / "runs" / "first" / "vectors")
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    examples = [
        part.partition("```")[0] for part in readme.split("```python\n") if "spark_vectors" in part.partition("```")[0]
    ]
    assert len(examples) == 2
    monkeypatch.chdir(tmp_path)
    kings = texts.sparkSession.createDataFrame([("king queen " * 10,), (None,)], "body string")
    known: dict[str, Any] = {"df": kings, "spark": texts.sparkSession}
    for example in examples:
        exec(example, known)
    assert known["found"].count() == known["asked"].count() == 2
    assert known["near"].count() == 10 * len(words)
