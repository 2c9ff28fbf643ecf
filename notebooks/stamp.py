"""Write what the notebooks share into them: set-up cell, badges, hidden code; no outputs. `make notebooks` runs it.

The address of the repository is that of git's remote `origin`, if that is on GitHub, or else the one that an earlier
run wrote into pyproject.toml. It goes into pyproject.toml, into each set-up cell (the one tagged `set-up`) and between
the two marks of the badges, in the notebooks and in the README. Without an address there are no badges.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FIRST = "01_make_a_meme.ipynb"
BADGES = re.compile(r"<!-- badges -->.*?<!-- /badges -->", re.DOTALL)

GITHUB = re.compile(r"github\.com(?::\d+)?[:/]+([\w-]+/[\w.-]+?)(?:\.git)?/?$")  # also in git@github.com:ada/memes.git
URLS = re.compile(r"(\[project\.urls\]\n(?:#.*\n)*)(?:\w+ = .*\n)*")

SET_UP = """\
# @title Set up: install memegen if it is missing
try:
    import matplotlib, memegen.widgets
except ImportError:
"""
INSTALL = '    %pip install -q "{package}"'
HOMELESS = """\
    print("Open this notebook in its folder of a copy of memegen's repository: memegen is installed from there.")
"""
EXTRAS = "[notebook,signing]"
HIDDEN = {"cellView": "form", "jupyter": {"source_hidden": True}, "_kg_hide-input": True}  # on Colab, Jupyter, Kaggle


class Source(NamedTuple):
    """Where memegen can be had.

    Attributes:
        repository: Its address on GitHub; empty if there is none.
        wheel: The address of the released wheel; empty if there is none.
    """

    repository: str = ""
    wheel: str = ""


def project() -> dict[str, Any]:
    """Return what pyproject.toml says about the project."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def recorded() -> Source:
    """Return what an earlier run wrote into pyproject.toml."""
    urls = project().get("urls", {})
    return Source(urls.get("Repository", ""), urls.get("Download", ""))


def current() -> Source:
    """Return what git says now: its remote `origin`, and whether this version has its tag."""
    found = GITHUB.search(git("remote", "get-url", "origin"))
    if found is None:
        return recorded()
    repository, about = f"https://github.com/{found[1]}", project()
    tag = f"v{about['version']}"
    file = f"{about['name'].replace('-', '_')}-{about['version']}-py3-none-any.whl"
    released = bool(git("tag", "--list", tag))
    return Source(repository, f"{repository}/releases/download/{tag}/{file}" if released else "")


def git(*words: str) -> str:
    """Return what git answers; nothing if there is no git, no repository, or no answer."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def set_up(source: Source) -> str:
    """Return the set-up cell: it installs the released wheel, or from the repository, or else from the checkout."""
    if not source.repository:
        return SET_UP + HOMELESS + INSTALL.format(package=f"..{EXTRAS}")
    place = source.wheel or f"git+{source.repository}"
    return SET_UP + INSTALL.format(package=f"{project()['name']}{EXTRAS} @ {place}")


def badges(repository: str, notebook: str) -> str:
    """Return Markdown between the two marks that opens a notebook in Colab, Kaggle and Binder; none without address."""
    if not repository:
        return "<!-- badges -->\n<!-- /badges -->"
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


def stamped(text: str, source: Source, name: str) -> str:
    """Return a notebook as it should be committed: badges and set-up cell in, outputs, counts and widget state out."""
    notebook: dict[str, Any] = json.loads(text)
    notebook["metadata"].pop("widgets", None)
    first = notebook["cells"][0]
    if not BADGES.search("".join(first["source"])):
        first["source"] = ["".join(first["source"]).rstrip(), "\n\n<!-- badges --><!-- /badges -->"]
    for cell in notebook["cells"]:
        words = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            if is_set_up := "set-up" in cell["metadata"].get("tags", []):
                words = set_up(source)
            if is_set_up or name == FIRST:  # nobody has to see this code
                cell["metadata"] = dict(sorted({**cell["metadata"], **HIDDEN}.items()))
        else:
            words = BADGES.sub(lambda _: badges(source.repository, name), words)
        cell["source"] = words.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def pages(source: Source) -> dict[Path, str]:
    """Return every stamped file with the text that it should have."""
    wanted = {path: stamped(path.read_text("utf-8"), source, path.name) for path in sorted(HERE.glob("*.ipynb"))}
    readme, about = ROOT / "README.md", ROOT / "pyproject.toml"
    wanted[readme] = BADGES.sub(lambda _: badges(source.repository, FIRST), readme.read_text("utf-8"))
    named = {"Repository": source.repository, "Download": source.wheel}
    lines = "".join(f'{name} = "{address}"\n' for name, address in named.items() if address)
    wanted[about] = URLS.sub(lambda found: found[1] + lines, about.read_text("utf-8"))
    return wanted


def main() -> None:
    """Update the files that are out of date and print their names."""
    source = current()
    if not source.repository:
        sys.stdout.write("There is no address: give git a remote `origin` on GitHub, then run this again for badges.\n")
    for path, text in pages(source).items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"stamped {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
