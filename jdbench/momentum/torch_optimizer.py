"""The methods of this package in anybody's training loop, as an optimiser of torch."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor

from jdbench.momentum.combination import Momentum


class CombinedOptimizer(torch.optim.Optimizer):
    """A method with momentum over all parameters of a group at once, the gradient in their ``.grad``.

    One row is the gradient of a whole group, the other its momentum: parameters in different groups are
    combined apart. The state is saved by ``state_dict``, and schedulers may change ``lr``. Such as
    ``CombinedOptimizer(model.parameters(), Adam, lr=1e-3, aggregator="UPGrad")``.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        method: Callable[..., Momentum],
        lr: float,
        **keywords: Any,
    ) -> None:
        """Set the method.

        Args:
            params: Parameters or groups of them; all of a group of one dtype, on one device.
            method: A class of `jdbench.momentum`.
            lr: Learning rate η.
            keywords: The method's, such as ``aggregator``.
        """
        super().__init__(params, {"lr": lr})
        self.methods = [
            method(_flat(group["params"]).unsqueeze(0), torch.tensor([group["lr"]]), **keywords)
            for group in self.param_groups
        ]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move the parameters; one without a gradient counts as having gradient 0.

        Args:
            closure: Evaluates the loss again, if given.

        Returns:
            What the closure returned, or None.
        """
        with torch.enable_grad():
            loss = closure() if closure else None
        with torch.no_grad():
            for group, method in zip(self.param_groups, self.methods, strict=True):
                parameters: list[Tensor] = group["params"]
                own = cast("dict[str, Tensor]", self.state[parameters[0]])
                if own:  # the last step's, or what load_state_dict put there
                    method.state = {name: own[name].to(whole) for name, whole in method.state.items()}
                method.rates = torch.tensor([group["lr"]], dtype=torch.float64)
                gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
                x, g = _flat(parameters).unsqueeze(0), _flat(gradients).unsqueeze(0)
                moved = method.step(x, g, torch.zeros(1, dtype=torch.int64)).squeeze(0)
                for parameter, part in zip(
                    parameters, moved.split([p.numel() for p in parameters]), strict=True
                ):
                    parameter.copy_(part.view_as(parameter))
                own.update(method.state)
        return loss


def _flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([t.detach().reshape(-1) for t in tensors])
