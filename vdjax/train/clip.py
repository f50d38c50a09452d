"""Stage 2: a small CLIP whose two towers learn the storybook world.

Close-ups, backgrounds and whole scenes enter with their captions; one embedding space leaves. The
loss is CLIP's (Radford et al. 2021) with several positives per row: "a cat" is right for every cat
in the batch, "a glossy cat" only for that look. A second, picture-to-picture term of the same form
pulls together close-ups of one drawing and apart those of other looks: the embedding must carry
identity, for that is what the grounding tokens use it for. This term is ours; the paper takes CLIP
as trained elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from vdjax.data.storybook import BACKGROUNDS, LOOK_WORDS, LOOKS, NAMES, StorybookWorld
from vdjax.ground.tokenizer import Tokenizer, learn_tokenizer
from vdjax.model.hf import CLIP, CLIPConfig
from vdjax.train.stage import Schedule, listed

# This share of a batch are close-ups; of the rest, half are bare backgrounds and half whole scenes.
CLOSE_UP_SHARE = 0.85
PLAIN_NAME_SHARE = 0.3  # close-ups captioned by their bare name, as a plan names them
TEMPERATURE = 0.07  # CLIP's initial temperature; learnt from there
ANY = -1


def ensure_tokenizer(path: Path, config: CLIPConfig, seed: int) -> Tokenizer:
    """The tokenizer in `path`, learnt from 3,000 training captions where there is none yet."""
    if not path.exists():
        world = StorybookWorld(split="train", seed=seed)
        texts = [world.clip(i).caption for i in range(1000)]
        texts += [world.image(i).caption for i in range(2000)]
        texts += list(NAMES) + list(BACKGROUNDS) + [*LOOK_WORDS.values()] * 50
        learn_tokenizer(texts, path, config.vocab_size)
    return Tokenizer(path, config.text_positions)


@dataclass(frozen=True, kw_only=True)
class CLIPStage:
    config: CLIPConfig
    schedule: Schedule
    tokenizer_path: Path
    name: str = "clip"
    renders: bool = True

    @cached_property
    def model(self) -> CLIP:
        return CLIP(self.config)

    @cached_property
    def world(self) -> StorybookWorld:
        return StorybookWorld(split="train", seed=self.schedule.seed)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return ensure_tokenizer(self.tokenizer_path, self.config, self.schedule.seed)

    def describe(self) -> dict[str, Any]:
        return {"config": listed(self.config), "seed": self.schedule.seed}

    def init(self):
        self.tokenizer  # noqa: B018  (learnt before training starts, not in the data thread)
        return dict(self.model.init(jax.random.key(self.schedule.seed))), {}

    def batch(self, step: int) -> dict[str, np.ndarray]:
        size, side = self.schedule.batch_size, self.config.image_size
        rng = np.random.default_rng([self.schedule.seed, 11, step])
        close_ups = round(size * CLOSE_UP_SHARE)
        images, captions, subjects, looks, named = [], [], [], [], []
        for i in range(size):
            index = step * size + i
            if i < close_ups:
                image, name, look, caption = self.world.crop(index)
                if rng.random() < PLAIN_NAME_SHARE:
                    caption = name
                subject, look_id = NAMES.index(name), LOOKS.index(look)
                told = look_id if LOOK_WORDS[look] in caption else ANY
            else:
                clip = self.world.image(index)
                if i % 2:
                    image, caption = clip.backdrop, clip.background
                    subject, look_id, told = (
                        len(NAMES) + BACKGROUNDS.index(clip.background),
                        ANY,
                        ANY,
                    )
                else:
                    image = clip.frames[0]
                    caption = clip.caption
                    subject, look_id, told = 1000 + i, ANY, ANY  # a scene is like no other
            images.append(np.asarray(Image.fromarray(image).resize((side, side))))
            captions.append(caption)
            subjects.append(subject)
            looks.append(look_id)
            named.append(told)
        return {
            "images": np.stack(images),
            "ids": self.tokenizer(captions),
            "subject": np.array(subjects, np.int32),
            "look": np.array(looks, np.int32),
            "told_look": np.array(named, np.int32),
        }

    def loss(self, params, frozen, batch, key):
        del frozen, key
        images = batch["images"].astype(jnp.float32) / 127.5 - 1.0
        text = self.model.embed_text(params, batch["ids"])
        image = self.model.embed_image(params, images)
        scale = jnp.exp(params["logit_scale"])
        same = batch["subject"][:, None] == batch["subject"][None, :]
        told = batch["told_look"][:, None]
        fits = same & ((told == ANY) | (told == batch["look"][None, :]))  # text row, image column
        logits = scale * text @ image.T
        to_image = _soft_cross_entropy(logits, fits)
        to_text = _soft_cross_entropy(logits.T, fits.T)
        # The same drawing: one name and one look (scenes and backgrounds: only themselves).
        drawing = same & (batch["look"][:, None] == batch["look"][None, :])
        drawing &= batch["look"][:, None] != ANY
        alone = jnp.eye(drawing.shape[0], dtype=bool)
        pair_logits = jnp.where(alone, -1e9, image @ image.T / TEMPERATURE)
        identity = _soft_cross_entropy(pair_logits, drawing & ~alone)
        hit = jnp.take_along_axis(fits, logits.argmax(1)[:, None], axis=1).mean()
        nearest = jnp.take_along_axis(drawing, pair_logits.argmax(1)[:, None], axis=1)
        has_twin = (drawing & ~alone).any(1)
        twin = (nearest[:, 0] & has_twin).sum() / jnp.maximum(has_twin.sum(), 1)
        loss = 0.5 * (to_image + to_text) + identity
        return loss, {
            "text_to_image": hit,
            "same_drawing": twin,
            "contrast": to_image,
            "identity": identity,
        }

    def export(self, params, frozen):
        del frozen
        return params, listed(self.config)


def _soft_cross_entropy(logits, positives):
    """Cross-entropy to equal shares of each row's positives; rows without any don't count."""
    log_p = jax.nn.log_softmax(logits, axis=-1)
    count = positives.sum(-1)
    row = -(jnp.where(positives, log_p, 0.0).sum(-1)) / jnp.maximum(count, 1)
    return jnp.where(count > 0, row, 0.0).sum() / jnp.maximum((count > 0).sum(), 1)
