"""How amounts are rounded and shared out: whole minor units, half up, and nothing is lost between the parts."""

from collections.abc import Sequence

PPM = 1_000_000
"""Rates are parts per million: 200,000 is 20 %."""

MOST_MINOR = 10**15
"""No order comes to more: sums of any size stay whole numbers that the database and every reader can keep."""


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of numbers that are not negative, rounded to the nearest whole one, a half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


def share(amount_minor: int, rate_ppm: int) -> int:
    return half_up(amount_minor * rate_ppm, PPM)


def tax_of(amount_minor: int, rate_ppm: int, *, included: bool) -> int:
    """The tax that is in the amount, or that comes on top of it."""
    return half_up(amount_minor * rate_ppm, PPM + rate_ppm if included else PPM)


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Shares of `amount` in proportion to `weights`, by largest remainder; of equal remainders the first is served.

    They sum to the amount, and none is above its weight unless the amount is above the sum of all.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [divmod(amount * weight, whole) for weight in weights]
    shares = [part for part, _ in parts]
    left = amount - sum(shares)
    if left:
        for n in sorted(range(len(parts)), key=lambda n: (-parts[n][1], n))[:left]:
            shares[n] += 1
    return shares
