"""The package as a whole: imports go one way, functions stay short, nothing dangerous, and the wheel carries all."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import memegen
from memegen.media.video import open_video

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "memegen"
ASSETS = ROOT / "assets"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 40  # lines of a function, its docstring aside

# The rooms, from the ground floor up, each with the rooms, or single modules, that its modules may import. Within a
# room modules import each other freely, only never in a circle. `look`, `provenance` and `preview` are side rooms: no
# core room needs them.
ROOMS = {
    "base": "",
    "media": "base",
    "face": "base media",
    "singer": "base media",
    "fomm": "base media face",
    "mesh": "base media face",
    "animator": "base media face fomm mesh",
    "templates": "base media singer",
    "look": "base media face",
    "provenance": "base media templates",
    "preview": "base media face fomm mesh.explain swap",
    "meme": "base media singer face fomm animator templates look provenance",
    "swap": "base media face look provenance meme",
    "batch": "base media singer animator templates meme",
    "cli": "base media singer face fomm animator templates look provenance meme swap batch",
    "widgets": "base media singer face fomm animator templates look provenance preview meme swap batch",
    "__init__": "base media face animator templates look provenance meme swap batch widgets",
    "__main__": "cli",
}
PROCESSES = {"subprocess", "multiprocessing", "pty"}
ENTRIES = 18  # at the top of the package: what one look can take in


def name_of(path: Path) -> str:
    """The dotted name of a module inside the package: `mesh.warp`, `__init__`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def is_module(name: str) -> bool:
    """Whether a dotted name is a module or a folder of modules of the package."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports_of(path: Path) -> set[str]:
    """Which modules of the package a module imports, wherever in it: names inside the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]  # a module of a room, or a name in one
            names = [name if is_module(name) else node.module or "" for name in inner]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.removeprefix("memegen.") for name in names if name.startswith("memegen.")}
    return found


