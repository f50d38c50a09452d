"""Training state on disk, by orbax: a checkpoint appears whole or not at all; the newest whole one
counts.

Enters and leaves: a `TrainState`, how many samples it has seen, and the JSON-able configuration it
was made with. A checkpoint written under another configuration is refused rather than mixed in. The
state is copied off the devices at once and written while training goes on; each checkpoint carries
the checksums of its files, because orbax reads back what a disk has changed without a word.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vdjax.errors import OutputError, UserError
from vdjax.train.state import TrainState

KEPT = 2
SUMS = "checksums.json"
UNSUMMED = (SUMS, "_CHECKPOINT_METADATA")
"""Written after the sums are taken: orbax notes there when it was done."""
DAMAGED = ".damaged"
BLOCK = 1 << 22
NO_ROOM = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
"""As the system says it, and libraries after it."""


class Checkpoints:
    """The checkpoints of one run folder.

    Args:
        folder: where they are, made if missing. Nobody else may write there meanwhile.
        config: what must not change from one checkpoint to the next.
        keep_every: beside the newest two, those of every so many steps are kept.
        report: is told when a damaged checkpoint is passed over.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        keep_every: int | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self._ocp, self._config, self._report = ocp, config, report
        self._full = False
        self.folder = Path(folder).absolute()
        self._saving = 0
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT,
            keep_period=keep_every,
            create=True,
            cleanup_tmp_directories=True,
            async_options=ocp.AsyncOptions(post_finalization_callback=self._sum),
        )
        with self._telling():
            self._manager = ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Finish what is being written. Where training failed, that is what is told."""
        with contextlib.suppress(Exception) if kind is not None else contextlib.nullcontext():
            self.close()

    @property
    def steps(self) -> list[int]:
        """Of the whole checkpoints, the newest last."""
        found = self.folder.iterdir() if self.folder.exists() else iter(())
        return sorted(int(path.name) for path in found if path.name.isdigit())

    def save(self, state: TrainState, step: int, samples: int) -> None:
        """Begin to write the state after that step, unless it is there already.

        Raises:
            OutputError: there is no room for it, or was none for the one before.
        """
        args = self._ocp.args.Composite(
            state=self._ocp.args.StandardSave(state),
            config=self._ocp.args.JsonSave(self._config),
            data=self._ocp.args.JsonSave({"samples": samples}),
        )
        with self._telling():
            self._manager.wait_until_finished()
            self._saving = step
            self._manager.save(step, args=args)

    def check(self) -> None:
        """Raise what has gone wrong in writing behind our back; wait for nothing.

        Raises:
            OutputError: there is no room.
        """
        if not self._manager.is_saving_in_progress():
            with self._telling():
                self._manager.wait_until_finished()

    def restore(self, like: TrainState) -> tuple[TrainState, int | None] | None:
        """The newest whole state and the samples it has seen; None where no checkpoint exists yet.

        Args:
            like: a state whose shapes it has, in the places it is to have, whatever devices it was
                on when it was saved. Leaves in numpy stay on the host.

        Returns:
            The state, and its samples (None in checkpoints of before they were counted).

        Raises:
            UserError: the checkpoint was written with another configuration of the model or data,
                or none of them can be read.
        """
        troubles: dict[int, str] = {}
        for step in reversed(self.steps):
            try:
                self._verify(step)
                config, samples = self._about(step)
                self._refuse_others(step, config)
                state = self._read(step, like)
            except UserError:
                raise
            except Exception as error:
                troubles[step] = _short(error)
                continue
            self._set_aside(troubles, step)
            return state, samples
        if troubles:
            told = "; ".join(f"{step}: {trouble}" for step, trouble in troubles.items())
            raise UserError(
                f"no checkpoint in {self.folder} can be read ({told}): put back a copy, or remove "
                "them to begin anew"
            )
        return None

    def close(self) -> None:
        """Wait until the last checkpoint is whole.

        Raises:
            OutputError: there is no room for it.
        """
        try:
            with self._telling():
                self._manager.wait_until_finished()
        finally:
            with contextlib.suppress(Exception):  # told already
                self._manager.close()
            gc.collect()  # writes that were given up end here, not in the midst of Python's end
            if self._full:
                self._sweep()  # what they wrote until they ended

    def _about(self, step: int) -> tuple[dict[str, Any], int | None]:
        counted = (self.folder / str(step) / "data").exists()
        items = ("config", "data") if counted else ("config",)
        args = self._ocp.args.Composite(**{n: self._ocp.args.JsonRestore() for n in items})
        found = self._manager.restore(step, args=args)
        return found["config"], found["data"]["samples"] if counted else None

    def _refuse_others(self, step: int, found: dict[str, Any]) -> None:
        if found == self._config:
            return
        changed = sorted(k for k in {*found, *self._config} if found.get(k) != self._config.get(k))
        raise UserError(
            f"checkpoint {self.folder}/{step} was made with another configuration (differing: "
            f"{', '.join(changed)}): use the options it was started with, or another folder"
        )

    def _read(self, step: int, like: TrainState) -> TrainState:
        def shape(leaf: Any) -> Any:
            on_host = isinstance(leaf, np.ndarray)
            return leaf if on_host else self._ocp.utils.to_shape_dtype_struct(leaf)

        abstract = jax.tree_util.tree_map(shape, like)
        args = self._ocp.args.Composite(state=self._ocp.args.StandardRestore(abstract))
        state: TrainState = self._manager.restore(step, args=args)["state"]
        return state

    def _verify(self, step: int) -> None:
        """Raise ValueError unless every file is what was written, as far as the leader sees."""
        trouble = ""
        if jax.process_index() == 0:
            try:
                trouble = _damage(self.folder / str(step))
            except (OSError, ValueError) as error:
                trouble = _short(error)
        if jax.process_count() > 1:
            from jax.experimental.multihost_utils import broadcast_one_to_all

            damaged = bool(broadcast_one_to_all(np.int32(bool(trouble))))
            trouble = trouble or "the leader says so" * damaged
        if trouble:
            raise ValueError(trouble)

    def _set_aside(self, troubles: dict[int, str], step: int) -> None:
        """Damaged checkpoints out of the way of the new ones of their steps."""
        for damaged, trouble in troubles.items():
            path = self.folder / str(damaged)
            self._report(f"checkpoint {path} is damaged ({trouble}): going back to step {step}")
            if jax.process_index() == 0:
                aside = path.with_name(path.name + DAMAGED)
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
        if troubles:
            if jax.process_count() > 1:
                from jax.experimental.multihost_utils import sync_global_devices

                sync_global_devices("damaged checkpoints are set aside")
            self._manager.reload()

    def _sum(self) -> None:
        """Checksums into the checkpoint that orbax is about to give its final name."""
        if jax.process_index() == 0:
            name = str(self._saving)
            unfinished = sorted(self.folder.glob(f"{name}.*tmp*"))
            for path in (*unfinished, self.folder / name):
                if path.is_dir():
                    (path / SUMS).write_text(json.dumps(_sums(path)))
                    return

    def _sweep(self) -> None:
        for path in self.folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """A sentence where there is no room, and the room of what was half written."""
        try:
            yield
        except Exception as error:
            if not any(words in str(error) for words in NO_ROOM):
                raise
            self._full = True
            self._sweep()
            last = f"step {self.steps[-1]} is whole, and" if self.steps else "there is none yet:"
            raise OutputError(
                f"cannot write checkpoint {self.folder}/{self._saving}: no room left on the disk; "
                f"{last} the run goes on from there when room has been made"
            ) from error


def _sums(folder: Path) -> dict[str, int]:
    """The checksum of every file of a checkpoint, by its name in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: _sum_of(path) for name, path in names.items() if name not in UNSUMMED}


def _sum_of(path: Path) -> int:
    total = 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            total = zlib.crc32(block, total)
    return total


def _damage(folder: Path) -> str:
    """Which file of a checkpoint is missing or not what was written, if any is.

    Checkpoints of before there were checksums have none.
    """
    if not (folder / SUMS).exists():
        return ""
    written, found = json.loads((folder / SUMS).read_text()), _sums(folder)
    for name, total in written.items():
        if found.get(name) != total:
            return f"{name} is {'not what was written' if name in found else 'missing'}"
    return ""


def _short(error: Exception, longest: int = 160) -> str:
    """The first sentence of what a library says, which may go on for pages."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= longest else text[: longest - 1] + "…"
