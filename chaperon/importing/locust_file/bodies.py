"""Functions of a locustfile rewritten as functions of a session: `self.client.get(…)` becomes `session.get(…)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from chaperon.importing.locust_file.source_edits import SourceEdits
from chaperon.lazy_dataclass import lazy_dataclass

VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})
HOPS = frozenset({"user", "parent", "locust"})
"""Attributes of a set of tasks that lead to the user, whose state is that of the session."""

CONTROL = {
    "RescheduleTask": "return",
    "RescheduleTaskImmediately": "return",
    "StopUser": 'session.abort("the user stopped")',
    "InterruptTaskSet": "raise Interrupt",
}
"""Exceptions of Locust that a task raises, with what takes their place."""

NOT_THERE = frozenset({"environment", "wait", "_sleep", "schedule_task", "greenlet", "host", "group", "pool_manager"})


@lazy_dataclass
class ReplacedNames:
    """The names that the functions of one class use: by attribute, what takes its place in the module."""

    methods: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


class BodyRewriter(ast.NodeVisitor):
    """Rewrites the body of one function in *edits*; calls *say* with (line, text) of what it cannot carry over."""

    def __init__(
        self,
        edits: SourceEdits,
        function: ast.FunctionDef,
        names: ReplacedNames,
        say: Callable[[int, str], None],
        indent: int = 4,
    ) -> None:
        self._edits = edits
        self._function = function
        self._names = names
        self._say = say
        self._self = function.args.args[0].arg if function.args.args else "self"
        self._columns = indent - function.body[0].col_offset
        self._caught: set[str] = set()
        self.interrupts = False

    def rewrite(self) -> None:
        """Make the edits."""
        for each in self._function.body:
            self.visit(each)

    def visit_With(self, node: ast.With) -> None:
        """Rewrite `with self.client.get(…, catch_response=True) as response:` as an assignment."""
        (item, *others) = node.items
        call = item.context_expr
        if others or not isinstance(call, ast.Call) or self._verb(call) is None:
            self.generic_visit(node)
            return
        name = item.optional_vars.id if isinstance(item.optional_vars, ast.Name) else None
        expect = None
        if name is not None:
            self._caught.add(name)
            expect = self._expected(node.body, name)
        self._request(call, expect)
        if len(node.body) == 1 and name is not None and _only_success(node.body[0], name):
            self._edits.replace(self._edits.start(node), self._edits.start(call), "")
            self._edits.replace(self._edits.end(call), self._edits.end(node), "")
            return
        self._edits.replace(self._edits.start(node), self._edits.start(call), f"{name} = " if name else "")
        first = node.body[0]
        body_start = self._edits.start(first)
        indent = " " * (node.col_offset + self._columns + self._edits.shifted(node.lineno))
        gap = self._edits.text(self._edits.end(call), body_start)
        comments = [line.strip() for line in gap.split("\n") if line.strip().startswith("#")]
        lead = "".join(f"\n{indent}{each}" for each in comments)
        self._edits.replace(self._edits.end(call), body_start, f"{lead}\n{indent}")
        if first.lineno != call.end_lineno and node.end_lineno is not None:
            self._edits.shift(first.lineno, node.end_lineno, node.col_offset - first.col_offset)
        for each in node.body:
            self.visit(each)

    def visit_Call(self, node: ast.Call) -> None:
        """Rewrite requests, calls of own methods, and `response.failure(…)`."""
        match node.func:
            case ast.Attribute(value=ast.Name(id=name), attr="failure") if name in self._caught:
                self._edits.replace(self._edits.end(node.func.value), self._edits.end(node.func), ".fail")
                self._as_text(node)
                return
            case ast.Attribute(attr=method) if self._is_self(node.func.value) and method in self._names.methods:
                self._edits.replace(self._edits.start(node), self._edits.end(node.func), self._names.methods[method])
                opening = self._opening(node)
                self._edits.replace(opening, opening, "session, " if node.args or node.keywords else "session")
                for each in (*node.args, *node.keywords):
                    self.visit(each)
                return
        if self._verb(node) is not None:
            self._request(node, None)
            return
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Rewrite statements that are calls: `self.interrupt()`, `response.success()`."""
        match node.value:
            case ast.Call(func=ast.Attribute(value=owner, attr="interrupt")) if self._is_self(owner):
                self.interrupts = True
                self._edits.replace(self._edits.start(node), self._edits.end(node), "raise Interrupt")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="success")) if name in self._caught:
                self._edits.replace(self._edits.start(node), self._edits.end(node), "pass")
            case _:
                self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Rewrite exceptions by which a task of Locust ends itself."""
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = raised.id if isinstance(raised, ast.Name) else raised.attr if isinstance(raised, ast.Attribute) else ""
        if name in CONTROL:
            self.interrupts |= name == "InterruptTaskSet"
            self._edits.replace(self._edits.start(node), self._edits.end(node), CONTROL[name])
        else:
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Rewrite `self.x = value` as `session.assign(x=value)`."""
        names = [self._state(each) for each in node.targets]
        if len(names) == 1 and names[0] is not None:
            self._edits.replace(self._edits.start(node), self._edits.start(node.value), f"session.assign({names[0]}=")
            self.visit(node.value)
            self._edits.replace(self._edits.end(node), self._edits.end(node), ")")
            return
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Rewrite `self.x: int = value`."""
        name = self._state(node.target)
        if name is None or node.value is None:
            self.generic_visit(node)
            return
        self._edits.replace(self._edits.start(node), self._edits.start(node.value), f"session.assign({name}=")
        self.visit(node.value)
        self._edits.replace(self._edits.end(node), self._edits.end(node), ")")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Rewrite what is read of the user: its client, its state, constants of its class; and `js` of a response."""
        if node.attr == "js" and isinstance(node.value, ast.Name) and node.value.id in self._caught:
            self._edits.replace(self._edits.end(node.value), self._edits.end(node), ".json()")
        elif isinstance(node.value, ast.Attribute) and node.value.attr == "client" and self._is_self(node.value.value):
            place = "session" if node.attr in (*VERBS, "headers") else "session.http"
            if node.attr == "base_url":
                self._say(node.lineno, "self.client.base_url: the base URL is that of the environment")
            self._edits.replace(self._edits.start(node), self._edits.end(node.value), place)
        elif self._is_self(node.value):
            self._own(node)
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Rewrite the user itself."""
        if node.id == self._self:
            self._edits.replace(self._edits.start(node), self._edits.end(node), "session")

    def _own(self, node: ast.Attribute) -> None:
        """Rewrite `self.x`."""
        name = node.attr
        if name in self._names.methods:
            made = self._names.methods[name]
        elif name in HOPS:
            made = "session"
        elif name == "client":
            made = "session.http"
        elif name in self._names.constants:
            made = self._names.constants[name]
        elif not isinstance(node.ctx, ast.Load):
            made = f'session.assigned["{name}"]'
        else:
            made = f"session.assigned.{name}"
            if name in NOT_THERE:
                self._say(node.lineno, f"self.{name}")
        self._edits.replace(self._edits.start(node), self._edits.end(node), made)

    def _state(self, target: ast.expr) -> str | None:
        own = isinstance(target, ast.Attribute) and self._is_self(target.value)
        return target.attr if own and isinstance(target, ast.Attribute) and target.attr != "client" else None

    def _is_self(self, node: ast.expr) -> bool:
        """Return whether an expression is the user: `self`, `self.user`, `self.parent`."""
        while isinstance(node, ast.Attribute) and node.attr in HOPS:
            node = node.value
        return isinstance(node, ast.Name) and node.id == self._self

    def _verb(self, call: ast.Call) -> str | None:
        match call.func:
            case ast.Attribute(value=ast.Attribute(value=owner, attr="client"), attr=verb) if self._is_self(owner):
                return verb if verb in VERBS else None
            case ast.Attribute(value=owner, attr="rest" | "rest_") if self._is_self(owner):
                return "request"
        return None

    def _request(self, call: ast.Call, expect: str | None) -> None:
        """Rewrite one request; *expect* takes the place of `catch_response`."""
        assert isinstance(call.func, ast.Attribute)
        if call.func.attr in VERBS:
            self._edits.replace(self._edits.start(call), self._edits.end(call.func.value), "session")
        else:
            self._edits.replace(self._edits.start(call), self._edits.end(call.func), "session.request")
        for place, each in enumerate(call.keywords):
            if each.arg in ("catch_response", "context"):
                self._drop(call, place, expect if each.arg == "catch_response" else None)
            else:
                self.visit(each.value)
        for argument in call.args:
            self.visit(argument)

    def _drop(self, call: ast.Call, place: int, instead: str | None) -> None:
        keyword = call.keywords[place]
        if instead is not None:
            self._edits.replace(self._edits.start(keyword), self._edits.end(keyword), f"expect={instead}")
            return
        before = [self._edits.end(each) for each in [*call.args, *(keyword.value for keyword in call.keywords[:place])]]
        if before:
            self._edits.replace(max(before), self._edits.end(keyword), "")
        else:
            self._edits.replace(self._edits.start(keyword), self._edits.end(keyword), "")

    def _expected(self, body: Sequence[ast.stmt], name: str) -> str | None:
        """Return `expect=` for a block that calls `response.success()`, None if it calls it for 2xx alone."""
        tests: list[str] = []
        for each in body:
            for inner in ast.walk(each):
                if isinstance(inner, ast.If) and any(_is_success(one, name) for one in inner.body):
                    tests.append(ast.unparse(inner.test))
        if any(_is_success(each, name) for each in body):
            return f"lambda {name}: True"
        statuses = [each for each in tests if "status_code" in each and "200" not in each]
        if not tests or (not statuses and all(f"{name}.ok" in each or "200" in each for each in tests)):
            return None
        if len(statuses) == len(tests):
            return f"lambda {name}: {name}.ok or {' or '.join(statuses)}"
        return f"lambda {name}: True"

    def _as_text(self, node: ast.Call) -> None:
        """Make the reason of `failure` a text."""
        for each in node.args:
            self.visit(each)
        if node.args and not isinstance(node.args[0], (ast.JoinedStr, ast.Constant)):
            self._edits.replace(self._edits.start(node.args[0]), self._edits.start(node.args[0]), "str(")
            self._edits.replace(self._edits.end(node.args[0]), self._edits.end(node.args[0]), ")")

    def _opening(self, node: ast.Call) -> int:
        """Return the offset behind the parenthesis that opens the arguments."""
        at = self._edits.end(node.func)
        return at + self._edits.text(at, self._edits.end(node)).index("(") + 1


def _is_success(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="success"))):
            return owner == name
    return False


def _only_success(node: ast.stmt, name: str) -> bool:
    """Return whether a statement does nothing but call `response.success()`, perhaps on a condition."""
    if isinstance(node, ast.If):
        return not node.orelse and len(node.body) == 1 and _is_success(node.body[0], name)
    return _is_success(node, name)
