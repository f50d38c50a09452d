"""What training carries from step to step, and how one step changes it.

The trained parameters, their moving average and the optimiser's moments live in `TrainState`;
everything frozen is passed beside it and never copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from vdjax.runtime import jit
from vdjax.train.stage import Schedule

PyTree = Any
LossFn = Callable[[PyTree, PyTree, PyTree, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


@flax.struct.dataclass
class TrainState:
    """`step` counts finished steps; `key` is the root key, to fold the step into.

    Both are arrays, but no more is promised: while a checkpoint is written or read, the same tree
    holds shapes, or nothing, in their places.
    """

    step: Any
    params: PyTree
    ema: PyTree
    opt_state: PyTree
    key: Any


def make_optimizer(schedule: Schedule) -> optax.GradientTransformation:
    """AdamW behind a global-norm clip; linear warm-up, then cosine to a fraction of the peak."""
    rate = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=schedule.learning_rate,
        warmup_steps=schedule.warmup_steps,
        decay_steps=max(schedule.steps, schedule.warmup_steps + 1),
        end_value=schedule.learning_rate * schedule.final_fraction,
    )
    return optax.chain(
        optax.clip_by_global_norm(schedule.clip_norm),
        optax.adamw(rate, b1=0.9, b2=schedule.b2, weight_decay=schedule.weight_decay),
    )


def create_state(params: PyTree, schedule: Schedule) -> TrainState:
    """Step zero: the moving average starts at the parameters themselves."""
    return TrainState(
        step=jnp.int32(0),
        params=params,
        ema=jax.tree_util.tree_map(jnp.copy, params),
        opt_state=make_optimizer(schedule).init(params),
        key=jax.random.key_data(jax.random.key(schedule.seed)),
    )


def make_train_step(loss_fn: LossFn, schedule: Schedule):
    """A compiled (state, frozen, batch) -> (state, metrics); the old state's memory is given up."""
    optimizer = make_optimizer(schedule)

    def train_step(state: TrainState, frozen: PyTree, batch: PyTree):
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, metrics), grads = gradient(state.params, frozen, batch, key)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        step = state.step + 1
        # Warm-up of the average: early on it follows closely, to forget the initial weights.
        t = step.astype(jnp.float32)
        decay = jnp.minimum(schedule.ema_decay, (1.0 + t) / (10.0 + t))
        ema = jax.tree_util.tree_map(lambda e, p: e + (1.0 - decay) * (p - e), state.ema, params)
        metrics = dict(metrics, loss=loss, grad_norm=optax.tree.norm(grads))
        return TrainState(
            step=step, params=params, ema=ema, opt_state=opt_state, key=state.key
        ), metrics

    return jit(train_step, donate_argnums=0)
