"""The directions of a batch of members, each with draws of its own, and the weights they were made with.

An aggregator for each member of a batch: one for all where it keeps nothing, a copy each where it may.

Others' aggregators may keep a state from call to call, such as moving averages or the weights to start the next
search from. A run that shares it with another depends on which runs were started together.
"""

import contextlib
import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, AnyAggregator, Drawing, GramianAggregator, aggregate
from jdbench.errors import InputError
from jdbench.exits import survived
from jdbench.gramian import combine, gramian
from jdbench.shapes import Jacobian, Vector, Weights


class MemberAggregators:
    """The aggregators of the members of a batch, copied when a member first asks.

    The original is never handed out where there are copies, so each begins in the state in which it was given,
    in any batch. Python copies no functions: what one keeps in its closure or its module is shared.

    Attributes:
        shared: The aggregator itself, if it is an `Aggregator` and so keeps nothing; otherwise None.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.descent.directions import MemberAggregators
        >>> copies = MemberAggregators(torch.nn.Linear(2, 2))  # stands for what may keep a state
        >>> copies.of(0) is copies.of(0), copies.of(0) is copies.of(1)
        (True, False)
        >>> MemberAggregators(Mean()).shared
        Mean
    """

    def __init__(self, aggregator: AnyAggregator) -> None:
        """Keep the original."""
        self.shared = aggregator if isinstance(aggregator, Aggregator) else None
        self._original = aggregator
        self._copies: dict[int, AnyAggregator] = {}

    def of(self, member: int) -> AnyAggregator:
        """Return the shared aggregator, or a member's copy, the same at every call.

        Raises:
            InputError: The aggregator cannot be copied.
        """
        if self.shared is not None:
            return self.shared
        if member not in self._copies:
            self._copies[member] = _copy(self._original)
        return self._copies[member]


def _copy(aggregator: AnyAggregator) -> AnyAggregator:
    try:
        return copy.deepcopy(aggregator)
    except Exception as error:
        raise InputError(
            f"aggregator={type(aggregator).__name__}, required one that copy.deepcopy copies, a copy for each "
            f"run, got {type(error).__name__}: {error}, give it a __deepcopy__"
        ) from error


BLOCK = 64
"""Aggregations for which a member draws at once, fewer where they take more than `LARGEST_BLOCK` numbers."""

LARGEST_BLOCK = 1 << 16


class Directions(NamedTuple):
    """What an aggregator made of a batch of Jacobians.

    Attributes:
        vectors: Directions of the members that have one, shape ``[k, n]``.
        weights: Their weights, shape ``[k, m]``; None unless the aggregator is a `GramianAggregator`.
        sound: Which members have a direction, shape ``[b]``.
        raised: For each of the others what the aggregator raised and for which shape, in one line; empty where
            the Jacobian had diverged.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.descent.directions import Draws, MemberAggregators, directions
        >>> J = torch.tensor([[[4.0, 0.0], [-1.0, 1.0]]])
        >>> found = directions(MemberAggregators(Mean()), J, torch.tensor([0]), 0, Draws(Mean(), None))
        >>> found.vectors, found.weights, found.sound
        (tensor([[1.5000, 0.5000]]), tensor([[0.5000, 0.5000]], dtype=torch.float64), tensor([True]))
    """

    vectors: Vector
    weights: Weights | None
    sound: Tensor
    raised: list[str]


