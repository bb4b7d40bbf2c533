"""The functions and scenarios that the classes of a locustfile become."""

from __future__ import annotations

import ast
from typing import Any

from chaperon.importing.locust_file.bodies import BodyRewriter, ReplacedNames
from chaperon.importing.locust_file.classes import LocustClass, LocustFile, LocustTask, tags_of, task_weight
from chaperon.importing.locust_file.function_text import body_text, own_methods
from chaperon.importing.locust_file.secret_texts import hide_secret_texts, secret_constant
from chaperon.importing.locust_file.source_edits import SourceEdits
from chaperon.importing.locust_file.waits import load_wait, sleep_statement, think_of
from chaperon.importing.module_writer import RESERVED
from chaperon.importing.python_code import Bracketed, Code, call, comment_text, identifier, lines
from chaperon.importing.secret_values import SecretValues
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.redaction.secret_names import names_a_secret

OPTIONS = frozenset({
    "abstract", "fixed_count", "host", "insecure", "max_wait", "min_wait", "tasks", "wait_time", "weight",
})  # fmt: skip
"""Attributes that Locust reads."""

UNKNOWN = frozenset(
    {"connection_timeout", "network_timeout", "max_redirects", "max_retries", "proxy_host", "proxy_port"}
)
"""Attributes that Locust reads and that have no place here."""


@lazy_dataclass(frozen=True)
class WrittenScenario:
    """A scenario of the module: the variable it is bound to, and the call that makes it."""

    variable: str
    code: Bracketed


