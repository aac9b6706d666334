"""Dockerfile, compose file and entrypoint without Docker: as their own linters and Docker Compose read them."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from composed import ROOT, TOOLS, services

DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()


def output_of(*command: object) -> str:
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def test_the_dockerfile_is_clean() -> None:
    assert output_of(TOOLS / "hadolint", "--no-color", DOCKER / "Dockerfile") == ""


def test_hadolint_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.replace(" --no-cache-dir", ""))
    assert "DL3042" in output_of(TOOLS / "hadolint", "--no-color", tmp_path / "Dockerfile")


def test_the_entrypoint_is_clean_and_can_be_run() -> None:
    assert output_of(TOOLS / "shellcheck", "--shell", "sh", DOCKER / "entrypoint.sh") == ""
    assert (DOCKER / "entrypoint.sh").stat().st_mode & 0o111 == 0o111


def test_the_compose_file_has_what_the_readme_says() -> None:
    found = services()
    assert set(found) == {"master", "worker", "history", "store", "road"}
    assert found["worker"]["deploy"]["replicas"] == 2
    for service in found.values():  # reached from this machine alone, without rights, with a limit of memory
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", []))
        assert service["cap_drop"] == ["ALL"]
        assert service["mem_limit"]
        assert service["build"]["dockerfile"] == "docker/Dockerfile"


@pytest.mark.parametrize("broken", [("command:", "comand:"), ("mem_limit: 3g", "mem_limit: much")])
def test_compose_refuses_what_is_wrong(tmp_path: Path, broken: tuple[str, str]) -> None:
    (tmp_path / "compose.yaml").write_text((DOCKER / "compose.yaml").read_text().replace(*broken))
    ended = subprocess.run(
        [TOOLS / "docker-compose", "--file", tmp_path / "compose.yaml", "config", "--quiet"],
        capture_output=True,
        check=False,
    )
    assert ended.returncode != 0


def test_an_executor_and_its_worker_fit_into_the_container() -> None:
    found, gib = services()["worker"], 1 << 30
    defaults = dict(
        line.split(maxsplit=1)
        for line in (DOCKER / "conf" / "spark-defaults.conf").read_text().splitlines()
        if line and line[0] != "#"
    )
    assert (defaults["spark.executor.memory"], found["environment"]["SPARK_WORKER_MEMORY"]) == ("1g", "1g")
    assert "--worker-memory=1g" in services()["road"]["command"]
    assert int(found["mem_limit"]) >= 2 * gib + (256 << 20)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)]
    for name in {name for names in copied for name in names}:
        assert (ROOT / name).exists(), name
        assert {name, f"{name}/*.md", name.partition("/")[0]} & allowed, name


def test_the_image_has_the_stated_versions() -> None:
    stated = re.search(r"^ARG SPARK_VERSION=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert stated is not None
    assert f"| {stated[1]} |" in (ROOT / "docs" / "cluster.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = project["requires-python"].removeprefix(">=")
    assert set(re.findall(r"^FROM python:(\S+)-slim", DOCKERFILE, re.MULTILINE)) == {least}
