"""Forward hooks on the units of a model, which tag the graph with the calls that made it."""

import contextlib
from collections.abc import Generator
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from jdbench.gramian.call import random_states, record
from jdbench.gramian.graph import tag
from jdbench.gramian.units import Unit, units


@final
class Recorder:
    """Hooks on a model, for as long as they are wanted.

    Attributes:
        key: Of the tags in the graph.
        units: What is hooked, by module.
    """

    def __init__(self, model: nn.Module) -> None:
        """Hook every unit of a model.

        Args:
            model: The model.
        """
        self.key = f"{__name__}.{id(self)}"
        self.units: dict[nn.Module, Unit] = {unit.module: unit for unit in units(model)}
        self._states: dict[nn.Module, list[Tensor]] = {}
        self._on = True
        self._handles: list[RemovableHandle] = []
        for unit in self.units.values():
            if unit.rule is None:
                self._handles.append(unit.module.register_forward_pre_hook(self._before))
            # First of all hooks: what others make of the output is not the module's own doing.
            after = partial(self._after, unit)
            self._handles.append(unit.module.register_forward_hook(after, prepend=True, with_kwargs=True))

    def remove(self) -> None:
        """Remove all hooks; graphs that exist keep their tags."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        """Record nothing meanwhile: modules are called again to differentiate them.

        Yields:
            Nothing.
        """
        self._on = False
        try:
            yield
        finally:
            self._on = True

    def _before(self, module: nn.Module, args: tuple[Any, ...]) -> None:  # noqa: ARG002
        if self._on and torch.is_grad_enabled():
            self._states[module] = random_states(next(module.parameters()).device)

    def _after(
        self, unit: Unit, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        if not self._on or not torch.is_grad_enabled() or not unit.trained():
            return None
        call = record(module, unit.path, args, kwargs, self._states.pop(module, []))
        return tag(call, output, self.key)
