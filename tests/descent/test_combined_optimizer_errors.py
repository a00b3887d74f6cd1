"""What a CombinedOptimizer refuses, and how it says so."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from jdbench import momentum
from jdbench.descent.optimizers import check_optimizer
from jdbench.errors import InputError, UnknownNameError
from jdbench.momentum import Adam, CombinedOptimizer
from support.combined_training import TORCHS, network, ours, torchs

methods = pytest.mark.parametrize("name", TORCHS)

BAD: dict[str, list[tuple[dict[str, Any], str]]] = {
    "HeavyBall": [({"momentum": -0.1}, r"momentum=-0\.1")],
    "Nesterov": [
        ({"momentum": -0.1}, r"momentum=-0\.1"),
        ({"momentum": 0.0}, r"momentum=0\.0, required a positive"),
    ],
    **{
        name: [
            ({"betas": (1.0, 0.9)}, r"betas\[0\]=1\.0, required a number below 1"),
            ({"betas": (0.9, -0.1)}, r"betas\[1\]=-0\.1"),
            ({"eps": -1e-8}, "eps=-1e-08"),
        ]
        for name in ("Adam", "AdamW", "NAdam")
    },
}
EVERYWHERE: list[tuple[dict[str, Any], str]] = [
    ({"lr": -0.1}, r"lr=-0\.1, required a finite number ≥ 0, got another, try 1e-3"),
    ({"lr": torch.tensor([0.1, 0.2])}, "lr=tensor"),
    ({"weight_decay": -1}, "weight_decay=-1, required a finite number ≥ 0"),
]
NOT_FINITE: list[tuple[dict[str, Any], str]] = [
    ({"lr": float("nan")}, "lr=nan"),
    ({"lr": float("inf")}, "lr=inf"),
    ({"weight_decay": float("inf")}, "weight_decay=inf"),
]
"""Torch takes infinity."""
REFUSED_BY_BOTH = [(name, *case) for name in TORCHS for case in (*EVERYWHERE, *BAD[name])]
CASES = [*REFUSED_BY_BOTH, *((name, *case) for name in TORCHS for case in NOT_FINITE)]


@pytest.mark.parametrize(("name", "options", "message"), CASES, ids=str)
def test_values_out_of_range_are_refused_for_the_optimiser_and_for_a_group(
    name: str, options: dict[str, Any], message: str
) -> None:
    model = network()
    with pytest.raises(InputError, match=message):
        ours(name, model.parameters(), **options)
    with pytest.raises(InputError, match=message):
        ours(name, [{"params": model.parameters(), **options}])
    optimizer = ours(name, model[0].parameters())
    with pytest.raises(InputError, match=message):
        optimizer.add_param_group({"params": model[2].parameters(), **options})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(("name", "options", "message"), REFUSED_BY_BOTH, ids=str)
def test_torch_refuses_them_too(name: str, options: dict[str, Any], message: str) -> None:  # noqa: ARG001
    with pytest.raises(ValueError):  # noqa: PT011  its words are its own
        torchs(name, network().parameters(), **options)


@methods
@pytest.mark.parametrize(
    "option",
    [
        "amsgrad",
        "maximize",
        "foreach",
        "fused",
        "capturable",
        "differentiable",
        "dampening",
        "nesterov",
        "weight_decya",
    ],
)
def test_options_that_it_does_not_have_are_refused_by_name(name: str, option: str) -> None:
    model = network()
    message = rf"{option}=True, required keywords that {name} takes \(.*weight_decay.*\), got another"
    with pytest.raises(InputError, match=message):
        ours(name, model.parameters(), **{option: True})
    with pytest.raises(InputError, match=message):
        ours(name, [{"params": model.parameters(), option: True}])


def test_what_schedulers_and_torch_write_into_groups_is_no_option() -> None:
    model = network()
    group = {"params": list(model.parameters()), "initial_lr": 0.1, "name": "all", "max_momentum": 0.9}
    optimizer = ours("Adam", [group])
    assert optimizer.param_groups[0]["name"] == "all"
    torch.optim.lr_scheduler.StepLR(optimizer, 3, last_epoch=2)


@pytest.mark.parametrize("key", ["aggregator", "seed"])
def test_an_aggregator_for_one_group_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="whose rows are all groups together, make an optimiser for each"):
        ours("Adam", [{"params": network().parameters(), key: "UPGrad"}])


def test_the_same_parameter_twice_is_refused() -> None:
    model = network()
    w, b, *rest = model.parameters()
    with pytest.raises(
        InputError, match=r"param_group=1, required every parameter once, got parameter 1 again"
    ):
        ours("Adam", [{"params": [w, b]}, {"params": [rest[0], b]}])
    with pytest.raises(
        InputError, match=r"param_group=0, required every parameter once, got parameter 2 again"
    ):
        ours("Adam", [w, b, w])
    with pytest.raises(InputError, match="got parameter 1 again"):
        ours("Adam", [("w", w), ("again", w)])
    optimizer = ours("Adam", [w])
    with pytest.raises(InputError, match="got parameter 0 again"):
        optimizer.add_param_group({"params": w})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], InputError, r"params=\[\], required at least one parameter"),
        (iter([]), InputError, "pass model.parameters"),
        (torch.ones(3), TypeError, "iterable of Tensors"),
        ([torch.ones(3, requires_grad=True) * 2], InputError, "param_group=0, required parameters .*non-leaf"),
        ([{"lr": 0.1}], InputError, "required a group with params"),
        ([{"params": {torch.ones(2)}}], TypeError, "ordered collections"),
        ([1.0], TypeError, "can only optimize Tensors"),
        ([{"params": [nn.Parameter(torch.ones(1))]}, [1]], TypeError, "must be a dict"),
        ([("a", nn.Parameter(torch.ones(1))), nn.Parameter(torch.ones(1))], InputError, "names are missing"),
    ],
    ids=[
        "none",
        "an empty iterator",
        "a tensor",
        "no leaf",
        "no params",
        "a set",
        "a number",
        "a list",
        "names",
    ],
)
def test_parameters_that_torch_refuses_are_refused(params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ours("Adam", params)


@pytest.mark.parametrize("method", ["Adam", torch.optim.Adam, None, momentum], ids=str)
def test_what_is_no_method_is_refused(method: Any) -> None:
    with pytest.raises(InputError, match=r"required a class of jdbench\.momentum, got another, try"):
        CombinedOptimizer(network().parameters(), method, lr=0.1)


def test_aggregators_that_are_none_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean UPGrad"):
        CombinedOptimizer(network().parameters(), Adam, lr=0.1, aggregator="UPGrd")
    with pytest.raises(InputError, match="aggregator=3, required a spec or a callable"):
        CombinedOptimizer(network().parameters(), Adam, lr=0.1, aggregator=3)  # type: ignore[arg-type]


def test_an_aggregator_that_fails_leaves_the_parameters_and_their_state() -> None:
    """It fails in the last sum of the second step."""
    calls = 0

    def failing(J: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("no answer")
        return J.mean(0)

    model = network()
    optimizer = ours("NAdam", model.parameters(), failing)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    with pytest.raises(RuntimeError, match="no answer"):
        optimizer.step()
    assert str((model.state_dict(), optimizer.state_dict())) == str(before)


@pytest.mark.parametrize(
    "spec",
    ["Adam(aggregator='UPGrad',weight_decay=0.1)", "HeavyBall(weight_decay=0.1)", "NAdam(aggregator='Mean')"],
)
def test_specs_take_the_options_too(spec: str) -> None:
    check_optimizer(spec)
