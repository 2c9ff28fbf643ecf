"""The pages that people read first: README, CONTRIBUTING and docs/ are short, and what they name exists."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest

import memegen
from memegen import cli

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".github").rglob("*.md")]
MOST_WORDS = 900
THEIRS = ("numpy", "imageio", "gdown", "torch", "face-alignment", "ipywidgets", "matplotlib", "moviepy")
IMPORTED = {"face-alignment": "face_alignment"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The shell commands of a page, each as its words."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def parser_of(command: str) -> argparse.ArgumentParser:
    [several] = [action for action in cli._parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return several.choices[command]


def flags_of(command: str) -> set[str]:
    return {flag for action in parser_of(command)._actions for flag in action.option_strings}


def anchors(page: Path) -> set[str]:
    """The names under which the headings of a page can be linked to."""
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def installed_by() -> dict[str, str]:
    """What installs a package: "base" or the first extra that lists it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"base": project["dependencies"], **project["optional-dependencies"]}
    found: dict[str, str] = {}
    for group, lines in groups.items():
        for line in lines:
            found.setdefault(re.split(r"[<>=\[;]", line)[0], group)
    return found


def test_the_readme_is_short() -> None:
    assert len(text_of(README).split()) <= MOST_WORDS


def test_the_readme_begins_with_what_it_is_and_a_picture() -> None:
    text = text_of(README)
    picture, run_all, two = text.index("](docs/daisy-bell.webp)"), text.index("## Run all"), text.index("make demo")
    assert text.index("memegen makes a photo sing") < picture < run_all < two


@pytest.mark.parametrize("package", THEIRS)
def test_the_table_says_what_each_package_does(package: str) -> None:
    [row] = re.findall(rf"^\| {package} \|.*$", text_of(README), re.MULTILINE)
    group, work, where = (cell.strip() for cell in row.strip("|").split("|")[1:])
    assert group.split(",")[0].strip("`") == installed_by()[package]
    assert len(work.split()) >= 3
    place = ROOT / re.findall(r"`([^`]+)`", where)[0]
    files = [place] if place.is_file() else list(place.rglob("*.py"))
    pattern = rf"^\s*(import|from) {IMPORTED.get(package, package)}\b"
    assert any(re.search(pattern, text_of(file), re.MULTILINE) for file in files), f"nothing in {place} imports it"


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        if not re.match(r"[a-z]+:", target):
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(there), f"{there.name} has no heading #{anchor}"


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    named = r"`((?:memegen|tests|docs|assets|notebooks|benchmarks|binder)/[\w./-]+)`"
    for name in re.findall(named, text_of(page)):
        assert "NAME" in name or (ROOT / name).exists(), f"{page.name} names {name}"


@each_page
def test_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for program, *words in [*commands(page), *map(str.split, re.findall(r"`(make [^`]+)`", text_of(page)))]:
        if program == "make":
            assert set(words) <= targets, f"{page.name}: make {words}"
        elif program == "pip":
            assert {extra for word in words for extra in re.findall(r"\[(\w+)\]", word)} <= extras.keys()
        elif program == "memegen":
            command, *rest = words
            flags = {word.partition("=")[0] for word in rest if word.startswith("-")}
            assert flags <= flags_of(command), f"{page.name}: memegen {words}"
            parser_of(command).parse_args(rest)


@each_page
def test_flags_that_are_named_exist(page: Path) -> None:
    every = {"--help", "--version"}.union(*map(flags_of, ("make", "batch", "swap", "inspect", "checkpoints", "demo")))
    others = r"`(?:python|PYTHONPATH|pip|\.venv|--extra)[^`]*`"  # of other programs
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    named = re.findall(r"(?<![\w`-])`(?:memegen \w+ )?(--[a-z][\w-]+)", re.sub(others, "", text))
    if page.name not in ("BENCHMARKS.md", "CHANGELOG.md"):  # which name flags of scripts and of older versions
        assert set(named) <= every, f"{page.name}: {set(named) - every}"


@each_page
def test_python_in_the_pages_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "memegen":
                assert node.attr in {*memegen.__all__, "preview"}, f"{page.name}: memegen.{node.attr}"


def test_the_versions_of_ruff_agree() -> None:
    [pinned] = re.findall(r"^ruff==(\S+)$", text_of(ROOT / "requirements.txt"), re.MULTILINE)
    assert f"rev: v{pinned}" in text_of(ROOT / ".pre-commit-config.yaml")


def test_github_runs_the_same_tests() -> None:
    workflow = text_of(ROOT / ".github" / "workflows" / "test.yml")
    assert re.findall(r"run: (.+)", workflow) == ["make test", "make colab oldest"]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    minors = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    assert f"python: {minors}".replace("'", '"') in workflow


def test_issues_ask_for_the_file_and_the_message() -> None:
    form = text_of(ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml")
    assert {"message", "file"} <= set(re.findall(r"^    id: (\w+)$", form, re.MULTILINE))
    assert form.count("required: true") == form.count("- type:")
