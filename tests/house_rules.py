"""More house rules: what a source may not say, and what it must. Each returns its breaches as sentences."""

import ast
from collections.abc import Iterator

from tests.house import JUNK_ROOMS, REPEATS, Module, Package, called


def broad_excepts(package: Package) -> list[str]:
    """Every place that catches anything: bare, Exception, BaseException, also in a tuple or in `suppress`."""
    return [module.at(node) for module in package.written() for node in _broad(module)]


def _broad(module: Module) -> Iterator[ast.AST]:
    for node in module.nodes(ast.ExceptHandler):
        if node.type is None or _names_everything(node.type):
            yield node
    for node in module.nodes(ast.Call):
        if called(node) == "suppress" and any(map(_names_everything, node.args)):
            yield node


def _names_everything(node: ast.expr) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(called(kind) in ("Exception", "BaseException") for kind in kinds)


def without_docstring(package: Package) -> list[str]:
    """Modules, public classes and public functions that do not say what they are in a first sentence."""
    breaches = []
    for module in package:
        public = [node for node in module.tree.body if _is_public(node)]
        for node in (module.tree, *public):
            first = (ast.get_docstring(node) or "").split("\n\n")[0].strip()
            if not first.endswith((".", ":", "?", "!")):
                breaches.append(f"{module.at(node)} {getattr(node, 'name', 'the module')}")
    return breaches


def _is_public(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")


def commits(package: Package) -> list[str]:
    """Calls of `commit`, and statements that commit by text."""
    calls = [(module, node) for module in package for node in module.nodes(ast.Call) if called(node) == "commit"]
    texts = [
        (module, node)
        for module in package
        for node in module.nodes(ast.Constant)
        if isinstance(node.value, str) and node.value.strip(" ;").upper() == "COMMIT"
    ]
    return [module.at(node) for module, node in (*calls, *texts)]


def shells(package: Package) -> list[str]:
    """Programs started through a shell."""
    return [module.at(node) for module in package for node in module.nodes(ast.Call) if _is_shell(node)]


def _is_shell(node: ast.Call) -> bool:
    by_flag = any(word.arg == "shell" and not _is_false(word.value) for word in node.keywords)
    by_name = called(node) in ("create_subprocess_shell", "subprocess_shell", "getoutput", "getstatusoutput", "popen")
    by_os = ast.unparse(node.func) in ("os.system", "system")
    return by_flag or by_name or by_os


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def junk_rooms(package: Package) -> list[str]:
    """Modules and folders with a name that says nothing."""
    return [module.name for module in package if JUNK_ROOMS & set(module.name.split("."))]


def task_lists(package: Package) -> list[str]:
    """Collections that name three or more tasks of other rooms: a list that will be forgotten one day."""
    owners = _task_names(package)
    breaches = []
    for module in package:
        for node in module.nodes(ast.List, ast.Tuple, ast.Set, ast.Dict):
            parts = node.keys if isinstance(node, ast.Dict) else node.elts
            named = {word for part in parts if part is not None for word in _words(part)}
            strangers = sorted(word for word in named if word in owners and owners[word] != module.name)
            if len(strangers) >= 3:
                breaches.append(f"{module.at(node)} lists {', '.join(strangers)}")
    return breaches


def named_in_the_door(package: Package, door: str) -> list[str]:
    """Tasks and schedulers that the module `door` names, though it should find them."""
    owners = _task_names(package)
    return [
        f"{door} names {word}"
        for module in package
        if module.name == door
        for node in ast.walk(module.tree)
        for word in _words(node)
        if word in owners
    ]


def tasks_silent_about_repeats(package: Package) -> list[str]:
    """Tasks whose docstring does not say how a repeat stays harmless."""
    return [
        f"{task.module.at(task.function)} {task.function.name}"
        for task in package.tasks()
        if not REPEATS.search(ast.get_docstring(task.function) or "")
    ]


def _task_names(package: Package) -> dict[str, str]:
    """Each task and scheduler, with the module that declares it."""
    return {name: task.module.name for task in package.tasks() for name in (task.function.name, *task.schedulers)}


def _words(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value, node.value.rpartition(".")[2]]
    if isinstance(node, ast.alias):
        return [node.name]
    return [called(node)] if isinstance(node, ast.Name | ast.Attribute) else []
