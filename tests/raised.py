"""Exceptions of every class there is, with names under which a report lists them."""

import builtins
import importlib
import sys
import warnings
from contextlib import suppress

from chaperon.errors import WebSocketError
from chaperon.measure.failures import _CLASSES

MODULES = (
    "argparse", "asyncio", "bdb", "binascii", "bz2", "calendar", "cgitb", "code", "concurrent.futures",
    "configparser", "copy", "csv", "ctypes", "curses", "dataclasses", "dbm", "decimal", "email.errors", "ensurepip",
    "ftplib", "getopt", "gettext", "graphlib", "gzip", "html.parser", "http.client", "http.cookies", "imaplib",
    "inspect", "ipaddress", "json", "locale", "lzma", "mailbox", "multiprocessing", "netrc", "nntplib", "optparse",
    "pdb", "pickle", "pickletools", "plistlib", "poplib", "profile", "pyexpat", "queue", "re", "runpy", "sched",
    "select", "shlex", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "statistics", "struct",
    "subprocess", "tabnanny", "tarfile", "telnetlib", "tempfile", "threading", "tokenize", "traceback", "typing",
    "unittest", "urllib.error", "uuid", "warnings", "wave", "weakref", "webbrowser", "xml.dom", "xml.parsers.expat",
    "xml.sax", "xmlrpc.client", "zipfile", "zipimport", "zlib", "zoneinfo",
)  # fmt: skip
"""Modules of the standard library with exceptions of their own; which of them there are depends on the version."""

ARGUMENTS = (
    *(("x",), (), ("x", [ValueError("y")]), (1, "x"), ("x", 1, 2)),
    *(("utf-8", b"x", 0, 1, "y"), ("utf-8", "x", 0, 1, "y")),
)


FOREIGN = frozenset({"_pytest", "chaperon", "gevent", "greenlet", "requests", "urllib3", "websocket", "zmq"})


def classes():
    """Return every exception class of the standard library, of Chaperon and of what it stands on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES:
            with suppress(ImportError):
                importlib.import_module(name)
    found, waiting = {}, [BaseException]
    while waiting:
        kind = waiting.pop()
        found[id(kind)] = kind
        waiting += [each for each in type.__subclasses__(kind) if id(each) not in found and _at_home(each)]
    return sorted(found.values(), key=lambda kind: (kind.__module__, kind.__qualname__))


def _at_home(kind):
    module = str(type.__getattribute__(kind, "__module__")).partition(".")[0]
    return module in sys.stdlib_module_names or module in FOREIGN


def made(kind):
    """Return an exception of a class: as its constructor makes it, else without having asked it."""
    for arguments in ARGUMENTS:
        try:
            return kind(*arguments)
        except BaseException:
            continue
    return kind.__new__(kind)


def listed(kind):
    """Return what an exception of a class without a cause is counted under."""
    if issubclass(kind, WebSocketError):
        return made(kind).counted_as
    return _CLASSES.get(kind.__name__, kind.__name__)


class StrRaises(Exception):
    def __str__(self):
        raise KeyboardInterrupt

    __repr__ = __str__


class StrExits(BaseException):
    def __str__(self):
        sys.exit(0)


class StrNeverEnds(Exception):
    def __str__(self):
        return str(self)


class StrOfNoText(Exception):
    def __str__(self):
        return 7


class Hidden(Exception):
    @property
    def __class__(self):
        raise RuntimeError("no class")


class Disguised(BaseException):
    __class__ = property(lambda self: KeyboardInterrupt)


class Closed(Exception):
    def __getattribute__(self, name):
        raise SystemExit(name)

    def __setattr__(self, name, value):
        raise SystemExit(name)


class Slotted(Exception):
    __slots__ = ("x",)


class Falsy(Exception):
    def __bool__(self):
        raise GeneratorExit


class Empty(Exception):
    def __len__(self):
        return 0


class Meta(type):
    def __getattribute__(cls, name):
        if name == "__class__":  # for tests that look through all objects there are
            return type.__getattribute__(cls, name)
        raise KeyboardInterrupt(name)

    def __eq__(cls, other):
        raise KeyboardInterrupt

    def __hash__(cls):
        raise KeyboardInterrupt

    def __instancecheck__(cls, instance):
        raise KeyboardInterrupt


class Unnamed(Exception, metaclass=Meta):
    pass


class Foreign(Exception):
    __module__ = None


class Lying(WebSocketError):
    @property
    def counted_as(self):
        raise KeyboardInterrupt


class Chained(Exception):
    args = property(lambda self: 1 / 0)
    reason = property(lambda self: 1 / 0)
    __cause__ = property(lambda self: 1 / 0)
    __context__ = property(lambda self: 1 / 0)
    __suppress_context__ = property(lambda self: 1 / 0)
    __traceback__ = property(lambda self: 1 / 0)
    __dict__ = property(lambda self: 1 / 0)


class Text(str):
    def __getitem__(self, key):
        raise KeyboardInterrupt

    __format__ = encode = isascii = __str__ = __getitem__


class Said(Exception):
    def __str__(self):
        return Text("said")


def name_of(kind):
    """Return the name of a class without asking its metaclass."""
    return type.__getattribute__(kind, "__name__")


def circular():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    return one


def long_chain():
    exc = ValueError("the last")
    for _ in range(5_000):
        outer = ValueError("outer")
        outer.__context__ = exc
        exc = outer
    return exc


Group = getattr(builtins, "ExceptionGroup", None)
"""The class of groups, which there is from Python 3.11 on."""


def deep_group():
    group = ValueError("the innermost")
    for _ in range(500):
        group = Group("group", [group]) if Group else group
    return group


def long_named():
    return type("N" * 10_000, (Exception,), {})("x")


ODD = {
    **{
        name_of(kind): (kind, name_of(kind))
        for kind in (
            StrRaises, StrExits, StrNeverEnds, StrOfNoText, Hidden, Disguised, Closed, Slotted, Falsy, Empty, Foreign,
            Lying, Chained, Said, Unnamed,
        )
    },
    "circular": (circular, "ValueError"),
    "long chain": (long_chain, "ValueError"),
    "deep group": (deep_group, "ExceptionGroup" if Group else "ValueError"),
    "huge text": (lambda: ValueError("x" * 10_000_000), "ValueError"),
    "surrogates": (lambda: ValueError("\ud800 \x00 \x1b[2J"), "ValueError"),
    "nameless": (lambda: type("", (BaseException,), {})("x"), "(unnamed class)"),
    "long name": (long_named, f"{'N' * 99}…"),
}  # fmt: skip
"""By name: a function that makes an exception whose class or text misbehaves, what it is listed under."""
