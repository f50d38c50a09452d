"""Grounding tokens: what each entity is, what it looks like and where it is, frame by frame.

h = MLP(P_img(f_img(e)), P_text(f_text(e)), Fourier(box)), one fused token per entity, as in
VideoDirectorGPT (section 3.2); `fused=False` gives GLIGEN's two tokens per entity, one per
modality. What the paper leaves open is taken from GLIGEN: SiLU, eight frequencies, learned null
vectors for what is missing. The background is one more entity whose box is the whole frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vdjax.model.boxes import BOX_CODE_WIDTH, box_code, picture_width, unpack


@flax.struct.dataclass
class Grounding:
    """What the grounding tokens of a batch of clips are made of.

    `boxes` are x0 y0 x1 y1 in 0..1; an entity that is not `present` in a frame is a null token
    there. `text` and `image` are unit-length CLIP embeddings; where `has_text` or `has_image` is
    false the learned null vector stands in.
    """

    boxes: Float[Array, "batch frame entity 4"]
    present: Bool[Array, "batch frame entity"]
    text: Float[Array, "batch entity text_width"]
    image: Float[Array, "batch entity image_width"]
    has_text: Bool[Array, "batch entity"]
    has_image: Bool[Array, "batch entity"]

    def nothing(self) -> Grounding:
        """The same shapes with nobody present: the unconditional half of guidance."""
        return replace(self, present=jnp.zeros_like(self.present))


@dataclass(frozen=True, kw_only=True)
class GroundingConfig:
    """Widths of the grounding MLP; `max_entities` counts the background.

    With `carry_boxes` the four numbers of an entity's box follow its token, for gated layers that
    attend by boxes; zeros, a box that holds nothing, where it is not present. With `picture_waves`
    a second MLP gives the token a picture of the entity, put before the box: so many cosine waves
    each way for each of `PICTURE_CHANNELS`; zeros where the entity is not present.

    With `text_only` there is one token per entity and no image (GLIGEN's text boxes, and LVD).
    With `raw_features` embeddings enter with the length they have, as in GLIGEN, whose text states
    and images of length 28.7 are not of unit length to begin with.

    GLIGEN has a hidden width of 512 and 30 entities.
    """

    text_width: int = 128
    image_width: int = 128
    projection_width: int = 128
    hidden_width: int = 256
    width: int = 128
    max_entities: int = 8
    fused: bool = True
    carry_boxes: bool = False
    picture_waves: int = 0
    picture_hidden_width: int = 768
    text_only: bool = False
    raw_features: bool = False

    def __post_init__(self):
        if self.text_only and self.fused:
            raise ValueError("a fused token needs the image: text_only goes with fused=False")
        if self.picture_waves and not self.carry_boxes:
            raise ValueError("picture_waves needs carry_boxes: a picture is read by its box")
        if self.picture_waves and not self.fused:
            raise ValueError("picture_waves needs fused tokens: one picture for each entity")


class GroundingNet(nn.Module):
    """Turns a `Grounding` into tokens for the gated layers."""

    config: GroundingConfig

    @nn.compact
    def __call__(self, grounding: Grounding) -> Float[Array, "batch frame token width"]:
        c, g = self.config, grounding
        frames = g.boxes.shape[1]
        zeros = nn.initializers.zeros
        null_text = self.param("null_text_feature", zeros, (c.text_width,))
        if not c.text_only:
            null_image = self.param("null_image_feature", zeros, (c.image_width,))
        null_position = self.param("null_position_feature", zeros, (BOX_CODE_WIDTH,))

        def or_null(feature, null, available):
            # Unit-length embeddings are brought to unit variance per channel, as layers expect.
            scale = 1.0 if c.raw_features else feature.shape[-1] ** 0.5
            feature = jnp.repeat(feature[:, None], frames, axis=1) * scale
            known = (available[:, None] & g.present)[..., None]
            return jnp.where(known, feature, jnp.broadcast_to(null, feature.shape))

        text = or_null(g.text, null_text, g.has_text)
        image = None if c.text_only else or_null(g.image, null_image, g.has_image)
        code = box_code(g.boxes)
        position = jnp.where(
            g.present[..., None], code, jnp.broadcast_to(null_position, code.shape)
        )
        boxes = jnp.where(g.present[..., None], g.boxes, 0.0)
        if c.fused:
            text = nn.Dense(c.projection_width, name="project_text")(text)
            image = nn.Dense(c.projection_width, name="project_image")(image)
            parts = jnp.concatenate([image, text, position], axis=-1)
            tokens = _mlp("linears", parts, c.hidden_width, c.width, hidden=1)
            if c.picture_waves:
                size = picture_width(c.picture_waves)
                pictures = _mlp("pictures", parts, c.picture_hidden_width, size, hidden=2)
                pictures = jnp.where(g.present[..., None], pictures, 0.0)
                tokens = jnp.concatenate([tokens, pictures], axis=-1)
        else:
            both = [("linears_text", text), ("linears_image", image)][: 1 if c.text_only else 2]
            made = [
                _mlp(name, jnp.concatenate([x, position], axis=-1), c.hidden_width, c.width, 2)
                for name, x in both
            ]
            tokens = jnp.concatenate(made, axis=2)
            boxes = jnp.concatenate([boxes] * len(both), axis=2)
        return jnp.concatenate([tokens, boxes], axis=-1) if c.carry_boxes else tokens


def shifted(
    tokens: Float[Array, "batch frame entity width"],
    shift: Float[Array, "batch entity learnt"],
    present: Bool[Array, "batch frame entity"],
) -> Float[Array, "batch frame entity width"]:
    """Tokens moved by what was learnt of their entities, where these are present.

    The shift is of a token's first numbers: all but the box that it may carry (`shift_width`).
    """
    moved = jnp.where(present[..., None], shift[:, None], 0.0)
    rest = tokens.shape[-1] - shift.shape[-1]
    return tokens + jnp.pad(moved, [(0, 0)] * 3 + [(0, rest)]).astype(tokens.dtype)


def shift_width(config: GroundingConfig) -> int:
    """How many numbers of a token are the entity's own: all but its box."""
    pictures = picture_width(config.picture_waves) if config.picture_waves else 0
    return config.width + pictures


def picture_variance(
    config: GroundingConfig,
    params,
    text: Float[Array, "entity text_width"],
    image: Float[Array, "entity image_width"],
) -> Float[Array, " entity"]:
    """How unsure the pictures are that tokens of these embeddings carry; the least is the surest.

    The logarithm of the variance of expected latents, averaged over a box in the middle of the
    frame. An embedding that lies between two looks of a thing has a picture of both, and is unsure.

    Raises:
        ValueError: tokens of this configuration carry no pictures.
    """
    if not config.picture_waves:
        raise ValueError("picture_variance: the tokens of this configuration carry no pictures")
    here = jnp.ones((len(text), 1), bool)
    alone = Grounding(
        boxes=jnp.broadcast_to(jnp.array([0.3, 0.3, 0.7, 0.7]), (len(text), 1, 1, 4)),
        present=here[:, None],
        text=text[:, None],
        image=image[:, None],
        has_text=here,
        has_image=here,
    )
    tokens = GroundingNet(config).apply({"params": params}, alone)
    pictures = unpack(cast(jax.Array, tokens), config.picture_waves)[1]
    # The wave of no periods is the average over the box.
    return cast(jax.Array, pictures)[:, 0, 0, 0, 0, -1]


def _mlp(name: str, x, hidden_width: int, width: int, hidden: int):
    """Linear layers with SiLU between them; two for the fused token as in the paper, three for
    GLIGEN's separate ones and for pictures."""
    for i in range(hidden):
        x = nn.silu(nn.Dense(hidden_width, name=f"{name}_{2 * i}")(x))
    return nn.Dense(width, name=f"{name}_{2 * hidden}")(x)


def init_net(config: GroundingConfig, key: jax.Array) -> dict:
    """All parameters of the grounding MLP."""
    c = config
    nobody = Grounding(
        boxes=jnp.zeros((1, 1, 1, 4)),
        present=jnp.zeros((1, 1, 1), bool),
        text=jnp.zeros((1, 1, c.text_width)),
        image=jnp.zeros((1, 1, c.image_width)),
        has_text=jnp.zeros((1, 1), bool),
        has_image=jnp.zeros((1, 1), bool),
    )
    return GroundingNet(c).init(key, nobody)["params"]
