"""What is done once per run: `setup` before its first visit, `teardown` after its last."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

import gevent

from chaperon.errors import ChaperonError, LoadError, TeardownError
from chaperon.forks import children_ended
from chaperon.interrupts import is_interrupt
from chaperon.measure.exception_text import describe_at, text_of
from chaperon.session.config import Config, merge
from chaperon.session.functions import call_with_optional_arg

PATIENCE = 30.0
"""Seconds a teardown may take."""


class Setup:
    """Runs an environment's `setup`, then its `teardown` once, also after an error.

    *setup* is a function (of the config, if it takes an argument), or a generator function
    that yields once, or a context manager, or a function that returns one. What it returns,
    yields or enters as is a mapping to be merged into the config, or None. The
    run, of one process or of a cluster, calls `begin` and `end`, or enters the setup as a context manager.
    """

    def __init__(
        self,
        setup: Any,
        teardown: Callable[..., object] | None,
        config: Mapping[str, Any],
        *,
        name: str,
        patience: float = PATIENCE,
    ) -> None:
        self._setup = setup
        self._teardown = teardown
        self._config = config
        self._name = name
        self._patience = patience
        self._undo = ExitStack()

    def __enter__(self) -> Mapping[str, Any]:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def begin(self) -> Mapping[str, Any]:
        """Set up, and return what is to be merged into the config; raises LoadError."""
        try:
            with children_ended():
                given = self._set_up()
            config = merge(self._config, _mapping(given))
        except BaseException as exc:
            if is_interrupt(exc):
                raise
            raise LoadError(f"the setup of {self._name!r} failed: {_failure_text(exc)}") from exc
        if self._teardown is not None:
            self._undo.callback(call_with_optional_arg, self._teardown, Config(config))
        if given is not None and not isinstance(given, Mapping):
            self.end()
            raise LoadError(
                f"the setup of {self._name!r} must return a mapping for the config, or nothing; got {given!r}"
            )
        return {} if given is None else given

    def end(self) -> None:
        """Tear down what was set up, in bounded time; once, however often it is called. Raises TeardownError."""
        try:
            expired = TimeoutError(f"it took longer than {self._patience:g} s")
            with gevent.Timeout(self._patience, expired), children_ended():
                self._undo.close()
        except BaseException as exc:
            if is_interrupt(exc):
                raise
            raise TeardownError(f"the teardown of {self._name!r} failed: {_failure_text(exc)}") from exc

    def _set_up(self) -> Any:
        setup = self._setup
        if setup is None:
            return None
        if hasattr(type(setup), "__enter__"):
            return self._undo.enter_context(setup)
        if inspect.isgeneratorfunction(setup):
            setup = contextmanager(setup)
        made = call_with_optional_arg(setup, Config(merge(self._config)))
        return self._undo.enter_context(made) if hasattr(type(made), "__enter__") else made


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _failure_text(exc: BaseException) -> str:
    return describe_at(exc, text_of(exc) if issubclass(type(exc), ChaperonError) else None)
