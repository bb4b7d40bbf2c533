"""The import statements of a module, in the order of isort: the standard library first, what nothing uses left out."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence


def import_lines(nodes: Sequence[ast.stmt], body: str) -> str:
    """Return the statements as source text in two groups, without names that *body* does not mention."""
    groups: dict[bool, list[tuple[bool, str, str]]] = {True: [], False: []}
    future = []
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if mentions(body, (alias.asname or alias.name).partition(".")[0]):
                    text = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                    groups[_standard(alias.name)].append((True, alias.name.lower(), text))
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            used = [each for each in node.names if each.name == "*" or mentions(body, each.asname or each.name)]
            if module == "__future__":
                future.append(ast.unparse(node))
            elif used:
                names = ", ".join(each.name + (f" as {each.asname}" if each.asname else "") for each in used)
                groups[_standard(module)].append((False, module.lower(), f"from {module} import {names}"))
    ordered = ["\n".join(text for _, _, text in sorted(set(group), key=_order)) for group in groups.values() if group]
    return "\n\n".join([*(["\n".join(future)] if future else []), *ordered])


def mentions(text: str, name: str) -> bool:
    """Return whether a name occurs in source text."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None


def _order(each: tuple[bool, str, str]) -> tuple[bool, str]:
    return not each[0], each[1]


def _standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names
