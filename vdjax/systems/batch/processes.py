"""Several processes find one another through JAX's own coordinator, and then work alone.

Films need nothing of one another. JAX, though, ends every process of a group when one of them dies,
and all of them with the coordinator's; and who was in a group once is a part of it in JAX's eyes.
So each process sends a child to the meeting, which makes sure that all of them are there and that
no two have one number. The children part before any work: who is killed later takes nobody along.
"""

from __future__ import annotations

import re
import subprocess
import sys

from vdjax.errors import UserError

SECONDS = 300
"""How long processes wait for one another; JAX's own default."""


def meet(coordinator: str, processes: int, process: int, seconds: int = SECONDS) -> None:
    """Return when all processes of the group are there.

    Args:
        coordinator: HOST:PORT of process 0, the same for all.
        processes: how many there are.
        process: the number of this one, from 0.
        seconds: how long to wait.

    Raises:
        UserError: no such group can be, or it was not complete in time.
    """
    check_group(coordinator, processes, process)
    who = (coordinator, processes, process, seconds)
    command = [sys.executable, "-m", __name__, *map(str, who)]
    pipe = subprocess.PIPE
    # The child ends when its standard input does, and so never outlives this process.
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) as child:
        assert child.stderr is not None
        told = child.stderr.read().strip()
        code = child.wait()
    if code:
        raise UserError(
            f"process {process} of {processes} found no complete group at {coordinator} within "
            f"{seconds} s: start all of them, from --process 0 to --process {processes - 1}, each "
            "number once, with the same --coordinator and a port that is free there "
            f"({_reason(told) or f'exit code {code}'})"
        )


def check_group(coordinator: str | None, processes: int | None, process: int | None) -> bool:
    """Whether a group is asked for.

    Raises:
        UserError: only a part of it is said, or it cannot be.
    """
    said = {"--coordinator": coordinator, "--processes": processes, "--process": process}
    if all(value is None for value in said.values()):
        return False
    if missing := [name for name, value in said.items() if value is None]:
        raise UserError(
            f"{' and '.join(missing)} missing: several processes are started with --coordinator "
            "HOST:PORT --processes N --process I, each with its own I from 0 to N - 1"
        )
    assert coordinator is not None
    assert processes is not None
    assert process is not None
    host, _, port = coordinator.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
        raise UserError(
            f"coordinator {coordinator!r} is not HOST:PORT, such as 127.0.0.1:9911: the address "
            "of process 0 and a free port there"
        )
    if not 0 <= process < processes:
        raise UserError(
            f"process is {process}: of {processes} processes it must be from 0 to {processes - 1}"
        )
    return True


def _reason(told: str) -> str:
    """The status in what JAX said, such as `DEADLINE_EXCEEDED: Deadline Exceeded`."""
    found = re.search(r"[A-Z]{4,}(_[A-Z]+)*: .{1,120}", told)
    return found[0].strip() if found else ""


def _join(coordinator: str, processes: str, process: str, seconds: str) -> None:
    """The child's part: there when all are there, and gone."""
    import os
    import threading

    import jax

    def leave_with_parent() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    jax.distributed.initialize(
        coordinator,
        num_processes=int(processes),
        process_id=int(process),
        initialization_timeout=int(seconds),
        cluster_detection_method="deactivate",
    )
    jax.distributed.shutdown()
    os._exit(0)  # the interpreter would wait for the thread that reads


if __name__ == "__main__":
    _join(*sys.argv[1:])
