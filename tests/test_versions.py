"""The versions that `make colab` and `make oldest` test with are those that Colab has and pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = ("notebook", "heif", "signing")  # those of torch are several gigabytes in their oldest versions


def pins(name: str) -> dict[str, str]:
    """The versions in a file of tests/versions, by the names of the packages."""
    lines = (ROOT / "tests" / "versions" / name).read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def asked(*extras: str) -> list[Requirement]:
    """What the package asks for, by itself and with some extras."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("one", asked(*EXTRAS), ids=lambda one: one.name)
def test_the_oldest_are_those_of_pyproject(one: Requirement) -> None:
    [floor] = one.specifier
    assert floor.operator == ">="
    oldest = Version(pins("oldest-3.11.txt")[one.name])
    assert oldest >= Version(floor.version)
    asked_release = Version(floor.version).release
    assert oldest.release[: len(asked_release)] == asked_release, f"the oldest {one.name} is not {floor.version}"


@pytest.mark.parametrize("name", ["colab.txt", "oldest-3.11.txt"])
def test_every_version_is_given_once(name: str) -> None:
    lines = (ROOT / "tests" / "versions" / name).read_text("utf-8").splitlines()
    names = [line.partition("==")[0] for line in lines if line and not line.startswith("#")]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[\w-]+==[\w.+-]+", line) for line in lines if line and not line.startswith("#"))
