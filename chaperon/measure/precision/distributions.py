"""Distribution functions of Student's t and of the beta distribution, and their inverses."""

from __future__ import annotations

import math
from functools import lru_cache

_STEPS = 500
_TINY = 1e-300
_HALVINGS = 200


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for *a*, *b* > 0.

    By the continued fraction DLMF 8.17.22, evaluated by Lentz's method; relative error about 1e-12.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # there the fraction converges faster for the complement
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction 1 + d1/(1 + d2/(1 + …)) of DLMF 8.17.22."""
    value, upper, lower = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1.0 / ((1.0 + term * lower) or _TINY)
        upper = (1.0 + term / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-14:
            break
    return value


def beta_quantile(p: float, a: float, b: float) -> float:
    """Return the value that a beta variable with parameters *a*, *b* > 0 does not exceed with probability *p*."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return high


def t_cdf(value: float, freedom: float) -> float:
    """Return the probability that Student's t with *freedom* degrees of freedom is at most *value*."""
    tail = beta_cdf(freedom / (freedom + value * value), freedom / 2, 0.5) / 2
    return tail if value < 0 else 1.0 - tail


@lru_cache(maxsize=4_096)
def t_quantile(p: float, freedom: float) -> float:
    """Return the value that Student's t with *freedom* degrees of freedom does not exceed with probability *p*.

    0 < *p* < 1; the degrees of freedom need not be whole.
    """
    if p < 0.5:
        return -t_quantile(1.0 - p, freedom)
    share = beta_quantile(2 * (1.0 - p), freedom / 2, 0.5)
    return math.inf if share <= 0.0 else math.sqrt(max(freedom / share - freedom, 0.0))
