"""The plan of the house: which room may see which, and what the imports of a file really are."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = SOURCE / "restante"

FLOORS: dict[str, frozenset[str]] = {
    room: frozenset(seen.split())
    for room, seen in {
        "core": "",
        "ports": "core",
        "config": "core",
        "dialects": "core",
        "stores": "core ports",
        "outbound": "core ports",
        "sealing": "core ports",
        "service": "core ports",
        "runner": "core ports service",
        "webhooks": "core ports service",
        "gateway": "core ports service dialects",
        "dashboard": "core ports service",
        "telemetry": "core ports",
        "client": "core",
        "demo": "",
        "assembly": "core ports config dialects stores outbound sealing service runner webhooks gateway "
        "dashboard telemetry",
        "embed": "core ports config outbound service gateway assembly",
        # a client and a starter of processes; of assembly it opens a store that no server has any more
        "torture": "core ports outbound assembly webhooks",
        # puts itself around functions of all rooms, by their names; nobody sees it
        "failpoints": "core",
        "cli": "core config client assembly demo webhooks torture",
        "__main__": "cli",
        "": "client embed",
    }.items()
}
"""What each room sees besides itself. All of them see the package's own `__init__`, that is its version."""


def modules() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """`restante.core.machine` for its file; a package's name for its `__init__`."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room a module is in: the name below the package, "" for the package itself."""
    return [*module.split("."), ""][1]


def imported(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[str]:
    """Every module named by an import anywhere in the file: in functions and under TYPE_CHECKING too.

    `from x import y` yields `x.y`: whether y is a module or a name in one, its room is the same.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package=is_package)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node.func) in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            yield str(first.value) if isinstance(first, ast.Constant) else "restante.something unknown"


def _base(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    here = parts[: len(parts) - node.level + is_package]
    return ".".join([*here, *([node.module] if node.module else [])])


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def trespasses(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """The imports by which `module` looks into a room it must not see."""
    own = room_of(module)
    seen = FLOORS.get(own, frozenset()) | {own, ""}
    found = []
    for name in imported(ast.parse(source), module, is_package=is_package):
        if name.split(".")[0] != "restante":
            continue
        room = room_of(name)
        if room not in seen and not (room.startswith("__") and room.endswith("__")):
            found.append(name)
    return found
