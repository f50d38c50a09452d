"""What training carries from step to step, and how one step changes it.

The trained parameters, their moving average and the optimiser's moments live in `TrainState`;
everything frozen is passed beside it and never copied. A step is written once; a `Spread`
(`parallel.py`) lays it over devices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from vdjax.errors import UserError
from vdjax.runtime import jit
from vdjax.train.parallel import Spread
from vdjax.train.stage import Schedule

PyTree = Any
LossFn = Callable[[PyTree, PyTree, PyTree, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]
DrawFn = Callable[[jax.Array, PyTree], dict[str, jax.Array]]


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
    """AdamW behind a global-norm clip; linear warm-up, then cosine to a fraction, or constant."""
    peak, warmup = schedule.learning_rate, schedule.warmup_steps
    if schedule.decay == "constant":
        parts = [optax.linear_schedule(0.0, peak, warmup), optax.constant_schedule(peak)]
        rate = optax.join_schedules(parts, [warmup])
    else:
        rate = optax.warmup_cosine_decay_schedule(
            init_value=0.0,
            peak_value=peak,
            warmup_steps=warmup,
            decay_steps=max(schedule.steps, warmup + 1),
            end_value=peak * schedule.final_fraction,
        )
    return optax.chain(
        optax.clip_by_global_norm(schedule.clip_norm),
        optax.adamw(rate, b1=0.9, b2=schedule.b2, weight_decay=schedule.weight_decay),
    )


def create_state(params: PyTree, schedule: Schedule) -> TrainState:
    """Step zero: the moving average starts at the parameters themselves.

    The parameters are not copied, and the first step gives their memory up: give a copy
    (`jax.tree_util.tree_map(jnp.copy, params)`) where they are needed afterwards.
    """
    return TrainState(
        step=jnp.int32(0),
        params=params,
        ema=jax.tree_util.tree_map(jnp.copy, params),
        opt_state=make_optimizer(schedule).init(params),
        key=jax.random.key_data(jax.random.key(schedule.seed)),
    )


def in_dtype(tree: PyTree, dtype: str) -> PyTree:
    """A tree with its floating-point leaves in a dtype, for `Schedule.frozen_dtype` and others."""

    def cast(leaf: Any) -> Any:
        return leaf.astype(jnp.dtype(dtype)) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree_util.tree_map(cast, tree)


def make_train_step(
    loss_fn: LossFn,
    schedule: Schedule,
    spread: Spread | None = None,
    *,
    draw: DrawFn | None = None,
) -> Callable[[TrainState, PyTree, PyTree], tuple[TrainState, dict[str, jax.Array]]]:
    """A compiled (state, frozen, batch) -> (state, metrics); the old state's memory is given up.

    Metrics are those of the loss, `loss` itself, `grad_norm` before it is clipped, and `finite`: 0
    where one of the two is not, and then parameters, moments and average stay what they were.

    A loss is written for a whole batch, and draws from its key what it needs. Over a mesh it stays
    whole, whatever it computes: the compiler cuts it, and every number is that of one device. Where
    it is cut by us (by pmap, or into parts that are accumulated) it must be a mean over rows, and
    each part would draw numbers of its own. With `draw` it does not: `draw(key, shapes)` is given
    the shapes of the whole batch and returns all that a step takes from chance, with a row for each
    of the batch's, which the loss finds beside them. Each device draws all of it and keeps its own
    rows: draws are then the same however the batch is cut, and none is sent. The price is that
    drawing does not get faster with more devices; a picture's latents are 4,096 numbers.

    A loss with `draw` is cut by us over a mesh, too, unless parameters are sharded: gradients and
    metrics then meet once, at the end of the step, however many parts it has. XLA makes one
    reduction of theirs, or a few on devices where it finds that faster.

    Args:
        loss_fn: (params, frozen, batch, key) -> (loss, metrics), scalars all.
        schedule: rate, clip, average, precision and parts.
        spread: over which devices; None: where the arrays are.
        draw: what makes the loss cuttable, see above.

    Raises:
        UserError: when it is first called, if a device's rows cannot be cut into the schedule's
            parts.
    """
    optimizer = make_optimizer(schedule)
    axes = spread.axes(cuttable=draw is not None) if spread is not None else ()
    gradient = partial(_gradient, loss_fn, schedule, cut=bool(axes) or draw is not None)

    def train_step(state: TrainState, frozen: PyTree, batch: PyTree):
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        first = jax.lax.axis_index(axes) * schedule.accumulate if axes else 0
        if draw is not None:
            batch = {**batch, **_drawn(draw, key, batch, axes)}
        grads, metrics = gradient(state.params, frozen, batch, key, first)
        if axes:
            grads, metrics = jax.lax.pmean((grads, metrics), axes)
        return _updated(optimizer, schedule, state, grads, metrics)

    if spread is None:
        return jit(train_step, donate_argnums=0)
    return spread.compile(train_step, cut=bool(axes))


def _gradient(
    loss_fn: LossFn, schedule: Schedule, params, frozen, batch, key, first, *, cut: bool
) -> tuple[PyTree, dict[str, jax.Array]]:
    """Gradient and metrics (all float32) of these rows, in one piece or part after part.

    `first` numbers the first part, so that each has a key of its own; a loss in one piece, which
    draws for itself, is given the step's key.
    """

    def loss(params, frozen, batch, key):
        params, frozen = in_dtype((params, frozen), schedule.precision)
        value, metrics = loss_fn(params, frozen, batch, key)
        told = dict(metrics, loss=value)
        return value, {name: jnp.asarray(x, jnp.float32) for name, x in told.items()}

    derive = jax.grad(loss, has_aux=True)
    parts = schedule.accumulate
    if parts == 1:
        return derive(params, frozen, batch, jax.random.fold_in(key, first) if cut else key)

    def add(total: PyTree, numbered: tuple[jax.Array, PyTree]):
        number, rows = numbered
        grads, metrics = derive(params, frozen, rows, jax.random.fold_in(key, number))
        return jax.tree_util.tree_map(jnp.add, total, grads), metrics

    none = jax.tree_util.tree_map(jnp.zeros_like, params)
    numbers = first + jnp.arange(parts)
    total, metrics = jax.lax.scan(add, none, (numbers, _in_parts(batch, parts)))
    grads = jax.tree_util.tree_map(lambda leaf: leaf / parts, total)
    return grads, {name: values.mean() for name, values in metrics.items()}


def _in_parts(batch: PyTree, parts: int) -> PyTree:
    """The rows dealt out to parts like cards.

    Rows that follow one another would be of one device, which then had the whole part to itself.
    """

    def deal(rows: jax.Array) -> jax.Array:
        if len(rows) % parts:
            raise UserError(
                f"accumulate is {parts}: the {len(rows)} rows of a device cannot be cut into so "
                "many equal parts; choose a divisor of them, or a larger batch"
            )
        return rows.reshape(-1, parts, *rows.shape[1:]).swapaxes(0, 1)

    return jax.tree_util.tree_map(deal, batch)


def _drawn(draw: DrawFn, key: jax.Array, batch: PyTree, axes: tuple[str, ...]) -> dict:
    """What is drawn for the rows at hand, out of what is drawn for the whole batch."""
    # The sum of a constant is one, too: nothing is sent.
    devices = jax.lax.psum(1, axes) if axes else 1

    def whole(rows: jax.Array) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((devices * rows.shape[0], *rows.shape[1:]), rows.dtype)

    def own(rows: jax.Array) -> jax.Array:
        count = len(rows) // devices
        return jax.lax.dynamic_slice_in_dim(rows, jax.lax.axis_index(axes) * count, count)

    drawn = draw(key, jax.tree_util.tree_map(whole, batch))
    return jax.tree_util.tree_map(own, drawn) if axes else drawn


def _updated(
    optimizer: optax.GradientTransformation, schedule: Schedule, state: TrainState, grads, metrics
) -> tuple[TrainState, dict[str, jax.Array]]:
    """The state after one step, and what is told of it."""
    norm = optax.tree.norm(grads)
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(norm)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    step = state.step + 1
    # Warm-up of the average: early on it follows closely, to forget the initial weights.
    t = step.astype(jnp.float32)
    decay = jnp.minimum(schedule.ema_decay, (1.0 + t) / (10.0 + t))
    ema = jax.tree_util.tree_map(lambda e, p: e + (1.0 - decay) * (p - e), state.ema, params)
    params, ema, opt_state = jax.tree_util.tree_map(
        lambda new, old: jnp.where(finite, new, old),
        (params, ema, opt_state),
        (state.params, state.ema, state.opt_state),
    )
    state = TrainState(step=step, params=params, ema=ema, opt_state=opt_state, key=state.key)
    return state, dict(metrics, grad_norm=norm, finite=finite.astype(jnp.float32))
