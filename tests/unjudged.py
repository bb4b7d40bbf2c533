"""Runs beside other tests: the machine is theirs, too, so its part in the verdict is turned off."""

RULES = ("own", "cpu", "late", "stall", "dropped")
"""Rules of trust that a busy machine breaks. A run is INVALID by any other reason as usual."""
UNJUDGED = dict.fromkeys(RULES)
"""What `Environment(trust=…)` takes for that."""

_RUNS = ("local", "master", "find", "check", "demo")


def unjudged(args):
    """Return the arguments of a command of Chaperon's, with these rules off if it performs a run.

    A `--trust` among *args* comes later, and so has the last word.
    """
    command, *rest = map(str, args)
    if command not in _RUNS:
        return [command, *rest]
    return [command, *(word for rule in RULES for word in ("--trust", f"{rule}=off")), *rest]
