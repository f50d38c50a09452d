"""GLIGEN's parts, in an image model's UNet or, as LVD has them, in ModelScope's.

A fuser in every spatial transformer (diffusers: GatedSelfAttentionDense) and one position net
(GLIGENTextBoundingboxProjection): of text alone ("gated"), or of text and image, a token each
("gated-text-image").
"""

from __future__ import annotations

from typing import Any

from vdjax.errors import WeightsError
from vdjax.ground.tokens import GroundingConfig
from vdjax.weights.convert.rules import Rule, linear, norm, under
from vdjax.weights.convert.unets import FEED_FORWARD, POSITION_NET, attention, layers

HIDDEN_WIDTH = 512  # diffusers: embeddings.py, GLIGENTextBoundingboxProjection
MAX_ENTITIES = 30  # gligen: its data sets' max_boxes, and diffusers' pipelines

FUSERS = layers(
    "attentions",
    under(
        "transformer_blocks.0.fuser",
        "transformer_blocks_0/fuser",
        (
            *linear("linear"),
            *norm("norm{n:1|2}"),
            *attention("attn"),
            *FEED_FORWARD,
            Rule("alpha_{gate:attn|dense}", "alpha_{gate}"),
        ),
    ),
)
_NULL_POSITION = Rule("null_position_feature", "null_position_feature")
TEXT_NET = under(
    POSITION_NET,
    POSITION_NET,
    (
        *linear("linears.{n:0|2|4}", "linears_text_{n}"),
        Rule("null_positive_feature", "null_text_feature"),
        _NULL_POSITION,
    ),
)
TEXT_IMAGE_NET = under(
    POSITION_NET,
    POSITION_NET,
    (
        *linear("linears_{of:text|image}.{n:0|2|4}", "linears_{of}_{n}"),
        Rule("null_{of:text|image}_feature", "null_{of}_feature"),
        _NULL_POSITION,
    ),
)

_NETS: dict[str, tuple[Rule, ...]] = {
    "default": (),
    "gated": TEXT_NET,
    "gated-text-image": TEXT_IMAGE_NET,
}


def gated_rules(grounding: GroundingConfig | None) -> tuple[Rule, ...]:
    """The rules of the fusers, and of the position net that feeds them."""
    if grounding is None:
        return ()
    return (*FUSERS, *(TEXT_NET if grounding.text_only else TEXT_IMAGE_NET))


def grounding_of(kind: str, attention_type: str, text_width: int) -> GroundingConfig | None:
    """The grounding MLP that an `attention_type` in a config.json means.

    Raises:
        WeightsError: it is none of diffusers'.
    """
    if attention_type not in _NETS:
        raise WeightsError(
            f"{kind}: attention_type is {attention_type!r}; vdjax has {' and '.join(_NETS)}"
        )
    if attention_type == "default":
        return None
    sizes: dict[str, Any] = {"hidden_width": HIDDEN_WIDTH, "max_entities": MAX_ENTITIES}
    # diffusers: what enters is as wide as the text that the UNet reads, and so are the tokens.
    text_only = attention_type == "gated"
    return GroundingConfig(
        text_width=text_width,
        image_width=GroundingConfig().image_width if text_only else text_width,
        width=text_width,
        fused=False,
        text_only=text_only,
        raw_features=True,
        **sizes,
    )
