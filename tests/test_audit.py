"""The audit of dependencies in .ci/run: fails on what is found, and says plainly when nothing can be known."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CI = Path(__file__).parent.parent / ".ci"
SAFE = {"name": "numpy", "version": "2.4.6", "vulns": []}
BAD = {
    "name": "requests",
    "version": "2.0.0",
    "vulns": [{"id": "PYSEC-2023-74", "fix_versions": ["2.31.0"]}, {"id": "GHSA-x", "fix_versions": []}],
}
UNKNOWN = {"name": "simglove-spark", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", CI / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(folder: Path, out: str, err: str, code: int) -> str:
    """A pip-audit that says this and ends so; it must be asked for JSON of a folder."""
    path = folder / "pip-audit"
    (folder / "out").write_text(out)
    (folder / "err").write_text(err)
    wanted = "--format json --progress-spinner off --path packages"
    path.write_text(
        f'#!/bin/sh\n[ "$*" = "{wanted}" ] || exit 99\ncat {folder}/out; cat {folder}/err >&2; exit {code}\n'
    )
    path.chmod(0o755)
    return str(path)


def found(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("out", "err", "code", "expected", "said"),
    [
        (found(SAFE, UNKNOWN), "", 0, 0, "1 packages are audited, 1 are unknown: 0 vulnerabilities.\n"),
        (found(SAFE, BAD), "Found 2", 1, 1, "2 packages are audited, 0 are unknown: 2 vulnerabilities.\n"),
        (found(BAD), "", 0, 1, "1 packages are audited, 0 are unknown: 2 vulnerabilities.\n"),
        (found(UNKNOWN), "", 0, 0, "SKIPPED: the audit of dependencies. The database knows none of 1 packages. "),
        (
            "",
            "x\nrequests.exceptions.ConnectionError: no",
            1,
            0,
            "SKIPPED: the audit of dependencies. pip-audit's database",
        ),
        (
            "",
            "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\nTip: your network may be blocking this service",
            1,
            0,
            "SKIPPED: ",
        ),
        ("", "error: unrecognized arguments", 2, 2, ""),
        ("", "", 0, 1, ""),
        ("[]", "half", 3, 3, ""),
    ],
)
def test_what_pip_audit_says_decides(
    audit: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    out: str,
    err: str,
    code: int,
    expected: int,
    said: str,
) -> None:
    assert audit.audit(program(tmp_path, out, err, code), "packages") == expected
    told = capsys.readouterr()
    assert told.out.startswith(said)
    assert bool(told.err) == (expected != 0)


def test_each_vulnerability_is_named(audit: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.judge([SAFE, BAD]) == 1
    assert capsys.readouterr().err == (
        "requests 2.0.0 has PYSEC-2023-74; mended in: 2.31.0\nrequests 2.0.0 has GHSA-x; mended in: none yet\n"
    )


def test_without_pip_audit_that_is_said(audit: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.audit(str(tmp_path / "pip-audit"), "packages") == 0
    assert capsys.readouterr().out.startswith("SKIPPED: the audit of dependencies. There is no ")


def test_the_build_check_audits_what_the_tests_ran_with() -> None:
    [line] = [line for line in (CI / "run").read_text().splitlines() if "audit.py" in line]
    assert re.match(r'python3 \.ci/audit\.py \.venv-audit/bin/pip-audit "\$\(\.venv-test/bin/python -c ', line)
