"""How much of a long table, and how many examples of a law, a run of the tests takes.

`--thorough`, run by hand, takes all of them.
"""

import os

VARIABLE = "THOROUGH_TESTS"
"""Set by `--thorough`: the processes that share the suite inherit it."""


def some(table, every):
    """Return the rows of a table; without `--thorough` the first and then every n-th.

    The table may be a product of tables: where *every* has no factor in common with their lengths, the rows go through
    all of each.
    """
    return list(table)[:: 1 if VARIABLE in os.environ else every]


def examples(most=100):
    """Return for how many examples a law is tested; without `--thorough` a quarter of *most*, but ten at least."""
    return most if VARIABLE in os.environ else min(most, max(10, most // 4))
