"""The notebooks: how they are built, that they are stamped, and that `Run all` goes through."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipywidgets")

from run_notebook import NOTEBOOKS, override, run_notebook, tagged

from memegen.base.downloads import asset
from memegen.media.video import open_video, write_video

ROOT = NOTEBOOKS.parent
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
FIRST = NOTEBOOKS / "01_make_a_meme.ipynb"
MOST_CELLS = {"01_make_a_meme.ipynb": 8}
MOST_LINES = 12
FORBIDDEN = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.AsyncFor, ast.While, ast.If, ast.Try,
)  # fmt: skip
PEAK = "__import__('resource').getrusage(__import__('resource').RUSAGE_SELF).ru_maxrss"
if sys.platform == "linux":  # where the number above begins with that of the process that started this one
    PEAK = "next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))"

each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def stamp() -> ModuleType:
    """The script notebooks/stamp.py."""
    spec = spec_from_file_location("stamp", NOTEBOOKS / "stamp.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


def own_code(path: Path) -> list[Any]:
    """The code cells but for the set-up cell."""
    return [cell for cell in read(path).cells if cell.cell_type == "code" and "set-up" not in tags(cell)]


def test_there_are_five() -> None:
    names = ["01_make_a_meme", "02_step_by_step", "03_inside_the_model", "04_swap_faces", "05_real_or_fake"]
    assert [path.stem for path in PATHS] == names


@each
def test_few_short_cells(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert 2 <= len(cells) <= MOST_CELLS.get(path.name, 16)
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert 1 <= len(lines) <= MOST_LINES, cell.source
        assert max(map(len, lines)) <= 120, cell.source


@each
def test_they_import_the_public_package_only(path: Path) -> None:
    for cell in own_code(path):
        for node in ast.walk(ast.parse(cell.source)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            own = {name for name in names if name.startswith("memegen")}
            assert own <= {"memegen", "memegen.preview", "memegen.swap"}, cell.source


@each
def test_nothing_but_calls_and_assignments(path: Path) -> None:
    for cell in own_code(path):
        assert not re.search(r"^\s*[!%]|<style|<script", cell.source, re.MULTILINE), cell.source
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, FORBIDDEN), f"{path.name}: a function is missing in the package:\n{cell.source}"


@each
def test_form_cells_only_assign(path: Path) -> None:
    forms = [cell for cell in own_code(path) if "@param" in cell.source or "parameters" in tags(cell)]
    assert path.name != "01_make_a_meme.ipynb" or len(forms) == 1
    for cell in forms:
        assert "parameters" in tags(cell), f"not tagged `parameters`:\n{cell.source}"
        for node in ast.parse(cell.source).body:
            assert isinstance(node, ast.Assign), cell.source
            ast.literal_eval(node.value)


def test_nobody_has_to_see_the_code_of_the_first() -> None:
    cells = read(FIRST).cells
    assert [cell.cell_type for cell in cells] == ["markdown", *["code"] * 4]
    assert tags(cells[0]) == ["notebook-only"]  # as an app the form stands alone
    settings = json.loads((NOTEBOOKS / "jupyter/voila.json").read_text("utf-8"))
    assert settings["TagRemovePreprocessor"] == {"enabled": True, "remove_cell_tags": ["notebook-only"]}
    assert read(FIRST).metadata.title == "Make a photo sing"
    for cell in cells[1:]:
        assert cell.source.startswith("# @title ")


@each
def test_the_code_that_nobody_has_to_see_is_hidden(path: Path) -> None:
    for cell in read(path).cells:
        hidden = cell.cell_type == "code" and (path == FIRST or "set-up" in tags(cell))
        for place, name in ((cell.metadata, "cellView"), (cell.metadata, "_kg_hide-input")):
            assert (name in place) == hidden
        assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == hidden


@each
def test_every_code_cell_has_a_title_and_a_sentence(path: Path) -> None:
    cells = read(path).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    if path == FIRST:  # its form has titles of its own
        return
    for before, cell in itertools.pairwise(cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", f"{path.name}: no text above\n{cell.source}"
            title, _, prose = before.source.partition("\n")
            assert re.match(r"#{1,4} \S", title), f"{path.name}: no title above\n{cell.source}"
            assert re.search(r"\w{2,}.*[.?!:)*_`$]", prose), f"{path.name}: no sentence below {title}"


@each
def test_kept_without_outputs(path: Path) -> None:
    notebook = read(path)
    assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert "widgets" not in notebook.metadata
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)
        assert not re.search(r"(?<![\w.])/wor[k]/", cell.source)


# The stamp


@each
def test_one_set_up_cell_and_it_comes_first(path: Path, stamp: ModuleType) -> None:
    [cell] = tagged(read(path), "set-up")
    assert cell is not None
    assert cell.source == stamp.set_up(stamp.recorded())
    first = next(cell for cell in read(path).cells if cell.cell_type == "code")
    assert first.id == cell.id


def test_everything_is_stamped(stamp: ModuleType) -> None:
    for path, text in stamp.pages(stamp.recorded()).items():
        assert path.read_text("utf-8") == text, f"{path.name} is out of date: run `make notebooks`"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone with the files of this checkout as they are, without a remote."""
    folder = tmp_path_factory.mktemp("clone") / "memes"
    (folder / "notebooks").mkdir(parents=True)
    for path in (ROOT / "README.md", ROOT / "pyproject.toml", NOTEBOOKS / "stamp.py", *PATHS):
        (folder / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    git(folder, "init", "-q", "-b", "main")
    return folder


def git(folder: Path, *words: str) -> None:
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)


