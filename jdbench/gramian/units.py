"""The units of a model: the smallest modules that own all the parameters that their forward uses."""

from typing import final

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from jdbench.errors import InputError
from jdbench.gramian.rules import Rule, rule_of


@final
class Unit:
    """A module whose calls are recorded, with everything inside it.

    Attributes:
        module: The module.
        path: Its name in the model, ``""`` for the model itself.
        rule: Its closed form, or None for the generic rule.
    """

    def __init__(self, module: nn.Module, path: str) -> None:
        self.module, self.path = module, path
        self.rule: Rule | None = rule_of(module)

    def trained(self) -> bool:
        """Return whether any parameter of the unit is trained."""
        return any(p.requires_grad for p in self.module.parameters())

    def output_axis(self, number: int) -> int:
        """Return the axis of an output that counts instances.

        Args:
            number: Of the output.

        Returns:
            0, but for sequences that come first and the states of recurrent modules.
        """
        return output_axis(self.module, number)


def output_axis(module: nn.Module, number: int) -> int:
    """Return the axis of a module's output that counts instances.

    Args:
        module: Any module.
        number: Of the output.

    Returns:
        0, but for sequences that come first and the states of recurrent modules.
    """
    if isinstance(module, nn.RNNBase):
        return 0 if number == 0 and module.batch_first else 1
    if isinstance(module, nn.MultiheadAttention):
        return 0 if number == 1 or module.batch_first else 1
    return 0


def units(model: nn.Module) -> list[Unit]:
    """Return the units of a model, each module once.

    A module with parameters of its own is a unit, with all that is inside it: how its forward combines
    those with its children is not known. So is a recurrent or an attention module, and a reparametrised one.

    Args:
        model: The model.

    Returns:
        Its units, in the order of `named_modules`.
    """
    found: list[Unit] = []
    seen: set[nn.Module] = set()

    def visit(module: nn.Module, path: str) -> None:
        if module in seen:
            return
        seen.add(module)
        if next(module.parameters(recurse=False), None) is not None or hasattr(module, "parametrizations"):
            found.append(Unit(module, path))
            return
        for name, child in module.named_children():
            visit(child, f"{path}.{name}" if path else name)

    visit(model, "")
    return found


def check_instances_apart(model: nn.Module) -> None:
    """Raise if a module of the model is known to mix instances, or to count them across the batch.

    Args:
        model: The model.

    Raises:
        InputError: There is a batch normalization with batch statistics, or an embedding whose gradients are
            divided by the frequencies in the batch.
    """
    for path, module in model.named_modules():
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None):
            raise InputError(
                f"module={path!r}, required one that treats every instance apart, got {type(module).__name__} "
                "with batch statistics, call its eval(), replace it by GroupNorm, or pass separable=False "
                "for a Jacobian row by row"
            )
        if isinstance(module, nn.Embedding) and module.scale_grad_by_freq:
            raise InputError(
                f"module={path!r}, required scale_grad_by_freq=False, got gradients divided by counts over the "
                "batch, which are no gradients of one instance's loss, build it without"
            )
