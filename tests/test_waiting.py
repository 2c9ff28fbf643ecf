"""A cell that waits: the buttons are answered meanwhile, in every version of the kernel, and cells keep their turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

manager = pytest.importorskip("jupyter_client.manager")
pytest.importorskip("ipykernel")
pytest.importorskip("ipywidgets")

# Jupyter's own, of old versions in a new Python
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PATIENCE = 60.0  # seconds
CELL = """
import asyncio, ipywidgets
from IPython.display import display
from memegen.widgets.waiting import answering
pressed, button = [], ipywidgets.Button(description="Stop")
button.on_click(lambda _: pressed.append(True))
display(button)
print("waiting", button.comm.comm_id)
await answering(lambda: print("?") or pressed, lambda: pressed.append("interrupted"))
print("over", pressed)
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A kernel and its client."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    found, client = manager.start_new_kernel(startup_timeout=PATIENCE, cwd=str(Path(__file__).parents[1]))
    yield found, client
    client.stop_channels()
    found.shutdown_kernel(now=True)


def heard(client: Any, wanted: Callable[[str], bool]) -> str:
    """Wait until cells have printed what is wanted; return all they printed."""
    said, until = "", time.monotonic() + PATIENCE
    while time.monotonic() < until:
        message = client.get_iopub_msg(timeout=PATIENCE)
        assert message["msg_type"] != "error", message["content"]
        said += message["content"].get("text", "") if message["msg_type"] == "stream" else ""
        if wanted(said):
            return said
    raise AssertionError(said)


def test_buttons_are_answered_and_cells_wait(kernel: tuple[Any, Any]) -> None:
    _, client = kernel
    client.execute(CELL)
    comm = heard(client, lambda said: "?" in said).split()[1]
    client.execute("print('next')")
    click = {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
    client.shell_channel.send(client.session.msg("comm_msg", click))
    assert heard(client, lambda said: "next" in said).replace("?\n", "") == "over [True]\nnext\n"


def test_an_interrupted_cell_goes_on_to_its_end(kernel: tuple[Any, Any]) -> None:
    found, client = kernel
    client.execute(CELL)
    heard(client, lambda said: said.count("?") > 1)
    found.interrupt_kernel()
    assert heard(client, lambda said: "over" in said).replace("?\n", "") == "over ['interrupted']\n"
