"""Several processes find one another through JAX's own coordinator, and then work alone.

Films need nothing of one another. JAX, though, ends every process of a group when one of them dies,
and all of them with the coordinator's. So the group meets, which makes sure that all of them are
there and that no two have one number, and parts before any work: a process that is killed later
takes nobody with it.
"""

from __future__ import annotations

import contextlib
import re

from vdjax.errors import UserError

SECONDS = 300
"""How long processes wait for one another; JAX's own default."""


def meet(coordinator: str, processes: int, process: int, seconds: int = SECONDS) -> None:
    """Return when all processes of the group are there. Call it before JAX does anything.

    Args:
        coordinator: HOST:PORT of process 0, the same for all.
        processes: how many there are.
        process: the number of this one, from 0.
        seconds: how long to wait.

    Raises:
        UserError: no such group can be, or it was not complete in time.
    """
    check_group(coordinator, processes, process)
    import jax

    with contextlib.suppress(AttributeError):  # it would listen to SIGTERM in our place
        jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes=processes,
            process_id=process,
            initialization_timeout=seconds,
            cluster_detection_method="deactivate",
        )
        jax.distributed.shutdown()
    except jax.errors.JaxRuntimeError as error:
        raise UserError(
            f"process {process} of {processes} found no complete group at {coordinator} within "
            f"{seconds} s: start all of them, from --process 0 to --process {processes - 1}, each "
            f"number once, with the same --coordinator and a port that is free ({_line(error)})"
        ) from error


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


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
