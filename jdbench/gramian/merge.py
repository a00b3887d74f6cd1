"""Parts of one parameter, such as of a layer that is called twice, made one part; and all rows one."""

from collections import Counter

from jdbench.gramian.outer_products import OuterProducts
from jdbench.gramian.part import Part
from jdbench.gramian.rows import Rows


def merged(parts: list[Part]) -> list[Part]:
    """Return parts of which no two share a parameter: the Gramian of a sum needs its cross terms.

    Args:
        parts: In any order, a parameter in any number of them.

    Returns:
        Parts whose Gramians may be added.
    """
    owners = Counter(p for part in parts for p in part.parameters)
    shared = {p for p, count in owners.items() if count > 1}
    apart = [part for part in parts if shared.isdisjoint(part.parameters)]
    components: list[list[Part]] = []
    for part in parts:
        mine = shared.intersection(part.parameters)
        if mine:
            touched = [c for c in components if any(not mine.isdisjoint(other.parameters) for other in c)]
            components = [c for c in components if c not in touched]
            components.append([*(other for c in touched for other in c), part])
    return _rows_together(apart + [_sum(component) for component in components])


def _rows_together(parts: list[Part]) -> list[Part]:
    rows = [part for part in parts if isinstance(part, Rows)]
    if len(rows) < 2:
        return parts
    others = [part for part in parts if not isinstance(part, Rows)]
    return [*others, Rows({p: r for part in rows for p, r in zip(part.parameters, part.rows(), strict=True)})]


def _sum(parts: list[Part]) -> Part:
    total = parts[0]
    for part in parts[1:]:
        if (
            isinstance(total, OuterProducts)
            and isinstance(part, OuterProducts)
            and list(map(id, total.parameters)) == list(map(id, part.parameters))
        ):
            total = total.joined(part)
        else:
            rows = dict(zip(total.parameters, total.rows(), strict=True))
            for p, r in zip(part.parameters, part.rows(), strict=True):
                rows[p] = rows[p] + r if p in rows else r
            total = Rows(rows)
    return total
