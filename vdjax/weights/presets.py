"""The sizes of the one code path: a preset names every configuration of a system.

`storybook` ships trained; `toy` is random and tiny, for tests and for the from-scratch parts of
notebooks. The full sizes hold public weights, once converted: `modelscope`, `lvd` (the same with
gated layers), `videodirectorgpt` (with the paper's fused tokens), and the image models `sd15` and
`sd21`. A preset travels inside the weights as JSON; unknown keys are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vdjax.errors import UserError
from vdjax.ground.prior import PriorConfig
from vdjax.ground.tokens import GroundingConfig
from vdjax.model.boxes import picture_width
from vdjax.model.hf import AutoencoderConfig, CLIPConfig, NoiseConfig
from vdjax.model.unet3d import UNet3DConfig

PICTURE_WAVES = 8  # of the storybook preset: the finest wave is a cell in a box eight cells wide

PUBLIC_SYSTEMS = {
    "modelscope": "ali-vilab/text-to-video-ms-1.7b",
    "lvd": "longlian/text-to-video-lvd-ms",
    "videodirectorgpt": "ali-vilab/text-to-video-ms-1.7b",
    "sd15": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sd21": "stabilityai/stable-diffusion-2-1",
}
"""Where the public weights of a preset are. The paper's fused tokens have none: LVD's are of text
alone, and `videodirectorgpt` begins with the network it was made from."""

PUBLIC_PARTS = {
    "unet": ("UNet", "ali-vilab/text-to-video-ms-1.7b"),
    "autoencoder": ("autoencoder", "ali-vilab/text-to-video-ms-1.7b:vae"),
    "text_encoder": ("text encoder", "ali-vilab/text-to-video-ms-1.7b:text_encoder"),
    "clip": ("CLIP of texts and pictures", "openai/clip-vit-large-patch14"),
    "prior": ("prior", "kakaobrain/karlo-v1-alpha:prior"),
}
"""What a part is called, and where public weights of it are."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Every configuration of one system.

    `clip` tells who is in a scene, in text and pictures; `text_encoder` reads what happens there,
    where that is another network than `clip`. `num_inference_steps` and `guidance_scale` are what a
    film is made with unless it is told otherwise: a guidance of 2 is chosen on 102 of the held-out
    plans of the storybook weights (the other 48 confirm it, see the model card), and more than 4
    steps gain nothing there; ModelScope's own are 50 and 9 (diffusers: TextToVideoSDPipeline),
    Stable Diffusion's 50 and 7.5.

    `shared_noise` is the share of the noise's variance that the frames of a clip have in common
    (PYoCo's mixed noise, Ge et al. 2023): 0 for full-size weights, which were trained without.
    """

    name: str
    num_frames: int = 16
    shared_noise: float = 0.0
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    clip: CLIPConfig = field(default_factory=CLIPConfig)
    text_encoder: CLIPConfig | None = field(default=None, metadata={"kind": CLIPConfig})
    unet: UNet3DConfig = field(default_factory=UNet3DConfig)
    grounding: GroundingConfig = field(default_factory=GroundingConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    num_inference_steps: int = 4
    guidance_scale: float = 2.0

    @property
    def scene_text(self) -> CLIPConfig:
        """What reads the text of scenes."""
        return self.text_encoder or self.clip

    @classmethod
    def storybook(cls) -> Preset:
        """16 frames of 128 × 128 pixels, latents 16 × 16 × 4; runs on a laptop's CPU.

        Velocity prediction and mostly shared noise are chosen for a model that learns from few
        samples.
        """
        return cls(
            name="storybook",
            shared_noise=0.95,
            unet=UNet3DConfig(
                block_out_channels=(64, 128, 192),
                grounding_width=128 + picture_width(PICTURE_WAVES) + 4,
                box_geometry=True,
                picture_waves=PICTURE_WAVES,
            ),
            grounding=GroundingConfig(carry_boxes=True, picture_waves=PICTURE_WAVES),
            noise=NoiseConfig(prediction_type="v_prediction"),
        )

    @classmethod
    def toy(cls) -> Preset:
        """The same parts, as small as they get: random weights, for tests."""
        width = 32
        return cls(
            name="toy",
            num_frames=4,
            autoencoder=AutoencoderConfig(
                block_out_channels=(8, 8, 8, 8), norm_num_groups=4, sample_size=64
            ),
            clip=CLIPConfig(
                vocab_size=128,
                text_positions=16,
                text_width=width,
                text_layers=1,
                text_heads=2,
                image_size=16,
                vision_width=width,
                vision_layers=1,
                vision_heads=2,
                projection_dim=width,
            ),
            unet=UNet3DConfig(
                sample_size=8,
                block_out_channels=(32, 64),
                attention=(True, True),
                text_width=width,
                grounding_width=width,
                head_dim=16,
                norm_num_groups=8,
            ),
            grounding=GroundingConfig(
                text_width=width,
                image_width=width,
                projection_width=width,
                hidden_width=width,
                width=width,
            ),
            prior=PriorConfig(
                embedding_width=width,
                text_width=width,
                width=width,
                layers=1,
                heads=2,
                text_length=16,
                num_inference_steps=3,
            ),
        )

    @classmethod
    def modelscope(cls) -> Preset:
        """ModelScope's text-to-video network: 16 frames of 256 × 256, 1,411,233,860 parameters.

        Values are those of its configuration in diffusers (unet_3d_condition.py's defaults).
        """
        return cls(
            name="modelscope",
            autoencoder=AutoencoderConfig.stable_diffusion(256),
            clip=CLIPConfig.vit_h_text(),
            unet=_MODELSCOPE,
            num_inference_steps=50,
            guidance_scale=9.0,
        )

    @classmethod
    def lvd(cls) -> Preset:
        """ModelScope with LVD's gated layers; an entity's token is made of its text and box."""
        return replace(
            cls.modelscope(),
            name="lvd",
            unet=replace(_MODELSCOPE, gated=True),
            grounding=GroundingConfig(
                text_width=1024, fused=False, text_only=True, raw_features=True, **_GLIGEN
            ),
        )

    @classmethod
    def videodirectorgpt(cls) -> Preset:
        """ModelScope with the paper's gated layers: one token of image, text and box per entity.

        Entities are told by ViT-L/14, as Karlo's prior needs it; scenes are read by ModelScope's
        text encoder.

        The paper names the parts of the grounding MLP but not their widths (section 3.2). Ours are
        CLIP ViT-L/14's 768 for both projections, as for what enters them, and GLIGEN's elsewhere.
        """
        return replace(
            cls.lvd(),
            name="videodirectorgpt",
            clip=CLIPConfig.vit_l(),
            text_encoder=CLIPConfig.vit_h_text(),
            prior=PriorConfig.karlo(),
            grounding=GroundingConfig(
                text_width=768, image_width=768, projection_width=768, **_GLIGEN
            ),
        )

    @classmethod
    def sd15(cls) -> Preset:
        """Stable Diffusion 1.5 as a network of one frame: 512 × 512 pixels, 8 heads everywhere."""
        unet = replace(
            _MODELSCOPE,
            sample_size=64,
            text_width=768,
            grounding_width=768,
            num_heads=(8,) * 4,
            temporal=False,
        )
        return cls(
            name="sd15",
            num_frames=1,
            autoencoder=AutoencoderConfig.stable_diffusion(512),
            clip=CLIPConfig.vit_l(),
            unet=unet,
            num_inference_steps=50,
            guidance_scale=7.5,
        )

    @classmethod
    def sd21(cls) -> Preset:
        """Stable Diffusion 2.1 as a network of one frame: 768 × 768 pixels, heads 64 wide."""
        return cls(
            name="sd21",
            num_frames=1,
            autoencoder=AutoencoderConfig.stable_diffusion(768),
            clip=CLIPConfig.vit_h_text(),
            unet=replace(_MODELSCOPE, sample_size=96, temporal=False),
            noise=NoiseConfig(prediction_type="v_prediction"),
            num_inference_steps=50,
            guidance_scale=7.5,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they are stored in a weights file."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preset:
        """The preset that `to_json` wrote.

        Raises:
            UserError: a field is unknown to this version of the package.
        """
        preset: Preset = build_config(cls, data, "preset")
        return preset


_MODELSCOPE = UNet3DConfig(
    sample_size=32,
    block_out_channels=(320, 640, 1280, 1280),
    attention=(True, True, True, False),
    layers_per_block=2,
    text_width=1024,
    grounding_width=1024,
    head_dim=64,
    input_temporal_heads=8,
    gated=False,
)

_GLIGEN: dict[str, Any] = {"hidden_width": 512, "width": 1024, "max_entities": 30}

PRESETS = {
    "storybook": Preset.storybook,
    "toy": Preset.toy,
    "modelscope": Preset.modelscope,
    "lvd": Preset.lvd,
    "videodirectorgpt": Preset.videodirectorgpt,
    "sd15": Preset.sd15,
    "sd21": Preset.sd21,
}


def get_preset(name: str) -> Preset:
    """A preset by its name.

    Raises:
        UserError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise UserError(f"preset {name!r} is unknown: use one of {', '.join(sorted(PRESETS))}")
    return PRESETS[name]()


def build_config(kind: type, data: Any, where: str) -> Any:
    """A configuration of that class from plain values, configurations within it too.

    Raises:
        UserError: a field, named beside `where`, is unknown to this version of the package, or has
            a value of another kind than it can have.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"{where} is {data!r}: it must be fields and their values")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(data) - set(fields)):
        raise UserError(
            f"{where}: unknown field {unknown[0]!r}; known are {', '.join(fields)}; "
            "these weights may need a newer vdjax"
        )
    values = {}
    for name, value in data.items():
        default = fields[name].default_factory
        nested = fields[name].metadata.get("kind")
        if default is not dataclasses.MISSING:
            nested = type(default())
        if nested and value is not None:
            value = build_config(nested, value, f"{where}.{name}")
        values[name] = tuple(value) if isinstance(value, list) else value
        _check_kind(f"{where}.{name}", values[name], fields[name].default)
    return kind(**values)


def _check_kind(where: str, value: Any, default: Any) -> None:
    """Refuse a value not of the default's kind; where there is no default, anything goes."""
    if default is dataclasses.MISSING or default is None:
        return
    kind = type(default)
    known = isinstance(value, (int, float)) if kind is float else isinstance(value, kind)
    if not known or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{where} is {value!r}: it must be of type {kind.__name__}, like {default}")
