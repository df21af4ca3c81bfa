"""docs/api.md: every public name of the face and of each room, and every module.

    python tools/api_page.py

Writes the page from the sources, without importing them. A test says when it is to be made again.
"""

import ast
import functools
from pathlib import Path

from nengo_tactile.files import atomic_write

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
PACKAGE = "nengo_tactile"


def page():
    """The page's text."""
    lines = [
        "# API",
        "",
        "Made by `python tools/api_page.py`: what is public, and the modules that hold it.",
        "",
        *_section(PACKAGE, sorted(_of_package(PACKAGE))),
    ]
    folders = sorted(path.parent for path in (ROOT / PACKAGE).rglob("__init__.py"))
    for package in (".".join(folder.relative_to(ROOT).parts) for folder in folders[1:]):
        lines += _section(package, [package, *sorted(_of_package(package))])
    return "\n".join(lines)


def _of_package(package):
    """Modules of a package, without its rooms and what starts with an underscore."""
    files = ROOT.joinpath(*package.split(".")).glob("*.py")
    return [f"{package}.{path.stem}" for path in files if not path.stem.startswith("_")]


def _section(package, modules):
    lines = [f"## {package}", "", _first_line(_tree(package)), ""]
    names = public_names(package)
    if names:
        lines += ["| name | of | what |", "| --- | --- | --- |"]
        for name, home in names.items():
            of = home.removeprefix(f"{PACKAGE}.")
            lines.append(f"| `{name}` | `{of}` | {_summary(home, name)} |")
        lines.append("")
    return [
        *lines,
        "```{eval-rst}",
        ".. autosummary::",
        "   :toctree: generated",
        "   :template: autosummary/module.rst",
        "",
        *(f"   {module}" for module in modules),
        "```",
        "",
    ]


def public_names(package):
    """Public name of a package -> the module that defines it.

    Parameters
    ----------
    package : str
        Of the face or of a room, dotted.
    """
    stub, names = _tree(package, ".pyi"), _all(_tree(package))
    if stub is not None:
        names = _imports(package, stub)
    return {name: _home(package, name) for name in sorted(names) if not name.startswith("_")}


@functools.cache
def _tree(module, suffix=".py"):
    path = ROOT.joinpath(*module.split("."))
    path = path / f"__init__{suffix}" if path.is_dir() else path.with_suffix(suffix)
    return ast.parse(path.read_text("utf-8")) if path.is_file() else None


def _all(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [item.value for item in getattr(node.value, "elts", [])]
    return []


def _imports(package, tree):
    """Name -> module that it is imported from, of imports inside the package."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module
            found.update((alias.asname or alias.name, module) for alias in node.names)
    return found


def _home(module, name):
    """The module that defines a name that another passes on; a module's is itself."""
    if definition(module, name) is not None:
        return module
    below = f"{module}.{name}"
    if _tree(below) is not None:
        return below
    imports = _imports(module, _tree(module, ".pyi") or _tree(module))
    return _home(imports[name], name)


def definition(module, name):
    """The syntax tree of what a module defines by a name; None where it does not."""
    for node in _tree(module).body:
        named = getattr(node, "name", None)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = name if any(getattr(t, "id", None) == name for t in targets) else None
        if named == name:
            return node
    return None


def _summary(home, name):
    node = definition(home, name)
    if node is None:  # a module
        return _first_line(_tree(home))
    if isinstance(node, ast.Assign | ast.AnnAssign):
        path = ROOT.joinpath(*home.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        above = path.read_text("utf-8").splitlines()[node.lineno - 2]
        return above.removeprefix("#: ") if above.startswith("#: ") else ""
    return _first_line(node)


def _first_line(node):
    text = (ast.get_docstring(node) or "").split("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def main():
    """Write the page."""
    with atomic_write(PAGE) as file:
        file.write(page())


if __name__ == "__main__":
    main()
