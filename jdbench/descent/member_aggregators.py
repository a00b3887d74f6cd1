"""An aggregator for each member of a batch: one for all where it keeps nothing, a copy each where it may.

Others' aggregators may keep a state from call to call, such as moving averages or the weights to start the next
search from. A run that shares it with another depends on which runs were started together.
"""

import copy

from jdbench.aggregator import Aggregator, AnyAggregator
from jdbench.errors import InputError


class MemberAggregators:
    """The aggregators of the members of a batch, copied when a member first asks.

    The original is never handed out where there are copies, so each begins in the state in which it was given,
    in any batch. Python copies no functions: what one keeps in its closure or its module is shared.

    Attributes:
        shared: The aggregator itself, if it is an `Aggregator` and so keeps nothing; otherwise None.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.descent.member_aggregators import MemberAggregators
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
