"""diffusers' PriorTransformer: Karlo's prior, from a text's embedding to that of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vdjax.errors import WeightsError
from vdjax.ground.prior import PriorConfig, init_prior
from vdjax.model.params import leaf_shapes
from vdjax.weights.convert.rules import Rule, linear, norm, under
from vdjax.weights.convert.settings import read_settings

KINDS = ("PriorTransformer",)

_BLOCK = (
    *norm("norm1"),
    *linear("attn1.{part:to_q|to_k|to_v}"),
    *linear("attn1.to_out.0", "attn1/to_out"),
    *norm("norm3"),
    *linear("ff.net.0.proj", "ff_net_0_proj"),
    *linear("ff.net.2", "ff_net_2"),
)
RULES = (
    *linear("time_embedding.linear_{i}", "network/time_embedding/linear_{i}"),
    *linear("{name:proj_in|embedding_proj|encoder_hidden_states_proj}", "network/{name}"),
    *linear("proj_to_clip_embeddings", "network/proj_to_clip_embeddings"),
    Rule("{name:prd|positional}_embedding", "network/{name}_embedding"),
    *under("transformer_blocks.{i}", "network/transformer_blocks_{i}", _BLOCK),
    *norm("norm_out", "network/norm_out"),
    Rule("{name:clip_mean|clip_std}", "{name}", "row"),
)


def configure(data: Mapping[str, Any]) -> PriorConfig:
    """Our configuration of a config.json; sampling is Karlo's.

    Raises:
        WeightsError: it is not of a PriorTransformer, or of one that vdjax has not.
    """
    s = read_settings(
        data,
        kinds=KINDS,
        sizes={
            "embedding_dim": 768,
            "num_attention_heads": 32,
            "attention_head_dim": 64,
            "num_layers": 20,
            "num_embeddings": 77,
            "time_embed_dim": None,
            "embedding_proj_dim": None,
            "clip_embed_dim": None,
        },
        fixed={
            "additional_embeddings": 4,
            "time_embed_act_fn": "silu",
            "norm_in_type": None,
            "embedding_proj_norm_type": None,
            "encoder_hid_proj_type": "linear",
            "added_emb_type": "prd",
        },
        ignored=("dropout",),
    )
    width, embedding = s["num_attention_heads"] * s["attention_head_dim"], s["embedding_dim"]
    for name, meant in (
        ("time_embed_dim", width),
        ("embedding_proj_dim", embedding),
        ("clip_embed_dim", embedding),
    ):
        if s[name] not in (None, meant):
            raise WeightsError(f"PriorTransformer: {name} is {s[name]}; vdjax's is {meant} here")
    karlo = PriorConfig.karlo()
    return PriorConfig(
        embedding_width=embedding,
        text_width=embedding,
        width=width,
        layers=s["num_layers"],
        heads=s["num_attention_heads"],
        text_length=s["num_embeddings"],
        num_inference_steps=karlo.num_inference_steps,
        guidance_scale=karlo.guidance_scale,
        sample_clip=karlo.sample_clip,
        unit_text=karlo.unit_text,
        mask_padding=karlo.mask_padding,
        draws=karlo.draws,
    )


def wanted(config: PriorConfig) -> dict[str, tuple[int, ...]]:
    """Our leaves and their shapes: the network's, and the statistics of its embeddings."""
    return leaf_shapes(lambda key: init_prior(config, key))
