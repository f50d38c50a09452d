"""A scene looked at while it is made: its frames, and where its tokens and words were looked at.

What `vdjax.systems.videodirectorgpt.prepare` gives enters (or anything like it); frames and a
record with named tokens leave. The scene is sampled step by step as every film is, then the network
is run once more per recorded step, on the conditional half alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vdjax.errors import UserError
from vdjax.ground.tokenizer import EncoderFile
from vdjax.inspect.attention import LIMIT, check_size, passing_bytes, record_attention
from vdjax.inspect.records import AttentionRecord, readable
from vdjax.plan import VideoPlan
from vdjax.plan.schema import Scene
from vdjax.sample.loop import Conditions, Sampler


class Prepared(Protocol):
    """A film before its first step; `switch` is how many steps the layout guides."""

    @property
    def plan(self) -> VideoPlan: ...
    @property
    def model(self) -> Any: ...
    @property
    def sampler(self) -> Sampler: ...
    @property
    def guidance(self) -> float: ...
    @property
    def switch(self) -> int: ...
    @property
    def frames(self) -> int: ...

    def scene(
        self, number: int
    ) -> tuple[Float[Array, "1 frame height width channel"], Conditions]: ...


def record_scene(
    made: Prepared,
    number: int = 1,
    *,
    words: bool = True,
    heads: bool = True,
    steps: Sequence[int] | None = None,
    limit: int = LIMIT,
    say: Callable[[str], object] = print,
) -> tuple[UInt8[np.ndarray, "frame tall wide 3"], AttentionRecord]:
    """Make scene `number` (from 1) and record where its entities and words are looked at.

    Args:
        made: a film before its first step, as `prepare` of `vdjax.systems.videodirectorgpt` gives.
        number: which scene.
        words: False leaves out the words of the caption.
        heads: False keeps the mean over heads alone.
        steps: which steps to record, from 1; all where None.
        limit: what the record may hold, in bytes.
        say: told beforehand what the record will hold.

    Raises:
        UserError: there is no such scene or step, or the record would be larger than `limit`.
    """
    scene = made.plan.scene(number)
    model, sampler = made.model, made.sampler
    unet = model.part("unet")
    latents, conditions = made.scene(number)
    total = sampler.num_evaluations
    taken = list(range(total)) if steps is None else [step - 1 for step in steps]
    if not taken or any(not 0 <= step < total for step in taken):
        raise UserError(f"steps {steps}: name at least one of 1 to {total}")
    # PNDM's first step asks the network twice; both belong to the same step of the layout's.
    extra = total - sampler.num_inference_steps
    gated = [max(step - extra, 0) < made.switch for step in taken]
    places, length = model.preset.grounding.max_entities, conditions.grounding.shape[2]
    entities = _entity_tokens(scene, length, places) if any(gated) else {}
    told = _caption(model, scene.description) if words else {}
    if not entities and not told:
        raise UserError(
            "nothing is looked at: no recorded step is guided by the layout and words are left "
            "out; raise alpha, or record words"
        )
    _, frames, tall, wide, _ = latents.shape
    count = len(entities) + len(told)
    need = check_size(
        sampler.unet, unet, frames, count, len(taken), heads=heads, size=(tall, wide), limit=limit
    )
    meanwhile = passing_bytes(sampler.unet, unet, frames, size=(tall, wide))
    say(
        f"attention of {len(taken)} steps, {frames} frames and {count} tokens"
        f"{' with all heads' if heads else ''}: {readable(need)} of {readable(limit)} allowed, and "
        f"{readable(meanwhile)} while the network runs"
    )
    _, timesteps = sampler.begin(latents)
    visited = [latents, *sampler.stream(unet, latents, conditions, _scale(made), made.switch)]
    record = record_attention(
        sampler.unet,
        unet,
        [visited[step] for step in taken],
        [int(timesteps[step]) for step in taken],
        conditions.text[1:],
        conditions.grounding[1:],
        entities=entities,
        words=told,
        gated=gated,
        heads=heads,
        limit=limit,
    )
    return model.decode(visited[-1][0]), record


def _scale(made: Prepared) -> Float[Array, ""]:
    return jnp.float32(made.guidance)


def _entity_tokens(scene: Scene, tokens: int, places: int) -> dict[str, tuple[int, ...]]:
    """The tokens of each entity, and of the background, which has the last place (see
    `vdjax.systems.scenes`). Tokens that are not fused come in one run of `places` per modality."""
    names = [*scene.entities, scene.background]
    at = [*range(len(names) - 1), places - 1]
    return {
        name: tuple(range(place, tokens, places)) for name, place in zip(names, at, strict=True)
    }


def caption_words(tokenizer: EncoderFile, text: str, length: int) -> dict[str, tuple[int, ...]]:
    """The places in a row of ids that belong to each word of a text; a word that comes again is
    called `the (2)`. Marks are left out, and so is what is cut from a row of `length`.

    Both kinds of tokenizers put one id before the text and one behind it.
    """
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_file(str(tokenizer.path))
    encoder.no_truncation()
    encoded = encoder.encode(text.lower(), add_special_tokens=False)
    pieces: dict[int, list[int]] = {}
    for at, word in enumerate(encoded.word_ids, 1):
        if at < length - 1:
            pieces.setdefault(word, []).append(at)
    found: dict[str, tuple[int, ...]] = {}
    for places in pieces.values():
        start, end = encoded.offsets[places[0] - 1][0], encoded.offsets[places[-1] - 1][1]
        word = text.lower()[start:end]
        if re.search(r"\w", word):
            again = sum(name.partition(" (")[0] == word for name in found)
            found[f"{word} ({again + 1})" if again else word] = tuple(places)
    return found


def _caption(model: Any, text: str) -> dict[str, tuple[int, ...]]:
    """The words of a caption, by the tokenizer whose states the UNet is given."""
    tokenizer = model.scene_tokenizer if model.preset.text_encoder else model.tokenizer
    return caption_words(tokenizer, text, tokenizer([text]).shape[1])