def code(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def parametrized(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


def room_of(name: str) -> str:
    return name.partition(".")[0]


def test_every_module_has_its_room() -> None:
    assert {room_of(name_of(path)) for path in SOURCES} == set(ROOMS)
    no_code = ("__pycache__", "assets", "py.typed")
    assert len([path for path in PACKAGE.iterdir() if path.name not in no_code]) <= ENTRIES


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down(room: str) -> None:
    allowed = {room, *ROOMS[room].split()}
    for path in SOURCES:
        if room_of(name_of(path)) == room:
            for other in imports_of(path):
                assert allowed & {other, room_of(other)}, f"{name_of(path)} must not import {other}"


def test_one_module_starts_programs_and_two_start_workers() -> None:
    for path in SOURCES:
        modules = {alias.name for node in code(path) if isinstance(node, ast.Import) for alias in node.names}
        modules |= {str(node.module) for node in code(path) if isinstance(node, ast.ImportFrom)}
        assert not modules & PROCESSES or name_of(path) in (
            "media.ffmpeg",
            "base.processes",
            "base.copies",
        ), path


def test_names_with_an_underscore_stay_at_home() -> None:
    for path in SOURCES:
        for node in code(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("memegen"):
                private = [a.name for a in node.names if a.name.startswith("_") and not a.name.endswith("__")]
                assert not private, f"{path}:{node.lineno} imports {private}"


def test_imports_never_go_in_a_circle() -> None:
    edges = {name_of(path).removesuffix(".__init__"): imports_of(path) for path in SOURCES}
    finished: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name not in finished:
            for other in edges.get(name, ()):
                follow(other, (*way, name))
            finished.add(name)

    for name in edges:
        follow(name, ())


@parametrized(SOURCES)
def test_nothing_dangerous_or_careless(path: Path) -> None:
    for node in code(path):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Assert), f"{where} asserts: raise an error that a user understands"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{where} catches everything"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pickle":
            assert node.attr == "UnpicklingError", f"{where} uses pickle"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "eval", "exec", "os.system", "pickle.load", "pickle.loads"), where
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("shell", "False") == "False", f"{where} runs a shell"
            assert given.get("allow_pickle", "False") == "False", f"{where} unpickles"
            assert called != "torch.load" or given.get("weights_only") == "True", f"{where} unpickles"


@parametrized(SOURCES)
def test_functions_are_short_and_public_ones_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            length = (node.end_lineno or 0) - node.lineno + 1 - docstring
            assert length <= LONGEST, f"{path}:{node.lineno} {node.name} has {length} lines"
    for node in public(tree):
        assert ast.get_docstring(node), f"{path}:{node.lineno} {node.name} has no docstring"


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """The public functions and classes of a module, and their methods; a network's class says what `forward` does."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            if child.name != "forward":
                yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def test_public_names_resolve() -> None:
    assert len(set(memegen.__all__)) == len(memegen.__all__)
    for name in memegen.__all__:
        assert name.isupper() or getattr(memegen, name).__module__.startswith("memegen."), name
    assert set(memegen.__all__) <= set(dir(memegen))
    with pytest.raises(AttributeError, match="has no attribute 'make_mem'"):
        memegen.make_mem  # noqa: B018


def test_errors_have_one_root() -> None:
    assert issubclass(memegen.NoFaceError, memegen.InputError)
    for name in ("InputError", "DownloadError", "OutputError", "UnavailableError"):
        assert issubclass(getattr(memegen, name), memegen.MemegenError)


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == memegen.__version__
    assert memegen.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_base_install_is_light_and_open_upwards() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=\[;]", line)[0] for line in project["dependencies"]}
    assert not names & {"torch", "torchvision", "opencv-python", "ipywidgets", "matplotlib", "moviepy", "scipy"}
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+(; .*)?", line) for line in project["dependencies"])
    assert {"fomm", "moviepy", "notebook", "landmarks", "heif", "signing", "dev"} <= set(
        project["optional-dependencies"]
    )


def assets() -> list[str]:
    """Every bundled file, relative to assets/."""
    files = (path for path in ASSETS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(ASSETS).as_posix() for path in files)


def test_notice_names_every_model_and_picture() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for name in assets():
        assert name.rpartition("/")[2] in notice, f"NOTICE does not say where assets/{name} comes from"
    for licence in re.findall(r"assets/models/LICENSE\.\w+", notice):
        assert (ROOT / licence).stat().st_size > 500


def test_no_page_names_a_place_that_only_we_have() -> None:
    pages = [*SOURCES, *ROOT.glob("*.md"), ROOT / "NOTICE", ROOT / "Makefile", *(ROOT / "tests").glob("*.py")]
    for page in pages:
        found = re.search(r"(?<![\w.])/wor[k]/", page.read_text(encoding="utf-8"))
        assert found is None, f"{page} names a folder of one machine"


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_carries_every_module_and_asset(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in assets():
            assert f"memegen/assets/{name}" in names
            assert archive.read(f"memegen/assets/{name}") == (ASSETS / name).read_bytes()
        for path in SOURCES:
            assert path.relative_to(ROOT).as_posix() in names
        assert any(name.endswith("LICENSE") for name in names)
        assert any(name.endswith("NOTICE") for name in names)
        assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "benchmarks/"))]
        [entries] = [name for name in names if name.endswith("entry_points.txt")]
        assert "memegen = memegen.cli:main" in archive.read(entries).decode()
    assert wheel.stat().st_size < 23e6  # the tiny networks of notebook 03 are 2.6 MB of it


@pytest.mark.slow
def test_the_wheel_sings_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "fresh")
    scripts = tmp_path / "fresh" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", scripts / "python"]  # one of its own would take seconds to install
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    outside |= {"HOME": str(tmp_path / "home"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def call(*words: str | Path) -> str:
        done = subprocess.run([*map(str, words)], cwd=folder, env=outside, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call(*pip, "install", "--quiet", "--no-compile", wheel)
    home = call(scripts / "python", "-c", "import memegen; print(memegen.__file__)")
    assert str(tmp_path / "fresh") in home
    assert "torch" not in call(*pip, "list", "--format", "freeze")
    said = call(scripts / "memegen", "demo")
    assert said.startswith("memegen-demo.mp4: 11.9 s with sound")
    clip = open_video(folder / "memegen-demo.mp4")
    assert clip.has_audio
    assert clip.duration == pytest.approx(11.92)
    assert [path.name for path in folder.iterdir()] == ["memegen-demo.mp4"]