class FunctionWriter:
    """Writes functions in `functions`; `remarks` are (line, text) of what could not be carried over."""

    def __init__(self, file: LocustFile, text: str) -> None:
        self.functions: list[str] = []
        self.remarks: list[tuple[int, str]] = []
        self.interrupts = False
        self.secrets = SecretValues()
        self._file = file
        self._edits = SourceEdits(text)
        self._source = text.split("\n")
        self._taken = {*RESERVED, "Scenario", "Environment", *file.functions, *file.constants, *file.classes}
        self._names: dict[int, str] = {}
        self._constants: dict[int, str] = {}
        self._constant_lines: list[str] = []
        self._written: set[int] = set()

    def say(self, line: int, text: str) -> None:
        """Add a remark."""
        self.remarks.append((line, comment_text(text)))

    def user(self, user: LocustClass) -> WrittenScenario:
        """Write the functions of a user and return its scenario."""
        tasks = self._file.tasks(user)
        self._name_members(user)
        owner = user
        only = tasks[0].target if len(tasks) == 1 else None
        if isinstance(only, LocustClass) and not self._ends_itself(only):
            only.outer = only.outer or user
            self._name_members(only)
            owner, tasks = only, self._file.tasks(only)
        named: dict[str, Any] = {}
        for option, method in (("init", "on_start"), ("cleanup", "on_stop")):
            found = self._around(option, method, user, owner)
            if found is not None:
                named[option] = Code(found)
        in_order = owner.kind == "sequence"
        think = think_of(user, owner) if in_order else None
        functions = [self._task(each, owner, user, think=think) for each in tasks]
        self._helpers(user)
        self._helpers(owner)
        variable = self._free(user.name)
        if not functions:
            self.say(user.node.lineno, f"{user.name} has no task")
            functions = [self._empty(variable)]
        codes = [Code(each) for each in functions]
        if in_order or len(codes) == 1:
            return WrittenScenario(variable, call("Scenario", *codes, **named))
        weights = Bracketed("{", tuple((f"{f}: ", t.weight) for f, t in zip(functions, tasks, strict=True)), "}")
        return WrittenScenario(variable, call("Scenario.choose", weights, **named))

    def load_options(self, user: LocustClass) -> dict[str, Any]:
        """Return `think=` or `pacing=` of the load of a user; Locust waits after each task."""
        found, reason = load_wait(user)
        if reason:
            self.say(user.node.lineno, f"the wait time of {user.name}: {reason}")
        return found

    def kept_text(self) -> str:
        """Return the statements of the file that stay as they are."""
        parts = []
        for each in self._file.kept:
            if isinstance(each, (ast.Import, ast.ImportFrom)) or id(each) in self._names:
                continue
            if isinstance(each, ast.ClassDef) and self._is_dissolved(each):
                continue
            if isinstance(each, ast.FunctionDef):
                self._rewrite_user_argument(each)
            if name := secret_constant(each):
                self.say(each.lineno, f"{name} stays in the file: give it in config=, as secret('env:{name.upper()}')")
            first = min([each.lineno, *(one.lineno for one in getattr(each, "decorator_list", ()))])
            gap = "\n\n" if isinstance(each, (ast.FunctionDef, ast.ClassDef)) else ""
            parts.append(gap + self._edits.lines(first, each.end_lineno or each.lineno, set()).rstrip("\n") + gap)
        return "\n".join(parts)

    def _is_dissolved(self, node: ast.ClassDef) -> bool:
        """Return whether a class has no place in the module: its methods were written as functions, or are tasks."""
        methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
        if any(id(each) in self._written for each in methods):
            return True
        tasks = any(task_weight(each) is not None for each in methods)
        if tasks:
            self.say(node.lineno, f"the tasks of {node.name}: no user has them")
        return tasks

    def constants_text(self) -> str:
        """Return the constants that were attributes of classes."""
        return "\n".join(self._constant_lines)

    def import_nodes(self) -> list[ast.stmt]:
        """Return the import statements of the file, but those of Locust."""
        return [each for each in self._file.kept if isinstance(each, (ast.Import, ast.ImportFrom))]

    def _task(
        self, task: LocustTask, owner: LocustClass, user: LocustClass, *, step: bool = True, think: Any = None
    ) -> str:
        """Write the function of a task and return its name."""
        if isinstance(task.target, LocustClass):
            return self._set(task.target, owner, user, step=step)
        decorator = ("@step" if think is None else lines(call("@step", think=think))) if step else ""
        return self._function(task.target, owner, decorator)

    def _set(self, tasks: LocustClass, outer: LocustClass, user: LocustClass, *, step: bool) -> str:
        """Write the functions of a set of tasks and one that runs them; return the name of that one."""
        tasks.outer = tasks.outer or outer
        self._name_members(tasks)
        if id(tasks.node) in self._names:
            return self._names[id(tasks.node)]
        name = self._names[id(tasks.node)] = self._free(tasks.name)
        found = self._file.tasks(tasks)
        functions = [self._task(each, tasks, user, step=False) for each in found]
        self._helpers(tasks)
        ends = self._ends_itself(tasks)
        pause = sleep_statement(tasks, user)
        body = []
        if tasks.kind == "sequence":
            text = f"The tasks of {tasks.name}, in order."
            for place, each in enumerate(functions):
                body += [f"{each}(session)", *([pause] if pause and place + 1 < len(functions) else [])]
        else:
            until = " until one of them interrupts" if ends else ""
            text = f"{'Tasks' if ends else 'One of the tasks'} of {tasks.name}, drawn by weight{until}."
            weights = [each.weight for each in found]
            drawn = call("session.random.choices", [Code(each) for each in functions], weights)
            body = [f"{lines(drawn, before='task = ')}[0]", "task(session)", *([pause] if ends and pause else [])]
            if ends:
                body = ["while True:", *(f"    {line}" for each in body for line in each.split("\n"))]
            else:
                self.say(tasks.node.lineno, f"{tasks.name} never interrupts: each visit runs one of its tasks")
        if ends:
            self.interrupts = True
            body = ["with suppress(Interrupt):", *(f"    {line}" for each in body for line in each.split("\n"))]
        if "on_stop" in tasks.methods:
            stop = f"    {self._names[id(tasks.methods['on_stop'])]}(session)"
            body = ["try:", *(f"    {line}" for each in body for line in each.split("\n")), "finally:", stop]
        if "on_start" in tasks.methods:
            body.insert(0, f"{self._names[id(tasks.methods['on_start'])]}(session)")
        head = ["@step"] * step + [f"def {name}(session):", f'    """{text}"""']
        self.functions.append("\n".join([*head, *(f"    {line}" for each in body for line in each.split("\n"))]))
        return name

    def _ends_itself(self, tasks: LocustClass) -> bool:
        """Return whether a task of a set interrupts it."""
        texts = [ast.unparse(each) for each in tasks.methods.values()]
        texts += [
            ast.unparse(each.target) for each in self._file.tasks(tasks) if isinstance(each.target, ast.FunctionDef)
        ]
        return any(".interrupt(" in each or "InterruptTaskSet" in each for each in texts)

    def _around(self, option: str, method: str, user: LocustClass, owner: LocustClass) -> str | None:
        """Write `init` or `cleanup` of methods of the user and of its only set, and return its name."""
        owners = [user] if owner is user else [user, owner]
        found = [self._function(each.methods[method], each, "") for each in owners if method in each.methods]
        state = self._initial_state(owners) if option == "init" else []
        if not state and len(found) < 2:
            return found[0] if found else None
        name = self._free(f"{user.name} {option}")
        calls = [f"    {each}(session)" for each in (found if option == "init" else reversed(found))]
        self.functions.append("\n".join([f"def {name}(session):", *(f"    {each}" for each in state), *calls]))
        return name

    def _helpers(self, owner: LocustClass) -> None:
        """Write the methods that are no tasks."""
        for name, method in owner.methods.items():
            if name not in ("wait_time", "__init__"):
                self._function(method, owner, "")
            elif name == "__init__":
                self.say(method.lineno, f"{owner.name}.__init__: use init of the scenario")

    def _function(self, method: ast.FunctionDef, owner: LocustClass, decorator: str) -> str:
        """Write a method as a function, once, and return its name."""
        name = self._names.setdefault(id(method), method.name)
        if id(method) in self._written:
            return name
        self._written.add(id(method))
        self._taken.add(name)
        tags = tags_of(method)
        indent = 8 if tags else 4
        rewriter = BodyRewriter(self._edits, method, self._names_of(owner), self.say, indent)
        hide_secret_texts(method, self._edits, self.secrets)
        rewriter.rewrite()
        self.interrupts |= rewriter.interrupts
        body = body_text(self._edits, method, self._source, indent).rstrip("\n")
        arguments = ast.unparse(method.args).split(", ", 1)
        more = f", {arguments[1]}" if len(arguments) > 1 else ""
        tagged = [f"    with {lines(call('session.tagged', tag=' '.join(tags)))}:"] if tags else []
        head = [*([decorator] if decorator else []), f"def {name}(session{more}):", *tagged]
        self.functions.append("\n".join([*head, body]))
        return name

    def _name_members(self, owner: LocustClass) -> None:
        """Choose the names of methods and constants of a class."""
        for name, method in owner.methods.items():
            if id(method) not in self._names:
                self._names[id(method)] = self._free(
                    name if name not in ("on_start", "on_stop") else f"{owner.name} {name}"
                )
        state = self._assigned(owner)
        for name, value in owner.attributes.items():
            if name in UNKNOWN:
                self.say(value.lineno, f"{owner.name}.{name}")
            elif name not in state and names_a_secret(name) and (text := _text_of(value)):
                self._constants[id(value)] = self.secrets.secret(name, text).text
            elif name not in OPTIONS and name not in state and id(value) not in self._constants:
                made = self._constants[id(value)] = self._free(name)
                self._constant_lines.append(lines(_literal(value), before=f"{made} = "))

    def _names_of(self, owner: LocustClass) -> ReplacedNames:
        methods = {name: self._names[id(each)] for name, each in own_methods(owner).items() if id(each) in self._names}
        constants: dict[str, str] = {}
        each: LocustClass | None = owner
        while each is not None:
            own = {
                name: self._constants[id(value)]
                for name, value in each.attributes.items()
                if id(value) in self._constants
            }
            constants = {**own, **constants}
            each = each.outer
        return ReplacedNames(methods, constants)

    def _assigned(self, owner: LocustClass) -> set[str]:
        """Return the attributes that a method assigns: they are state of the session."""
        return {
            each.attr
            for method in owner.methods.values()
            for each in ast.walk(method)
            if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
        }

    def _initial_state(self, owners: list[LocustClass]) -> list[str]:
        return [
            lines(call("session.assign", **{name: self._value(name, value)}))
            for owner in owners
            for name, value in owner.attributes.items()
            if name in self._assigned(owner) and name not in OPTIONS
        ]

    def _value(self, name: str, value: ast.expr) -> Any:
        text = _text_of(value)
        return self.secrets.secret(name, text) if text and names_a_secret(name) else _literal(value)

    def _rewrite_user_argument(self, function: ast.FunctionDef) -> None:
        """Rewrite a function of the file that sends requests with the client of its first argument."""
        first = function.args.args[0] if function.args.args else None
        if first is not None and f"{first.arg}.client." in ast.unparse(function):
            hide_secret_texts(function, self._edits, self.secrets)
            BodyRewriter(self._edits, function, ReplacedNames(), self.say).rewrite()
            start = self._edits.start(first)  # type: ignore[arg-type]  # it has a position, as an expression has
            self._edits.replace(start, start + len(first.arg.encode()), "session")

    def _empty(self, variable: str) -> str:
        name = self._free(f"{variable} task")
        self.functions.append(f'@step\ndef {name}(session):\n    """Do nothing: the user had no task."""')
        return name

    def _free(self, text: str) -> str:
        name = identifier(text, self._taken)
        self._taken.add(name)
        return name


def _text_of(node: ast.expr) -> str:
    """Return the text that an expression is, "" if it is none."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _literal(node: ast.expr) -> Any:
    """Return the value of an expression if it is one of JSON's, else its source text."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return Code(ast.unparse(node))
    return value if isinstance(value, (str, int, float, list, dict, tuple, type(None))) else Code(ast.unparse(node))
