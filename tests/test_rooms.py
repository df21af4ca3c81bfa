"""The package's rooms: imports run downwards, and make no circle."""

import ast
from collections import defaultdict
from pathlib import Path

import nengo_tactile

PACKAGE = Path(nengo_tactile.__file__).parent
#: From the ground up: a room imports those before it. docs/architecture.md says what they hold.
ROOMS = (
    *(
        "errors",
        "lazy",
        "lanes",
        "memory",
        "doors",
        "arguments",
        "files",
        "options",
        "progress",
        "stack",
        "nengo_runs",
    ),
    *("events", "neurons", "ann", "datasets", "networks", "slayer", "skim", "engines", "exchange"),
    *("conversion", "analysis", "report", "saved", "play", "experiments", "commands", "papers"),
    *("doctor", "cli_options", "cli_end", "cli_reproduce", "cli_exchange", "cli_studies", "cli"),
)


def _room(module):
    return module.split(".")[1] if "." in module else ""


def imports():
    """{room: {room that it imports: [file and line]}}, without what type checkers alone read."""
    found = defaultdict(lambda: defaultdict(list))
    for path in sorted(PACKAGE.rglob("*.py")):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "nengo_tactile":
                modules = [f"nengo_tactile.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                continue
            for module in modules:
                if module.startswith("nengo_tactile.") and _room(module) != own:
                    found[own][_room(module)].append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    return found


def test_every_room_has_its_place():
    there = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert there - {"models"} == set(ROOMS)


def test_imports_run_downwards():
    """Wherever in a module they stand. What runs upwards could close a circle; this has none."""
    upwards = [
        f"{own} imports {other}: {', '.join(places)}"
        for own, others in imports().items()
        for other, places in others.items()
        if own != "__init__" and other in ROOMS and ROOMS.index(other) >= ROOMS.index(own)
    ]
    assert not upwards, "\n".join(upwards)