def stamp_again(folder: Path) -> tuple[str, str, str]:
    """Stamp a clone; return its README, its first notebook and its pyproject.toml."""
    subprocess.run([sys.executable, "notebooks/stamp.py"], cwd=folder, check=True, capture_output=True)
    names = ("README.md", f"notebooks/{FIRST.name}", "pyproject.toml")
    readme, notebook, about = ((folder / name).read_text("utf-8") for name in names)
    return readme, notebook, about


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/ada/memes.git", "git@github.com:ada/memes.git", "ssh://git@github.com/ada/memes",
        "https://ada:secret@github.com/ada/memes/", "ssh://git@github.com:22/ada/memes.git",
    ],
)  # fmt: skip
def test_a_fresh_clone_gets_the_badges_of_its_remote(copy: Path, remote: str) -> None:
    git(copy, "remote", "add", "origin", remote)
    try:
        readme, notebook, about = stamp_again(copy)
    finally:
        git(copy, "remote", "remove", "origin")
    for page in (readme, notebook):
        assert f"https://colab.research.google.com/github/ada/memes/blob/main/notebooks/{FIRST.name})" in page
        assert f"kernels/welcome?src=https://github.com/ada/memes/blob/main/notebooks/{FIRST.name})" in page
        assert f"https://mybinder.org/v2/gh/ada/memes/main?urlpath=lab/tree/notebooks/{FIRST.name})" in page
        assert "secret" not in page
    assert 'memegen-sings[notebook,signing] @ git+https://github.com/ada/memes\\"' in notebook
    assert 'Repository = "https://github.com/ada/memes"\n' in about
    assert stamp_again(copy) == (readme, notebook, about)  # what was recorded stays where git knows no address


def test_a_tagged_version_is_installed_from_its_wheel(copy: Path) -> None:
    git(copy, "remote", "add", "origin", "https://github.com/eve/memes")
    git(copy, "commit", "--allow-empty", "-q", "-m", "Release")
    git(copy, "tag", "v0.1.0")
    _, notebook, about = stamp_again(copy)
    git(copy, "remote", "remove", "origin")
    git(copy, "tag", "-d", "v0.1.0")
    wheel = "https://github.com/eve/memes/releases/download/v0.1.0/memegen_sings-0.1.0-py3-none-any.whl"
    assert f"memegen-sings[notebook,signing] @ {wheel}" in notebook
    assert f'Download = "{wheel}"\n' in about


