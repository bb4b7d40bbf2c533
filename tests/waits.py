"""Waiting in real time: for a condition, not for a time to pass."""

import gevent
from gevent.event import Event


def came(condition, within=5.0, every=0.001):
    """Wait until a condition holds; return whether it does within *within* seconds. It is asked *every* seconds."""
    with gevent.Timeout(within, False):
        while not condition():
            gevent.sleep(every)
        return True
    return False


def until(condition, within=5.0, otherwise="it never came to pass", every=0.001):
    """Wait until a condition holds, or fail after *within* seconds with what *otherwise* is, or returns."""
    if not came(condition, within, every):
        raise AssertionError(otherwise() if callable(otherwise) else otherwise)


def forever():
    """Wait until something ends this greenlet."""
    Event().wait()


def lasting(span):
    """Let a fault or a silence last for *span* seconds, where that span is what is tested: in real time, alone."""
    gevent.sleep(span)
