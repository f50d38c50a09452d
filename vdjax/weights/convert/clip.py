"""transformers' CLIP: text towers, image towers, or both, with or without their shared space.

ModelScope's and Stable Diffusion 2's text encoder (ViT-H/14, 23 layers, exact GELU), Stable
Diffusion 1's and Karlo's (ViT-L/14), and OpenAI's whole ViT-L/14. A tower that a file has not is
left out of the tree; the encoder's parameters go by transformers' own Flax names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vdjax.errors import WeightsError
from vdjax.model.hf import CLIP, CLIPConfig
from vdjax.model.params import leaf_shapes
from vdjax.weights.convert.rules import Rule, linear, norm, under
from vdjax.weights.convert.settings import kind_of, read_settings

TEXT = ("CLIPTextModel", "CLIPTextModelWithProjection")
VISION = ("CLIPVisionModelWithProjection",)
BOTH = ("CLIPModel",)
KINDS = (*TEXT, *VISION, *BOTH)

_TOWER, _SAME = "{tower:text_model|vision_model}", "{tower}"
_LAYER = (
    *(
        rule
        for name in ("q_proj", "k_proj", "v_proj", "out_proj")
        for rule in linear(f"self_attn.{name}")
    ),
    *linear("mlp.fc1"),
    *linear("mlp.fc2"),
    *norm("layer_norm1"),
    *norm("layer_norm2"),
)
RULES = (
    Rule(
        "text_model.embeddings.token_embedding.weight",
        "text_model/embeddings/token_embedding/embedding",
    ),
    Rule(
        f"{_TOWER}.embeddings.position_embedding.weight",
        f"{_SAME}/embeddings/position_embedding/embedding",
    ),
    Rule(f"{_TOWER}.embeddings.position_ids", "", "drop"),  # until transformers 4.31
    Rule("vision_model.embeddings.class_embedding", "vision_model/embeddings/class_embedding"),
    Rule(
        "vision_model.embeddings.patch_embedding.weight",
        "vision_model/embeddings/patch_embedding/kernel",
        "conv",
    ),
    *under(f"{_TOWER}.encoder.layers.{{i}}", f"{_SAME}/encoder/layers/{{i}}", _LAYER),
    *norm("text_model.final_layer_norm"),
    *norm("vision_model.{norm:pre_layrnorm|post_layernorm}"),
    *linear("{kind:text|visual}_projection", bias=False),
    Rule("logit_scale", "logit_scale"),
)

_TOWER_SIZES = {
    "hidden_size": None,
    "intermediate_size": None,
    "num_hidden_layers": 12,
    "num_attention_heads": None,
    "hidden_act": "quick_gelu",
    "projection_dim": 512,
}
_TEXT_SIZES = {
    **_TOWER_SIZES,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 8,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
}
_VISION_SIZES = {
    **_TOWER_SIZES,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
}
_FIXED = {"layer_norm_eps": 1e-5, "num_channels": 3}
# What says how a model is trained, saved or written by, and nothing about its arithmetic here.
_INERT = (
    *("attention_dropout", "dropout", "initializer_factor", "initializer_range", "model_type"),
    *("pad_token_id", "architectures", "torch_dtype", "dtype", "transformers_version"),
    *("logit_scale_init_value", "text_config_dict", "vision_config_dict", "return_dict"),
    *("output_attentions", "output_hidden_states", "use_cache", "use_bfloat16", "torchscript"),
    *("tie_word_embeddings", "tie_encoder_decoder", "gradient_checkpointing", "pruned_heads"),
    *("is_decoder", "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size"),
    *("chunk_size_feed_forward", "finetuning_task", "id2label", "label2id", "problem_type"),
    *("prefix", "task_specific_params", "tokenizer_class", "sep_token_id", "tf_legacy_loss"),
    *("decoder_start_token_id", "begin_suppress_tokens", "suppress_tokens", "bad_words_ids"),
    *("max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups"),
    *("diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty"),
    *("length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size"),
    *("num_return_sequences", "output_scores", "return_dict_in_generate"),
    *("forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"),
    *("exponential_decay_length_penalty",),
)


def configure(data: Mapping[str, Any]) -> CLIPConfig:
    """Our configuration of a config.json.

    Raises:
        WeightsError: it is not of a CLIP, or of one that vdjax has not.
    """
    kind = kind_of(data)
    if kind in TEXT:
        config = _text(data, TEXT)
        return config if kind.endswith("Projection") else replace(config, projection_dim=0)
    if kind in VISION:
        return _vision(data, VISION, CLIPConfig(text_layers=0))
    outer = read_settings(
        data,
        kinds=KINDS,
        sizes={"projection_dim": 512, "text_config": {}, "vision_config": {}},
        fixed={},
        ignored=_INERT,
    )
    own = {"architectures": ["CLIPModel"], "projection_dim": outer["projection_dim"]}
    config = _text({**outer["text_config"], **own}, BOTH)
    config = _vision({**outer["vision_config"], **own}, BOTH, config)
    return config


def _text(data: Mapping[str, Any], kinds) -> CLIPConfig:
    s = read_settings(data, kinds=kinds, sizes=_TEXT_SIZES, fixed=_FIXED, ignored=_INERT)
    _check_tower(s)
    return CLIPConfig(
        vocab_size=s["vocab_size"],
        text_positions=s["max_position_embeddings"],
        text_width=s["hidden_size"],
        text_layers=s["num_hidden_layers"],
        text_heads=s["num_attention_heads"],
        vision_layers=0,
        projection_dim=s["projection_dim"],
        bos_token_id=s["bos_token_id"],
        eos_token_id=s["eos_token_id"],
        activation=s["hidden_act"],
    )


def _vision(data: Mapping[str, Any], kinds, config: CLIPConfig) -> CLIPConfig:
    s = read_settings(data, kinds=kinds, sizes=_VISION_SIZES, fixed=_FIXED, ignored=_INERT)
    _check_tower(s)
    if config.text_layers and s["hidden_act"] != config.activation:
        raise WeightsError(
            f"CLIPModel: hidden_act is {config.activation!r} for text and {s['hidden_act']!r} for "
            "pictures; vdjax's towers have one"
        )
    normal = CLIPConfig.vit_l()
    return replace(
        config,
        image_size=s["image_size"],
        patch_size=s["patch_size"],
        vision_width=s["hidden_size"],
        vision_layers=s["num_hidden_layers"],
        vision_heads=s["num_attention_heads"],
        projection_dim=s["projection_dim"],
        activation=s["hidden_act"],
        image_mean=normal.image_mean,
        image_std=normal.image_std,
    )


def _check_tower(sizes: Mapping[str, Any]) -> None:
    if sizes["intermediate_size"] != 4 * sizes["hidden_size"]:
        raise WeightsError(
            f"CLIP: intermediate_size is {sizes['intermediate_size']}; vdjax's is four times the "
            f"hidden_size of {sizes['hidden_size']}"
        )
    if sizes["hidden_act"] not in ("gelu", "quick_gelu"):
        raise WeightsError(
            f"CLIP: hidden_act is {sizes['hidden_act']!r}; vdjax has 'gelu' and 'quick_gelu'"
        )


def wanted(config: CLIPConfig) -> dict[str, tuple[int, ...]]:
    """Our leaves and their shapes."""
    return leaf_shapes(CLIP(config).init)
