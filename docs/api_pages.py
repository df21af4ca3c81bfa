"""Pages of the API, one for each room: its public names, and below them its modules.

`conf.py` writes them when the site is built, for Sphinx's autodoc to fill. What is public is read
from the sources without importing them: the stubs (`__init__.pyi`) of the face and of the rooms, or
their ``__all__``, say it. Each name has one place: where it is public, in the face before the
rooms; else with its module.
"""

import ast
import functools
import importlib.util
from pathlib import Path

PACKAGE = "nengo_tactile"
#: The folder that holds it, here or where it is installed.
ROOT = Path(importlib.util.find_spec(PACKAGE).origin).parents[1]


def write_pages(folder):
    """Write all pages into a folder of their own, and remove those of what is gone.

    Pages that did not change are not touched, so that Sphinx leaves them as they are.
    """
    folder.mkdir(exist_ok=True)
    texts = pages()
    for path in folder.glob("*.rst"):
        if path.stem not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / f"{name}.rst"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def pages():
    """Dotted name of each package -> its page, as reStructuredText."""
    owners = {}
    for package in packages():
        for name, home in public_names(package).items():
            owners.setdefault((home, name), package)
    return {package: _page(package, owners) for package in packages()}


def packages():
    """Dotted names: the face, then its rooms and what is inside of them."""
    folders = sorted(path.parent for path in (ROOT / PACKAGE).rglob("__init__.py"))
    names = [".".join(folder.relative_to(ROOT).parts) for folder in folders]
    return [name for name in names if name != f"{PACKAGE}.models"]  # weights, no code


def _page(package, owners):
    lines = [*_title(package, "="), f".. automodule:: {package}", "   :no-members:", ""]
    links = []
    for name, home in public_names(package).items():
        node = definition(home, name)
        if node is None:  # a room, or a module of this one
            place = f":doc:`{home}`" if home in packages() else f":ref:`{home}`"
            links.append(f"- {place}: {_first_line(_tree(home))}")
        elif owners[home, name] == package:
            lines += [*_directive(node, _place(owners, home, name)), ""]
        else:
            links.append(f"- :obj:`{_place(owners, home, name)}`")
    lines += [*links, ""]
    if package == PACKAGE:
        rooms = [f"   {name}" for name in packages()[1:]]
        lines += [*_title("Rooms", "-"), ".. toctree::", "   :maxdepth: 1", "", *rooms, ""]
    for module in _modules(package):
        lines += _module(module, owners)
    return "\n".join(lines)


def _place(owners, home, name):
    """The name under which something is documented: constants keep their module's."""
    constant = isinstance(definition(home, name), ast.Assign | ast.AnnAssign)
    return f"{home if constant else owners[home, name]}.{name}"


def _directive(node, place):
    """What documents a public name: autodoc's directive for its kind."""
    if isinstance(node, ast.FunctionDef):
        return [f".. autofunction:: {place}"]
    if isinstance(node, ast.ClassDef):
        return [f".. autoclass:: {place}", "   :members:"]
    return [f".. autodata:: {place}"]


def _module(module, owners):
    """The section of a module: what is public stands elsewhere."""
    public = {name: _place(owners, home, name) for home, name in owners if home == module}
    lines = [f".. _{module}:", "", *_title(module, "-"), f".. automodule:: {module}"]
    lines += ["   :members:", "   :ignore-module-all:"]
    if module in {_place(owners, home, name) for home, name in owners}:
        lines.append("   :no-index:")  # a function has the module's name, and its place
    if public:
        lines += [f"   :exclude-members: {', '.join(public)}", ""]
        lines += ["Public: " + ", ".join(f":obj:`{place}`" for place in public.values()) + "."]
    return [*lines, ""]


def _title(text, line):
    return [text, line * len(text), ""]


def _first_line(node):
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def _modules(package):
    """Modules of a package, without its rooms and what starts with an underscore."""
    files = ROOT.joinpath(*package.split(".")).glob("*.py")
    return sorted(f"{package}.{path.stem}" for path in files if not path.stem.startswith("_"))


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
