"""The classes of a locustfile: users, sets of tasks, shapes, with their tasks, attributes and methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import field

from chaperon.errors import LoadError
from chaperon.lazy_dataclass import lazy_dataclass

USERS = frozenset({"HttpUser", "FastHttpUser", "User", "HttpLocust", "FastHttpLocust"})
SETS = frozenset({"TaskSet", "SequentialTaskSet", "TaskSequence", "MarkovTaskSet"})
IN_ORDER = frozenset({"SequentialTaskSet", "TaskSequence"})
SHAPES = frozenset({"LoadTestShape"})


@lazy_dataclass
class LocustTask:
    """A task: a function or a set of tasks, by name, with its weight."""

    name: str
    weight: int
    target: ast.FunctionDef | LocustClass


@lazy_dataclass
class LocustClass:
    """A class with what it inherits from classes of the file; *kind* is user, set, sequence, shape or other."""

    name: str
    kind: str
    node: ast.ClassDef
    outer: LocustClass | None = None
    attributes: dict[str, ast.expr] = field(default_factory=dict)
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    nested: dict[str, LocustClass] = field(default_factory=dict)
    bases: list[LocustClass] = field(default_factory=list)

    @property
    def abstract(self) -> bool:
        """Whether it is only a base of others."""
        own = [each.value for each in self.node.body if isinstance(each, ast.Assign) and _names(each) == ["abstract"]]
        return any(isinstance(each, ast.Constant) and each.value is True for each in own)

    def method(self, name: str) -> ast.FunctionDef | None:
        """Return a method, its own or inherited."""
        return self.methods.get(name)


class LocustFile:
    """What a locustfile defines: `classes` by name, `functions`, the values of `constants`, `kept` statements."""

    def __init__(self, tree: ast.Module) -> None:
        self.classes: dict[str, LocustClass] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self.kept: list[ast.stmt] = []
        self.left_out: list[tuple[int, str]] = []
        self._of_locust: set[str] = set()
        for each in tree.body:
            self._add(each)
        if not self.users:
            raise LoadError("the file has no class that derives from HttpUser or FastHttpUser")

    @property
    def users(self) -> list[LocustClass]:
        """The users that a run would start."""
        return [each for each in self.classes.values() if each.kind == "user" and not each.abstract]

    @property
    def shapes(self) -> list[LocustClass]:
        """The shapes of the load."""
        return [each for each in self.classes.values() if each.kind == "shape" and not each.abstract]

    def tasks(self, owner: LocustClass) -> list[LocustTask]:
        """Return the tasks of a user or of a set, in order of definition, then those of its attribute `tasks`."""
        found = [
            LocustTask(name, weight, function)
            for name, function in owner.methods.items()
            if (weight := task_weight(function)) is not None
        ]
        found += [
            LocustTask(name, weight, nested)
            for name, nested in owner.nested.items()
            if (weight := task_weight(nested.node)) is not None
        ]
        found.sort(
            key=lambda each: (each.target if isinstance(each.target, ast.FunctionDef) else each.target.node).lineno
        )
        return found + list(self._listed(owner))

    def _listed(self, owner: LocustClass) -> Iterator[LocustTask]:
        """Yield the tasks that `tasks = [a, B]` or `tasks = {a: 3, B: 1}` names."""
        value = owner.attributes.get("tasks")
        pairs: list[tuple[ast.expr | None, int]] = []
        if isinstance(value, ast.Dict):
            weights = [each.value if isinstance(each, ast.Constant) else 1 for each in value.values]
            pairs = [(key, each if isinstance(each, int) else 1) for key, each in zip(value.keys, weights, strict=True)]
        elif isinstance(value, (ast.List, ast.Tuple, ast.Set)):
            pairs = [(each, 1) for each in value.elts]
        merged: dict[str, LocustTask] = {}
        for node, weight in pairs:
            name = node.id if isinstance(node, ast.Name) else ""
            target = owner.nested.get(name) or self.classes.get(name) or owner.method(name) or self.functions.get(name)
            if target is None:
                line = value.lineno if value is not None else 0
                self.left_out.append((line, f"the task {ast.unparse(node) if node is not None else '**'}"))
            elif name in merged:
                merged[name].weight += weight
            else:
                merged[name] = LocustTask(name, weight, target)
        yield from merged.values()

    def _add(self, node: ast.stmt) -> None:
        match node:
            case ast.ImportFrom(module=module) if (module or "").split(".")[0] == "locust":
                self._of_locust |= {each.asname or each.name for each in node.names}
            case ast.Import() if any(each.name.split(".")[0] == "locust" for each in node.names):
                self._of_locust |= {each.asname or each.name.split(".")[0] for each in node.names}
            case ast.ClassDef():
                found = self._class(node, None)
                if found.kind == "other":
                    self.kept.append(node)
                self.classes[node.name] = found
            case ast.FunctionDef() if any("events" in ast.unparse(each) for each in node.decorator_list):
                self.left_out.append((node.lineno, f"the listener {node.name}"))
            case ast.If() if "__name__" in ast.unparse(node.test):
                self.left_out.append((node.lineno, "what runs if the file is a program"))
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Expr() if "events." in ast.unparse(node):
                self.left_out.append((node.lineno, ast.unparse(node)[:60]))
            case ast.stmt() if not isinstance(node, (ast.FunctionDef, ast.Import, ast.ImportFrom)) and self._uses(node):
                self.left_out.append((node.lineno, ast.unparse(node).split("\n")[0][:60]))
            case _:
                if isinstance(node, ast.FunctionDef):
                    self.functions[node.name] = node
                if isinstance(node, ast.Assign):
                    self.constants.update(dict.fromkeys(_names(node), node.value))
                self.kept.append(node)

    def _uses(self, node: ast.stmt) -> bool:
        """Return whether a statement needs what the file imports of Locust."""
        return any(isinstance(each, ast.Name) and each.id in self._of_locust for each in ast.walk(node))

    def _class(self, node: ast.ClassDef, outer: LocustClass | None) -> LocustClass:
        bases = [base for each in node.bases if (base := self.classes.get(_last(each))) is not None]
        if "MarkovTaskSet" in map(_last, node.bases):
            self.left_out.append((node.lineno, f"the transitions of {node.name}: its tasks are drawn at random"))
        found = LocustClass(node.name, self._kind(node, bases), node, outer, bases=bases)
        for base in bases:
            found.attributes |= base.attributes
            found.methods |= base.methods
            found.nested |= base.nested
        for each in node.body:
            match each:
                case ast.Assign():
                    found.attributes |= dict.fromkeys(_names(each), each.value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    found.attributes[name] = value
                case ast.FunctionDef():
                    found.methods[each.name] = each
                case ast.ClassDef():
                    found.nested[each.name] = self._class(each, found)
        return found

    def _kind(self, node: ast.ClassDef, bases: list[LocustClass]) -> str:
        names = {_last(each) for each in node.bases}
        if names & USERS or any(each.kind == "user" for each in bases):
            return "user"
        if names & IN_ORDER or any(each.kind == "sequence" for each in bases):
            return "sequence"
        if names & SETS or any(each.kind == "set" for each in bases):
            return "set"
        return "shape" if names & SHAPES or any(each.kind == "shape" for each in bases) else "other"


def task_weight(node: ast.FunctionDef | ast.ClassDef) -> int | None:
    """Return the weight that `@task` gives, 1 for other decorators of tasks, None for what is no task."""
    for each in node.decorator_list:
        if _last(each.func if isinstance(each, ast.Call) else each) in ("seq_task", "transition", "transitions"):
            return 1
        if _last(each) == "task":
            return 1
        if isinstance(each, ast.Call) and _last(each.func) == "task":
            given = [*each.args, *(keyword.value for keyword in each.keywords)]
            weight = given[0].value if given and isinstance(given[0], ast.Constant) else 1
            return weight if isinstance(weight, int) and weight > 0 else 1
    return None


def tags_of(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """Return the texts of `@tag`."""
    calls = [each for each in node.decorator_list if isinstance(each, ast.Call) and _last(each.func) == "tag"]
    return [
        each.value
        for call in calls
        for each in call.args
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def _last(node: ast.expr) -> str:
    """Return the last name of a dotted one, "" for any other expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.Assign) -> list[str]:
    return [each.id for each in node.targets if isinstance(each, ast.Name)]
