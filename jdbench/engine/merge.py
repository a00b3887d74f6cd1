"""Parts of one parameter, such as of a layer that is used twice, made one part; and all rows one."""

from collections import Counter, defaultdict

from torch import Tensor

from jdbench.engine.outer_products import OuterProducts
from jdbench.engine.part import Part, Target
from jdbench.engine.rows import Rows


def merged(parts: list[Part]) -> list[Part]:
    """Return parts of which no two share a parameter: the Gramian of a sum needs its cross terms.

    Args:
        parts: In any order, a parameter in any number of them.

    Returns:
        Parts whose Gramians may be added.
    """
    parts = _factors_joined(parts)
    owned = [p for part in parts for p in part.parameters]
    shared: set[Target] = set()
    if len(set(owned)) < len(owned):
        shared = {p for p, count in Counter(owned).items() if count > 1}
    apart: list[Part] = []
    rows: dict[Target, Tensor] = {}
    for part in parts:
        if type(part) is Rows or not shared.isdisjoint(part.parameters):
            for p, r in zip(part.parameters, part.rows(), strict=True):
                rows[p] = rows[p] + r if p in rows else r
        else:
            apart.append(part)
    return [*apart, Rows(rows)] if rows else apart


def _factors_joined(parts: list[Part]) -> list[Part]:
    alike: defaultdict[tuple[Target | None, Target | None], list[OuterProducts]] = defaultdict(list)
    others: list[Part] = []
    for part in parts:
        if type(part) is OuterProducts:  # final, and tests of abstract classes are slow
            alike[part.weight, part.bias].append(part)
        else:
            others.append(part)
    return [*(OuterProducts.joined(same) if len(same) > 1 else same[0] for same in alike.values()), *others]
