"""The networks of [JD] Tables 2 to 5: they take their images, and have the layers that the tables list."""

import pytest
import torch
from torch import nn

from jdbench.problems.networks import CLASSES, NETWORKS

PARAMETERS = {"SVHN": 34_570, "CIFAR-10": 134_666, "EuroSAT": 134_666, "MNIST": 130_890}
"""By hand from the tables: of a convolution out·(in/groups·9 + 1), of a linear layer out·(in + 1)."""


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_tables_layers(name: str) -> None:
    network = NETWORKS[name]
    model = network.build()
    assert model(torch.zeros(2, *network.shape)).shape == (2, CLASSES)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    kinds = [type(layer) for layer in model]
    assert [kinds.count(kind) for kind in (nn.Conv2d, nn.Linear, nn.ELU)] == [3, 2, 4]
    assert kinds.count(nn.MaxPool2d) == (3 if name == "EuroSAT" else 2)
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (0, 0))
            assert layer.bias is not None


def test_tables_in_the_order_of_table_7() -> None:
    assert [network.table for network in NETWORKS.values()] == [2, 3, 4, 5]
