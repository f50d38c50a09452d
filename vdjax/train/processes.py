"""Processes that train together: each calls `join` before JAX does anything."""

from __future__ import annotations

from vdjax.errors import UserError


def join(coordinator: str, processes: int, process: int, seconds: int = 300) -> None:
    """Become one of the processes whose devices JAX shows as one set.

    Args:
        coordinator: HOST:PORT of process 0, the same for all.
        processes: how many there are.
        process: the number of this one, from 0.
        seconds: how long to wait for the others; JAX's own default.

    Raises:
        UserError: the others were not there in time.
    """
    import jax

    try:
        jax.distributed.initialize(
            coordinator,
            num_processes=processes,
            process_id=process,
            initialization_timeout=seconds,
            cluster_detection_method="deactivate",
        )
    except jax.errors.JaxRuntimeError as error:
        said = " ".join(str(error).split())[:120]
        raise UserError(
            f"process {process} of {processes} did not find the others at {coordinator} within "
            f"{seconds} s: start all of them with the same --coordinator ({said})"
        ) from error
