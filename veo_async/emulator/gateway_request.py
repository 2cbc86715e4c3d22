"""Orders out of the flat bodies that gateways take: one object, a prompt, a few wishes, pictures by URL."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from veo_async.emulator.documents import Object, digest_of, prompt_of, sha256_hex
from veo_async.emulator.models import find_model, frame_size
from veo_async.emulator.orders import Order, Segment
from veo_async.emulator.refusals import invalid

_FULL_LENGTH_S: Final = 8


@frozen(kw_only=True)
class Wishes:
    """What a gateway's body asks for beside the prompt."""

    resolution: str = "720p"
    aspect_ratio: str = "16:9"
    seconds: int = _FULL_LENGTH_S
    seed: int = 0
    image: bytes | None = None
    """The picture to begin with, where its bytes came along; nothing is fetched from URLs."""
    upsampling: bool = False
    """Whether a 720p video shall be enlarged to the resolution."""


def gateway_order(way: str, name: str, fields: Object, wishes: Wishes) -> Order:
    """The order that a gateway's body comes to.

    Args:
        way: the surface and what else of the path tells this request from another with the same body.
        name: the model's name, with or without a hyphen behind ``veo``.
        fields: the whole body, for the bill.
        wishes: what was read out of it.

    Raises:
        RefusedError: the prompt or the model is none, or the model doesn't make such videos.
    """
    prompt = prompt_of(fields)
    model = find_model(name, f"The model `{name}` does not exist or is not available to this key.")
    if wishes.seconds not in model.durations:
        raise invalid(f"A video can be {model.durations} seconds long, not {wishes.seconds}.")
    # Enlarging is the gateway's own work, whatever the model can do.
    if wishes.resolution not in model.resolutions and not wishes.upsampling:
        raise invalid(f"`{wishes.resolution}` isn't supported by this model.")
    width, height = frame_size(wishes.resolution, wishes.aspect_ratio)
    shown = None if wishes.image is None else sha256_hex(wishes.image)
    segment = Segment(prompt=prompt, seconds=wishes.seconds, image=shown, seed=wishes.seed)
    return Order(
        model=name,
        prompt=prompt,
        resolution=wishes.resolution,
        width=width,
        height=height,
        segments=(segment,),
        upsampling=wishes.upsampling,
        digest=digest_of(way, name, fields),
        request=fields,
    )


def model_in(fields: Mapping[str, Any]) -> str:
    """The model that a body names.

    Raises:
        RefusedError: it names none.
    """
    name = fields.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("`model` must be the name of a model.")
    return name
