"""What a scene is made from: who is in it and how they look, its words and tokens, and its noise.

A loaded model and a plan enter; embeddings, `Conditions` and latents leave. Everything random has a
key of its own, made of the seed and of what it is for, so that nothing else in the film changes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vdjax.errors import UserError
from vdjax.ground.tokens import Grounding, shift_width, shifted
from vdjax.plan import VideoPlan, base_name, frame_boxes, identities
from vdjax.plan.boxes import Box
from vdjax.sample.loop import Conditions, Sampler
from vdjax.sample.noise import shared_noise
from vdjax.systems.loaded import LoadedModel, blank_grounding
from vdjax.systems.looks import Look, plain_name


def given_to(
    plan: VideoPlan, images: Mapping[str, UInt8[np.ndarray, "_ _ 3"] | Look]
) -> dict[str, UInt8[np.ndarray, "_ _ 3"] | Look]:
    """Users' pictures and looks by the names that the plan has: "my dog" is its "dog".

    Raises:
        UserError: a name is none of the plan's, or an entity is given two.
    """
    known = {name for scene in plan.scenes for name in scene.entities}
    given: dict[str, UInt8[np.ndarray, "_ _ 3"] | Look] = {}
    for said, picture in images.items():
        name = said if said in known else plain_name(said)
        if name not in known:
            raise UserError(
                f"picture for {said!r}: the plan has no entity of that name; "
                f"it has {', '.join(sorted(known))}"
            )
        if name in given:
            raise UserError(
                f"picture for {said!r}: the plan's {name!r} is given two; leave one out"
            )
        given[name] = picture
    return given


def identity_embeddings(
    model: LoadedModel,
    plan: VideoPlan,
    seed: int,
    pictures: Mapping[str, UInt8[np.ndarray, "_ _ 3"] | Look],
) -> dict[str, Float[Array, " projection"] | Look]:
    """One image embedding per identity of the plan, of a user's picture or drawn by the prior; or a
    trained look.

    Each draw has a key made of the seed and the identity's own name, so that what else is in the
    plan does not change it.
    """
    found: dict[str, Float[Array, " projection"] | Look] = {}
    to_draw: dict[str, str] = {}
    for (_, name), identity in identities(plan).items():
        given = pictures.get(name)
        if isinstance(given, Look):
            given.check(model)
            found[identity] = given
        elif given is not None:
            found[identity] = model.embed_pictures([given])[0]
        else:
            to_draw[identity] = base_name(name)
    root = jax.random.key(seed)
    keys = [jax.random.fold_in(root, zlib.crc32(identity.encode())) for identity in to_draw]
    if to_draw:
        drawn = model.imagine(list(to_draw.values()), keys)
        found.update(zip(to_draw, drawn, strict=True))
    return found


def scene_conditions(
    model: LoadedModel,
    plan: VideoPlan,
    number: int,
    embeddings: Mapping[str, Float[Array, " projection"] | Look],
    frames: int,
    image_grounding: bool = True,
    text_grounding: bool = True,
) -> Conditions:
    """Text states and grounding tokens of scene `number` (from 1), behind unconditional twins.

    Without `image_grounding` or `text_grounding` tokens do not know entities by it.
    """
    scene = plan.scene(number)
    text_states = model.encode_text(["", scene.description])
    if "net" not in model.params:
        return Conditions(text=text_states, grounding=_no_tokens(model, frames))
    who = identities(plan)
    names = [*scene.entities, scene.background]
    whole: list[Box | None] = [(0.0, 0.0, 1.0, 1.0)] * frames
    boxes = [*frame_boxes(scene, frames).values(), whole]
    blank = blank_grounding(model.preset, 1, frames)
    size = blank.boxes.shape[2]
    if len(names) > size:
        raise UserError(
            f"scene {number} has {len(names) - 1} entities; this model takes at most {size - 1}"
        )
    # The background keeps the last token; entities fill the first ones, null tokens the rest.
    places = [*range(len(names) - 1), size - 1]
    box_array = np.zeros((1, frames, size, 4), np.float32)
    present = np.zeros((1, frames, size), bool)
    for place, track in zip(places, boxes, strict=True):
        for frame, box in enumerate(track):
            if box is not None:
                box_array[0, frame, place], present[0, frame, place] = box, True
    text = np.zeros(blank.text.shape, np.float32)
    image = np.zeros(blank.image.shape, np.float32)
    text[0, places] = model.tell_entities([base_name(name) for name in names])
    looks: list[Array | Look] = []
    if uses_images(model):
        looks = [embeddings[who[number, name]] for name in names]
        image[0, places] = [x.embedding if isinstance(x, Look) else np.asarray(x) for x in looks]
    has = np.zeros((1, size), bool)
    has[0, places] = True
    conditional = Grounding(
        boxes=jnp.asarray(box_array),
        present=jnp.asarray(present),
        text=jnp.asarray(text),
        image=jnp.asarray(image),
        has_text=jnp.asarray(has & text_grounding),
        has_image=jnp.asarray(has & (image_grounding and uses_images(model))),
    )
    both = jax.tree_util.tree_map(
        lambda a, b: jnp.concatenate([a, b]), conditional.nothing(), conditional
    )
    tokens = model.ground(both)
    learnt = {place: x for place, x in zip(places, looks, strict=False) if isinstance(x, Look)}
    if learnt:
        shift = np.zeros((2, size, shift_width(model.preset.grounding)), np.float32)
        for place, look in learnt.items():
            shift[1, place] = look.shift
        tokens = shifted(tokens, jnp.asarray(shift), both.present)
    return Conditions(text=text_states, grounding=tokens)


def uses_images(model: LoadedModel) -> bool:
    """Whether an entity's token is also of a picture. GLIGEN's own tokens of pictures are not made
    here: their features are of another space than the prior draws from."""
    grounding = model.preset.grounding
    return "net" in model.params and not (grounding.text_only or grounding.raw_features)


def _no_tokens(model: LoadedModel, frames: int) -> Float[Array, "2 frame 1 width"]:
    """What stands where a network without gated layers would have its tokens; nobody reads it."""
    return jnp.zeros((2, frames, 1, model.preset.unet.grounding_width))


def sampler_of(model: LoadedModel, scheduler: str, steps: int) -> Sampler:
    """What denoises the model's scenes."""
    return Sampler(
        unet=model.preset.unet,
        noise=model.preset.noise,
        scheduler=scheduler,
        num_inference_steps=steps,
    )


def start_latents(
    model: LoadedModel, key: jax.Array, frames: int
) -> Float[Array, "1 frame height width channel"]:
    """The noise a scene starts from; its frames share what the preset says."""
    u = model.preset.unet
    shape = (1, frames, u.sample_size, u.sample_size, u.in_channels)
    return shared_noise(key, shape, model.preset.shared_noise)
