"""Run a notebook as `Run all` does, with other values for its parameters."""

from __future__ import annotations

import ast
import os
import warnings
from pathlib import Path
from typing import Any

import nbclient
import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def override(source: str, values: dict[str, object]) -> str:
    """Return the source of a form cell with other values for its names."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in values:
            assert node.lineno == node.end_lineno
            lines[node.lineno - 1] = f"{node.targets[0].id} = {values[node.targets[0].id]!r}"
    return "\n".join(lines)


def run_notebook(
    name: str, folder: Path, *, values: dict[str, object], ask: dict[str, str], **env: str
) -> dict[str, str]:
    """Run a notebook in a folder of its own, in the Python that runs the tests.

    Args:
        name: The file's name.
        folder: An empty folder in which the notebook runs; the user's home is made in it.
        values: Other values for names of the cell tagged `parameters`.
        ask: Expressions to evaluate after the last cell, by name.
        env: Variables for the kernel.

    Returns:
        The printed value of each expression, by name.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    for cell in tagged(notebook, "parameters"):
        cell.source = override(cell.source, values)
    for text in ask.values():
        notebook.cells.append(nbformat.v4.new_code_cell(f"print({text})"))
    home = folder / "home"
    home.mkdir()
    own = {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "MPLCONFIGDIR": str(home / "matplotlib")}
    client = nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Jupyter's own, of old versions in a new Python
        client.execute(env={**os.environ, **own, **env})
    last = notebook.cells[len(notebook.cells) - len(ask) :]
    return {key: cell.outputs[-1].text.strip() for key, cell in zip(ask, last, strict=True)}