class Draws:
    """The randomness of a batch of members, of which each draws from its own generator.

    A member draws for `BLOCK` of its steps at a time, so it draws the same in any batch.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import RGW
        >>> from jdbench.descent.directions import Draws
        >>> alone, both = (Draws(RGW(), [torch.Generator().manual_seed(k) for k in (1, 2)]) for _ in range(2))
        >>> second = alone.at(0, torch.tensor([1]), torch.ones(1, 3, 5))
        >>> torch.equal(second, both.at(0, torch.tensor([0, 1]), torch.ones(2, 3, 5))[1:])  # in any batch
        True
    """

    def __init__(self, aggregator: AnyAggregator, generators: Sequence[torch.Generator] | None) -> None:
        """Keep the generators, one a member; without them everything draws from the global one."""
        self.aggregator = aggregator if isinstance(aggregator, Drawing) else None
        self.generators = generators
        self.block: dict[int, Tensor] = {}

    def generator(self, member: int) -> torch.Generator | None:
        """Return a member's generator, None for the global one."""
        return None if self.generators is None else self.generators[member]

    def at(self, step: int, members: Tensor, J: Jacobian) -> Tensor | None:
        """Return what the members draw at a step, first axis the members.

        Args:
            step: Index of the step; steps come in order from 0.
            members: Places in the whole batch, shape ``[b]``; none that was absent in the step before.
            J: Their Jacobians, shape ``[b, m, n]``.

        Returns:
            Draws, or None where the aggregator takes none.
        """
        if self.aggregator is None:
            return None
        drawn = self.aggregator.draw(torch.Size([0, *J.shape[1:]]), device=J.device).shape[1:]
        length = min(BLOCK, max(1, LARGEST_BLOCK // max(1, math.prod(drawn))))
        if step % length == 0:
            shape = torch.Size([length, *J.shape[1:]])
            self.block = {
                member: self.aggregator.draw(shape, device=J.device, generator=self.generator(member))
                for member in members.tolist()
            }
        return torch.stack([self.block[member][step % length] for member in members.tolist()])


def directions(
    aggregators: MemberAggregators, J: Jacobian, members: Tensor, step: int, randomness: Draws
) -> Directions:
    """Return the directions of a batch of members.

    A batch goes through whole where that is promised to equal a loop: deterministic aggregators, and random
    ones that take draws. Otherwise, and where the batch raises, each member is on its own, with its own copy of
    an aggregator that is no `Aggregator`.

    Args:
        aggregators: Those of the whole batch, the same at every step.
        J: Jacobians, shape ``[b, m, n]``.
        members: Places in the whole batch, shape ``[b]``.
        step: Index of the step.
        randomness: The draws of the members.

    Returns:
        Directions, weights, and what was raised.

    Example:
        >>> import torch
        >>> from jdbench.descent.directions import Draws, MemberAggregators, directions
        >>> def first(J):
        ...     return J[0] if J[0].any() else None
        >>> J = torch.stack([torch.eye(2), torch.zeros(2, 2)])
        >>> directions(MemberAggregators(first), J, torch.tensor([0, 1]), 0, Draws(first, None)).raised
        ['InputError: A(J), required a tensor of shape (2,), got NoneType, mend the aggregator (m=2, n=2)']
    """
    draws = randomness.at(step, members, J)
    shared = aggregators.shared
    if shared is not None and (draws is not None or not shared.random):
        # Whatever is wrong with one matrix shows again when it is alone.
        with contextlib.suppress(Exception), survived():
            whole, by = _call(shared, J, None, draws)
            return Directions(whole, by, torch.ones(len(J), dtype=torch.bool), [])
    vectors: list[Tensor] = []
    weights: list[Tensor] = []
    sound = torch.zeros(len(J), dtype=torch.bool)
    raised: list[str] = []
    for index, (matrix, member) in enumerate(zip(J, members.tolist(), strict=True)):
        # Within 1e±150 every sum of squares is finite: whatever lies beyond has diverged.
        if not bool((matrix.abs() <= 1e150).all()):
            raised.append("")
            continue
        own = None if draws is None else draws[index]
        try:
            with survived():
                vector, w = _call(aggregators.of(member), matrix, randomness.generator(member), own)
        except Exception as error:
            m, n = matrix.shape
            raised.append(f"{type(error).__name__}: {' '.join(str(error).split())} (m={m}, n={n})")
            continue
        vectors.append(vector)
        weights += [] if w is None else [w]
        sound[index] = True
    found = torch.stack(vectors) if vectors else J.new_zeros(0, J.shape[-1])
    return Directions(found, torch.stack(weights) if weights else None, sound, raised)


def _call(
    aggregator: AnyAggregator, J: Jacobian, generator: torch.Generator | None, draws: Tensor | None
) -> tuple[Vector, Weights | None]:
    keywords = {} if draws is None else {"draws": draws}
    if isinstance(aggregator, GramianAggregator) and type(aggregator).__call__ is GramianAggregator.__call__:
        # What its call does, without losing the weights.
        w = aggregator.weights(gramian(J), generator=generator, **keywords)
        return combine(J, w), w
    if isinstance(aggregator, Aggregator):
        return aggregator(J, generator=generator, **keywords), None
    return aggregate(aggregator, J, generator=generator), None
