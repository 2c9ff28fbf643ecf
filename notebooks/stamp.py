"""Write what the notebooks share into them: set-up cell, badges, hidden code; no outputs. `make notebooks` runs it.

Only pyproject.toml has the address of the repository. This script copies it into each set-up cell (the one tagged
`set-up`) and between the two marks of the badges, in the notebooks and in the README.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLACEHOLDER = "https://github.com/your--name/memegen"  # no GitHub account can have this name: two hyphens in a row
FIRST = "01_make_a_meme.ipynb"
BADGES = re.compile(r"<!-- badges -->.*?<!-- /badges -->", re.DOTALL)

SET_UP = """\
# @title Set up: install memegen if it is missing
try:
    import matplotlib, memegen.widgets
except ImportError:
    %pip install -q "{package}"
"""
EXTRAS = "[notebook,signing]"
HIDDEN = {"cellView": "form", "jupyter": {"source_hidden": True}, "_kg_hide-input": True}  # on Colab, Jupyter, Kaggle


def address() -> str:
    """Return where the repository is published, from pyproject.toml."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["urls"]["Repository"]).rstrip("/")


def set_up(repository: str) -> str:
    """Return the set-up cell: it installs from a repository, or from the checkout until one is named."""
    package = f"..{EXTRAS}" if repository == PLACEHOLDER else f"memegen{EXTRAS} @ git+{repository}"
    return SET_UP.format(package=package).rstrip("\n")


def badges(repository: str, notebook: str) -> str:
    """Return Markdown that opens a notebook in Colab, Kaggle and Binder, between the two marks."""
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
    """Return a notebook as it should be committed: badges and set-up cell in, outputs, counts and widget state out."""
    notebook: dict[str, Any] = json.loads(text)
    notebook["metadata"].pop("widgets", None)
    first = notebook["cells"][0]
    if not BADGES.search("".join(first["source"])):
        first["source"] = ["".join(first["source"]).rstrip(), "\n\n<!-- badges --><!-- /badges -->"]
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            if is_set_up := "set-up" in cell["metadata"].get("tags", []):
                source = set_up(repository)
            if is_set_up or name == FIRST:  # nobody has to see this code
                cell["metadata"] = dict(sorted({**cell["metadata"], **HIDDEN}.items()))
        else:
            source = BADGES.sub(lambda _: badges(repository, name), source)
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def pages() -> dict[Path, str]:
    """Return every stamped file with the text that it should have."""
    repository = address()
    wanted = {path: stamped(path.read_text("utf-8"), repository, path.name) for path in sorted(HERE.glob("*.ipynb"))}
    readme = HERE.parent / "README.md"
    wanted[readme] = BADGES.sub(lambda _: badges(repository, FIRST), readme.read_text("utf-8"))
    return wanted


def main() -> None:
    """Update the files that are out of date and print their names."""
    for path, text in pages().items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"stamped {path.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()
