"""The networks of [JD] Tables 2 to 5: they take their images, and have the layers that the tables list."""

import pytest
import torch

from jdbench.data import CLASSES
from jdbench.problems.networks import NETWORKS

ELU, FLATTEN = "ELU(alpha=1.0)", "Flatten(start_dim=1, end_dim=-1)"


def conv(inputs: int, outputs: int, groups: int) -> str:
    """3 × 3, stride 1, learnable bias, no padding ([JD] D.3): defaults are not printed."""
    grouped = f", groups={groups}" if groups > 1 else ""
    return f"Conv2d({inputs}, {outputs}, kernel_size=(3, 3), stride=(1, 1){grouped})"


def pool(size: int) -> str:
    return f"MaxPool2d(kernel_size={size}, stride={size}, padding=0, dilation=1, ceil_mode=False)"


def linear(inputs: int, outputs: int) -> str:
    return f"Linear(in_features={inputs}, out_features={outputs}, bias=True)"


TABLES = {
    "SVHN": [
        conv(3, 16, 1), ELU,
        conv(16, 32, 16), pool(2), ELU,
        conv(32, 32, 32), pool(3), ELU, FLATTEN,
        linear(512, 64), ELU, linear(64, 10),
    ],
    "CIFAR-10": [
        conv(3, 32, 1), ELU,
        conv(32, 64, 32), pool(2), ELU,
        conv(64, 64, 64), pool(3), ELU, FLATTEN,
        linear(1024, 128), ELU, linear(128, 10),
    ],
    "EuroSAT": [
        conv(3, 32, 1), pool(2), ELU,
        conv(32, 64, 32), pool(2), ELU,
        conv(64, 64, 64), pool(3), ELU, FLATTEN,
        linear(1024, 128), ELU, linear(128, 10),
    ],
    "MNIST": [
        conv(1, 32, 1), ELU,
        conv(32, 64, 1), pool(2), ELU,
        conv(64, 64, 1), pool(3), ELU, FLATTEN,
        linear(576, 128), ELU, linear(128, 10),
    ],
}  # fmt: skip
"""[JD] Tables 2 to 5."""


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_the_tables_sequence_of_layers(name: str) -> None:
    model = NETWORKS[name].build()
    assert [repr(layer) for layer in model] == TABLES[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_its_images(name: str) -> None:
    network = NETWORKS[name]
    assert network.build()(torch.zeros(2, *network.shape)).shape == (2, CLASSES)


def test_tables_in_the_order_of_table_7() -> None:
    assert [network.table for network in NETWORKS.values()] == [2, 3, 4, 5]
