"""Reads a package's source and says which house rules it breaks. Each rule returns its breaches as sentences."""

import ast
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FLOORS: dict[str, int] = {
    "settings": 0, "errors": 0, "db": 1, "runtime": 2, "adapters": 2, "storage": 2, "domains": 3, "flows": 4,
    "_internal": 5, "api": 6, "dashboard": 6, "main": 7, "worker": 7, "cli": 7,
}  # fmt: skip
MAY_IMPORT: dict[str, set[str]] = {
    "settings": {"errors"},
    "errors": set(),
    "db": {"settings", "errors"},
    "runtime": {"db", "settings", "errors"},
    "adapters": {"settings", "errors"},
    "storage": {"settings", "errors"},
    "domains": {"runtime", "adapters", "storage", "db", "settings", "errors"},
    "flows": {"domains", "runtime"},
    "_internal": {"flows", "domains", "runtime", "settings", "errors"},
    "api": {"_internal", "domains", "runtime", "db", "storage", "settings", "errors"},
    "dashboard": {"_internal", "domains", "runtime", "db", "storage", "settings", "errors"},
    **{top: {room for room, floor in FLOORS.items() if floor < 7} for top in ("main", "worker", "cli")},
}
JUNK_ROOMS = {"util", "utils", "utilities", "helper", "helpers", "common", "manager", "managers", "misc"}
REPEATS = re.compile(r"\b(repeat\w*|again|twice|idempoten\w+)\b", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file. Migrations are `generated`: their size is nobody's choice."""

    name: str
    path: Path
    tree: ast.Module
    lines: int
    generated: bool

    def at(self, node: ast.AST) -> str:
        """Where a node stands, for people."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}"

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Every node of these kinds, however deep."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


@dataclass(frozen=True)
class Task:
    """A declared task: its function, its module, and the names of its schedulers."""

    module: Module
    function: Function
    schedulers: tuple[str, ...]


class Package:
    """A package's modules by name, parsed once."""

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self.modules: dict[str, Module] = {}
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            source = path.read_text()
            generated = path.parent.name == "versions" and path.parent.parent.name == "migrations"
            self.modules[name] = Module(name, path, ast.parse(source), source.count("\n"), generated)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.modules.values())

    def written(self) -> list[Module]:
        """The modules people wrote."""
        return [module for module in self if not module.generated]

    def imports(self, module: Module) -> Iterator[tuple[str, ast.AST]]:
        """Every module of this package that `module` imports: at the top, inside functions, under TYPE_CHECKING."""
        for node in module.nodes(ast.Import, ast.ImportFrom, ast.Call):
            for name in _names(node):
                target = self._resolve(name)
                if target and target != module.name:
                    yield target, node

    def _resolve(self, name: str) -> str:
        if name.split(".")[0] != self.name:
            return ""
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name

    def tasks(self) -> list[Task]:
        """Every function declared with `@task`."""
        found = []
        for module in self:
            schedulers = _schedulers(module)
            for function in module.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
                if any(called(decorator) == "task" for decorator in function.decorator_list):
                    found.append(Task(module, function, tuple(schedulers[function.name])))
        return found


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
        return [word.value for word in node.args[:1] if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return []


def called(node: ast.AST) -> str:
    """`task` for `task`, `task(...)` and `runtime.task(...)`."""
    inner = node.func if isinstance(node, ast.Call) else node
    return inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""


def _schedulers(module: Module) -> dict[str, list[str]]:
    found = defaultdict(list)
    for node in module.nodes(ast.Assign):
        if isinstance(node.value, ast.Call) and called(node.value) == "scheduler":
            for argument in node.value.args[:1]:
                found[called(argument)] += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return found


# The order of the floors


def floor_breaches(package: Package) -> list[str]:
    """Imports that go up, or sideways between siblings."""
    breaches = []
    for module in package:
        room = _room(module.name)
        if room and room[0] not in FLOORS:
            breaches.append(f"{module.name} stands on no floor")
            continue
        for target, node in package.imports(module):
            if not _allowed(room, _room(target)):
                breaches.append(f"{module.at(node)} imports {target}")
    return breaches


def _room(name: str) -> list[str]:
    return name.split(".")[1:]


def _allowed(source: list[str], target: list[str]) -> bool:
    if not source or not target:
        return not source or not target  # the package's own name and version
    if source[0] != target[0]:
        return target[0] in MAY_IMPORT[source[0]]
    # Inside `domains`, each sub-package is a sibling of the others.
    return source[0] != "domains" or len(source) < 2 or len(target) < 2 or source[1] == target[1]


def circles(package: Package) -> list[str]:
    """A circle of imports, if there is one."""
    graph = {module.name: {target for target, _ in package.imports(module)} for module in package}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" -> ".join(reversed(error.args[1]))]
    return []


def relative_imports(package: Package) -> list[str]:
    """Imports with dots in front."""
    return [module.at(node) for module in package for node in module.nodes(ast.ImportFrom) if node.level]


def models_that_reach_out(package: Package) -> list[str]:
    """Models that import anything of ours but the database."""
    return [
        f"{module.at(node)} imports {target}"
        for module in package
        if module.name.startswith(f"{package.name}.db.models")
        for target, node in package.imports(module)
        if not target.startswith(f"{package.name}.db")
    ]


# Sizes


def long_files(package: Package, limit: int) -> list[str]:
    """Files of more than `limit` lines."""
    return [f"{module.name} has {module.lines} lines" for module in package.written() if module.lines > limit]


def median_lines(package: Package) -> float:
    """The median length of the files that hold more than a docstring."""
    return statistics.median([module.lines for module in package.written() if module.lines > 5] or [0])


def long_functions(package: Package, limit: int) -> list[str]:
    """Functions of more than `limit` lines."""
    return [
        f"{module.at(node)} {node.name} has {_length(node)} lines"
        for module in package.written()
        for node in module.nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if _length(node) > limit
    ]


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def long_tasks(package: Package, limit: int) -> list[str]:
    """Tasks whose body, without signature and docstring, has more than `limit` lines."""
    breaches = []
    for task in package.tasks():
        body = task.function.body[1:] if ast.get_docstring(task.function) else task.function.body
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if lines > limit:
            breaches.append(f"{task.module.at(task.function)} {task.function.name} has a body of {lines} lines")
    return breaches
