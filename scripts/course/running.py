"""Run notebooks in a process of their own, measure them, and leave of the outputs what may be kept.

What enters is a notebook without outputs, what leaves the same one with them: without widget state,
without anything of the machine. The seconds and the memory of a run go into
notebooks/src/measured.json, from which each notebook's table is made.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat import NotebookNode

from course import masters
from course.masters import METADATA, ROOT, measured

WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(
    notebook: NotebookNode, cold: bool = True, folder: str | None = None
) -> tuple[float, float | None]:
    """Run a notebook from top to bottom; returns seconds, and gigabytes at most (None: unknown).

    It runs in an empty folder (or in `folder`), without a network. `cold`: nothing compiled before
    is used, as on a machine that sees the notebook for the first time.
    """
    from nbclient import NotebookClient

    with TemporaryDirectory() as empty, TemporaryDirectory() as fresh:
        environment = {**os.environ, **quiet_environment()}
        if cold:
            environment["JAX_COMPILATION_CACHE_DIR"] = fresh
        client = NotebookClient(
            notebook,
            timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": folder or empty}},
            store_widget_state=False,
            record_timing=False,
        )
        began = time.perf_counter()
        with client.setup_kernel(env=environment):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            seconds = time.perf_counter() - began
            memory = _most_memory(client.km.provisioner.pid)
    return seconds, memory


def quiet_environment() -> dict[str, str]:
    """Variables of a kernel that has this clone's package and no network."""
    nowhere = "http://127.0.0.1:9"
    return {
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _most_memory(process: int) -> float | None:
    """The most that a process ever held, in GB, where the system tells (Linux)."""
    status = Path(f"/proc/{process}/status")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(peak[1]) / 1e6 if peak else None


def clean(notebook: NotebookNode) -> None:
    """Leave of the outputs what a reader without a kernel can see, and nothing of the machine."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        outputs: list[Any] = []
        for output in cell.outputs:
            if output.output_type == "stream" and outputs and _kind(output) == _kind(outputs[-1]):
                outputs[-1].text += output.text
                continue
            if "data" in output:
                if "text/html" in output.data:
                    # The view of a widget that lives no more would stand before the picture.
                    output.data.pop(WIDGET, None)
                output.metadata = nbformat.from_dict({})
            outputs.append(output)
        cell.outputs = outputs


def _kind(output: NotebookNode) -> tuple[str, str | None]:
    return output.output_type, output.get("name")


def this_machine() -> str:
    """This machine, as tables name it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(line for line in lines if line.startswith("model name")).partition(": ")[2]
    return f"{len(os.sched_getaffinity(0))} CPU cores ({model})"


def note(name: str, machine: str, seconds: float | None, memory: float | None) -> None:
    """Put a measurement into notebooks/src/measured.json; None leaves what stands there."""
    noted = measured()
    if machine not in noted["machines"]:
        noted["machines"].insert(0, machine)
    row = noted["notebooks"].setdefault(name, {}).setdefault(machine, {})
    if seconds is not None:
        row["seconds"] = max(5, 5 * round(seconds / 5))
    if memory is not None:
        row["memory"] = round(memory, 1)
    noted["notebooks"] = dict(sorted(noted["notebooks"].items()))
    masters.MEASURED.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")