def test_without_an_address_there_are_no_dead_badges(stamp: ModuleType) -> None:
    for path, text in stamp.pages(stamp.Source()).items():
        assert "mybinder.org" not in text, path.name
        assert "your--name" not in text, path.name
    assert "Open this notebook in its folder of a copy" in stamp.set_up(stamp.Source())


def test_outputs_and_widgets_are_stripped(stamp: ModuleType) -> None:
    notebook = read(PATHS[0])
    notebook.metadata["widgets"] = {"state": {}}
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="x")]
    notebook.cells[2].execution_count = 3
    again = stamp.stamped(nbformat.writes(notebook), stamp.recorded(), PATHS[0].name)
    assert again == PATHS[0].read_text("utf-8")


# The set-up cell


SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.register_magic_function(lambda line: print(line), magic_name="pip")
if sys.argv[2] == "missing":
    sys.modules["memegen"] = None
shell.run_cell(sys.argv[1], silent=True).raise_error()
"""


def run_set_up(source: str, folder: Path, *, missing: bool) -> str:
    """Run the set-up cell in IPython, and return what it would give to pip."""
    command = [sys.executable, "-c", SHELL, source, "missing" if missing else "installed"]
    env = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_set_up_is_one_line_of_pip(stamp: ModuleType) -> None:
    for source in (stamp.Source(), stamp.Source("https://github.com/ada/memes")):
        assert len(stamp.set_up(source).splitlines()) <= 6
        assert stamp.set_up(source).count("%pip") == 1


def test_set_up_does_nothing_where_memegen_is(stamp: ModuleType, tmp_path: Path) -> None:
    assert run_set_up(stamp.set_up(stamp.recorded()), tmp_path, missing=False) == ""


def test_set_up_installs_from_the_address(stamp: ModuleType, tmp_path: Path) -> None:
    said = run_set_up(stamp.set_up(stamp.Source("https://github.com/ada/memes")), tmp_path, missing=True)
    assert shlex.split(said) == ["install", "-q", "memegen-sings[notebook,signing] @ git+https://github.com/ada/memes"]


def test_set_up_installs_from_the_checkout_while_there_is_no_address(stamp: ModuleType, tmp_path: Path) -> None:
    words, said = run_set_up(stamp.set_up(stamp.Source()), tmp_path, missing=True).splitlines()
    assert words.startswith("Open this notebook in its folder")
    assert shlex.split(said) == ["install", "-q", "..[notebook,signing]"]
    assert (NOTEBOOKS / ".." / "pyproject.toml").is_file()


# Run all


def test_run_all_makes_a_meme_of_the_bundled_portrait(tmp_path: Path) -> None:
    ask = {"duration": "form.meme.duration", "sound": "form.meme.has_audio", "peak": PEAK}
    said = run_notebook("01_make_a_meme.ipynb", tmp_path, values={"SECONDS": 1}, ask=ask)
    assert float(said["duration"]) == pytest.approx(1.0, abs=0.05)
    assert said["sound"] == "True"
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(said["peak"]) * unit < 1e9


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.name for path in PATHS[1:]])
def test_run_all_goes_through(name: str, tmp_path: Path) -> None:
    values: dict[str, object] = {}
    if name.startswith(("03", "04")):
        pytest.importorskip("torch")
    if name.startswith("04"):  # the sample's face, two seconds of a body, and a training that is over at once
        clip = open_video(asset("templates/daisy-bell.mp4"), start=2.0, duration=2.0)
        body = write_video(tmp_path / "body.mp4", clip.frames(), fps=clip.fps, audio=clip)
        values = {"BODY_FROM": str(body.path), "BOTH_PEOPLE_AGREED": True, "MINUTES": 0.05}
    run_notebook(name, tmp_path, values=values, ask={})


def test_parameters_are_overridden() -> None:
    assert override('A = ""  # @param\nB = 2', {"A": "x.jpg"}) == "A = 'x.jpg'\nB = 2"
