"""Binomial bounds for counts over random draws."""

import math

FALSE_ALARM = 1e-9
"""Probability with which a correct random aggregator leaves `binomial_range`."""


def binomial_range(draws: int, chance: float) -> tuple[int, int]:
    """Return the counts that a binomial variable leaves with probability at most `FALSE_ALARM`.

    By exact tails: P(X < low) and P(X > high) are each at most half of it.

    Args:
        draws: Number of draws.
        chance: Probability of a success, strictly between 0 and 1.

    Returns:
        Lowest and highest count.
    """
    terms = [
        math.exp(
            math.lgamma(draws + 1)
            - math.lgamma(k + 1)
            - math.lgamma(draws - k + 1)
            + k * math.log(chance)
            + (draws - k) * math.log1p(-chance)
        )
        for k in range(draws + 1)
    ]
    low, high, below, above = 0, draws, terms[0], terms[draws]
    while below <= FALSE_ALARM / 2:
        low += 1
        below += terms[low]
    while above <= FALSE_ALARM / 2:
        high -= 1
        above += terms[high]
    return low, high


def distribution_distance(draws: int, n: int, looks: int = 1) -> float:
    """Return the largest distance of two empirical distribution functions of one law, in any of n coordinates.

    By Dvoretzky, Kiefer and Wolfowitz with Massart's constant (Annals of Probability 18, 1990), one sample of N
    strays by more than ε/2 with probability at most 2 exp(-Nε²/2), and the two together and n coordinates with
    at most 4n exp(-Nε²/2), which is `FALSE_ALARM` here. It holds for laws with atoms.

    Args:
        draws: N, size of each sample.
        n: Number of coordinates.
        looks: How often the samples are compared as they grow: each look gets its share of false alarms.

    Returns:
        The distance ε; nothing can be told where it is above 1.
    """
    return (2 * math.log(4 * n * looks / FALSE_ALARM) / draws) ** 0.5
