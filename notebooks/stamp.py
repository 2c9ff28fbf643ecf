"""Write what the notebooks share into them: the set-up cell, the badges, no outputs. `make notebooks` runs it.

The address of the repository stands in pyproject.toml and nowhere else; from there it goes into every set-up cell
(the one tagged `set-up`) and between the two marks of the badges, in the notebooks and in the README.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLACEHOLDER = "https://github.com/your--name/memegen"  # a name that nobody can have there: two hyphens in a row
FIRST = "01_make_a_meme.ipynb"
BADGES = re.compile(r"<!-- badges -->.*?<!-- /badges -->", re.DOTALL)

SET_UP = """\
import importlib, pathlib, subprocess, sys, tempfile

PACKAGE = "memegen[notebook,signing] @ git+{address}"
try:
    import matplotlib, memegen.widgets
except ImportError:
    here = [folder for folder in pathlib.Path("x").absolute().parents if (folder / "memegen/widgets").exists()]
    if not here and "your--name" in PACKAGE:
        raise RuntimeError("{unknown}") from None
    pip, pins = [sys.executable, "-m", "pip"], pathlib.Path(tempfile.mkdtemp(), "what-is-here-stays.txt")
    pins.write_bytes(subprocess.check_output([*pip, "list", "--format=freeze"]))
    subprocess.check_call([*pip, "install", "-q", "-c", pins, f"{{here[0]}}[notebook,signing]" if here else PACKAGE])
    importlib.invalidate_caches()
"""
UNKNOWN = "open this notebook in a checkout of memegen: no address to install from."


def address() -> str:
    """Where the repository is published, by pyproject.toml."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["urls"]["Repository"]).rstrip("/")


def set_up(repository: str) -> str:
    """The set-up cell for a repository's address, as text."""
    return SET_UP.format(address=repository, unknown=UNKNOWN).rstrip("\n")


def badges(repository: str, notebook: str) -> str:
    """Markdown that opens a notebook in Colab, Kaggle and Binder, between the two marks."""
    name = repository.removeprefix("https://github.com/")
    page = f"github.com/{name}/blob/main/notebooks/{notebook}"
    targets = {
        "Open in Colab": (
            "https://colab.research.google.com/assets/colab-badge.svg",
            f"https://colab.research.google.com/github/{name}/blob/main/notebooks/{notebook}",
        ),
        "Open in Kaggle": (
            "https://kaggle.com/static/images/open-in-kaggle.svg",
            f"https://kaggle.com/kernels/welcome?src=https://{page}",
        ),
        "Open in Binder": (
            "https://mybinder.org/badge_logo.svg",
            f"https://mybinder.org/v2/gh/{name}/main?urlpath=lab/tree/notebooks/{notebook}",
        ),
    }
    lines = [f"[![{title}]({picture})]({target})" for title, (picture, target) in targets.items()]
    return "\n".join(["<!-- badges -->", *lines, "<!-- /badges -->"])


def stamped(text: str, repository: str, name: str) -> str:
    """The text of a notebook as it should be kept: badges, set-up cell, no outputs, no counts, no widgets' state."""
    notebook: dict[str, Any] = json.loads(text)
    notebook["metadata"].pop("widgets", None)
    first = notebook["cells"][0]
    if not BADGES.search("".join(first["source"])):
        first["source"] = ["".join(first["source"]).rstrip(), "\n\n<!-- badges --><!-- /badges -->"]
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            if "set-up" in cell["metadata"].get("tags", []):
                source = set_up(repository)
        else:
            source = BADGES.sub(lambda _: badges(repository, name), source)
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def pages() -> dict[Path, str]:
    """Every file that carries a stamp, with the text that it should have."""
    repository = address()
    wanted = {path: stamped(path.read_text("utf-8"), repository, path.name) for path in sorted(HERE.glob("*.ipynb"))}
    readme = HERE.parent / "README.md"
    wanted[readme] = BADGES.sub(lambda _: badges(repository, FIRST), readme.read_text("utf-8"))
    return wanted


def main() -> None:
    """Stamp what is out of date and name it."""
    for path, text in pages().items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"stamped {path.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()
