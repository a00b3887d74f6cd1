"""Closed forms: per-instance gradients of what enters an operation, from its arguments and output gradient."""

from collections.abc import Callable
from typing import NamedTuple

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.parts import Part
from jdbench.engine.rules import convolution, elementwise, embedding, linear, normalization, recurrent
from jdbench.engine.structure import metadata


class Rule(NamedTuple):
    """A closed form.

    Attributes:
        applies: Whether it holds at a junction, by what enters where and where instances lie.
        parts: The gradients of all that enters.
    """

    applies: Callable[[Junction], bool]
    parts: Callable[[Arrival], list[Part]]


RULES: dict[str, Rule] = {
    "AddmmBackward0": Rule(linear.counts_rows, linear.affine_parts),
    "MmBackward0": Rule(linear.counts_rows, linear.product_parts),
    "BmmBackward0": Rule(linear.batched_counts, linear.batched_product_parts),
    "ConvolutionBackward0": Rule(convolution.counts_images, convolution.convolution_parts),
    "EmbeddingBackward0": Rule(embedding.counts_lookups, embedding.embedding_parts),
    "EmbeddingBagBackward0": Rule(embedding.sums_bags, embedding.bag_parts),
    "TrilinearBackward0": Rule(linear.is_bilinear, linear.bilinear_parts),
    "MkldnnRnnLayerBackward0": Rule(recurrent.is_lstm, recurrent.lstm_parts),
    "NativeLayerNormBackward0": Rule(normalization.normalizes_last, normalization.layer_parts),
    "NativeGroupNormBackward0": Rule(normalization.counts_first, normalization.group_parts),
    "NativeBatchNormBackward0": Rule(normalization.uses_running_statistics, normalization.batch_parts),
    "AddBackward0": Rule(elementwise.broadcasts, elementwise.sum_parts),
    "SubBackward0": Rule(elementwise.broadcasts, elementwise.sum_parts),
    "MulBackward0": Rule(elementwise.broadcasts, elementwise.product_parts),
    "DivBackward0": Rule(elementwise.broadcasts, elementwise.quotient_parts),
    "ExpandBackward0": Rule(elementwise.broadcasts, elementwise.copy_parts),
    "RepeatBackward0": Rule(elementwise.repeats_whole, elementwise.repeat_parts),
    "PreluKernelBackward0": Rule(elementwise.broadcasts, elementwise.prelu_parts),
}
"""By the name of the operation in the graph; any other one goes the way of `jdbench.engine.rules.generic`."""


def rule_of(junction: Junction) -> Rule | None:
    """Return the closed form of a junction, if it has one."""
    if any(out.dtype.is_complex for out in metadata(junction.node)):
        return None  # the closed forms conjugate nothing
    rule = RULES.get(junction.node.name())
    return rule if rule is not None and rule.applies(junction) else None
