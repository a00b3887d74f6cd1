"""Convolutions and normalizations of torch in all their options, against autograd."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from support.engine_agreement import DOUBLE, assert_model_agrees, normal, squares

B = 4

CONVOLUTIONS: list[dict[str, object]] = [
    {}, {"stride": 2}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"groups": 2}, {"bias": False},
    {"groups": 4}, {"padding_mode": "zeros", "padding": 2},
]  # fmt: skip


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("kind", [
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_convolutions(kind: type[nn.Module], options: dict, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    axes = int(kind.__name__[-2])
    if "Transpose" in kind.__name__ and options.get("stride"):
        options = options | {"output_padding": 1}
    model, x = nn.Sequential(nn.Conv1d(2, 4, 1) if axes == 1 else nn.Identity(), kind(4, 4, 2, **options)), None
    x = normal(3, 2 if axes == 1 else 4, *[5] * axes, dtype=dtype)
    assert_model_agrees(model.to(dtype), lambda m: squares(m(x).sin()), dtype=dtype)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_convolutions_padded_otherwise(mode: str) -> None:
    torch.manual_seed(0)
    model, x = nn.Conv2d(2, 3, 3, padding=2, padding_mode=mode).double(), normal(B, 2, B, B)
    assert_model_agrees(nn.Sequential(model, nn.Tanh()), lambda m: squares(m(x)))


def test_a_convolution_of_one_image_of_an_instance_each() -> None:
    """Frames and channels laid aside: several images an instance, or instances as channels."""
    torch.manual_seed(0)
    x = normal(B, 3, 2, 5, 5)
    model = nn.Conv2d(2, 3, 2).double()
    assert_model_agrees(model, lambda m: squares(m(x.flatten(0, 1)).unflatten(0, (B, 3))))
    assert_model_agrees(
        model, lambda m: squares(m(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (3, B)).transpose(0, 1))
    )
    assert_model_agrees(model, lambda m: torch.stack([m(image[0]).square().sum() for image in x]))
    one = nn.Conv1d(1, 2, 2).double()
    assert_model_agrees(one, lambda m: squares(m(normal(B, 6).unsqueeze(1))))


NORMALIZATIONS: dict[str, Callable[[], nn.Module]] = {
    "layer": lambda: nn.LayerNorm(B),
    "layer, two axes": lambda: nn.LayerNorm((B, B)),
    "layer without bias": lambda: nn.LayerNorm(B, bias=False),
    "rms": lambda: nn.RMSNorm(B),
    "group": lambda: nn.GroupNorm(2, B),
    "instance": lambda: nn.InstanceNorm1d(B, affine=True),
    "instance, running": lambda: nn.InstanceNorm1d(B, affine=True, track_running_stats=True),
    "instance, running, eval": lambda: nn.InstanceNorm1d(B, affine=True, track_running_stats=True).eval(),
    "batch, eval": lambda: nn.BatchNorm1d(B).eval(),
    "prelu": lambda: nn.PReLU(B),
    "local": lambda: nn.Sequential(nn.LocalResponseNorm(2), nn.Linear(B, 2)),
}


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_normalizations(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = NORMALIZATIONS[kind]()
    for p in layer.parameters():
        nn.init.normal_(p)
    model, x = nn.ModuleList([nn.Linear(B, B), layer]).to(dtype), normal(B, B, B, dtype=dtype)
    assert_model_agrees(model, lambda m: squares(torch.tanh(m[1](m[0](x)))), dtype=dtype)
    assert_model_agrees(layer.to(dtype), lambda m: squares(torch.tanh(m(x))), dtype=dtype)
