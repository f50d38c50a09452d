"""Training state on disk, by orbax: a checkpoint appears whole or not at all; the newest one
counts.

Enters and leaves: a `TrainState` and the JSON-able configuration it was made with. A checkpoint
written under another configuration is refused rather than mixed in.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import jax

from vdjax.errors import UserError
from vdjax.train.state import TrainState


class Checkpoints:
    """The checkpoints of one run folder; keeps the newest two."""

    def __init__(self, folder: Path, config: dict[str, Any]):
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._ocp = ocp
        self._config = config
        options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
        self._manager = ocp.CheckpointManager(Path(folder).absolute(), options=options)

    def save(self, state: TrainState) -> None:
        args = self._ocp.args.Composite(
            state=self._ocp.args.StandardSave(state), config=self._ocp.args.JsonSave(self._config)
        )
        self._manager.save(int(state.step), args=args)

    def restore(self, like: TrainState) -> TrainState | None:
        """The newest state, in the shapes of `like`; None where no checkpoint exists yet.

        Raises:
            UserError: the checkpoint was written with another configuration of the model or data.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        abstract = jax.tree_util.tree_map(self._ocp.utils.to_shape_dtype_struct, like)
        args = self._ocp.args.Composite(config=self._ocp.args.JsonRestore())
        found = self._manager.restore(step, args=args)["config"]
        if found != self._config:
            changed = sorted(
                k for k in {*found, *self._config} if found.get(k) != self._config.get(k)
            )
            raise UserError(
                f"checkpoint {self._manager.directory}/{step} was made with another configuration "
                f"(differing: {', '.join(changed)}): use the options it was started with, "
                "or another --runs folder"
            )
        args = self._ocp.args.Composite(state=self._ocp.args.StandardRestore(abstract))
        return self._manager.restore(step, args=args)["state"]

    def close(self) -> None:
        self._manager.wait_until_finished()
        self._manager.close()
