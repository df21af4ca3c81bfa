"""Types of what is public: on every function, and what a user's type checker makes of them."""

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

if not (ROOT / "docs").is_dir():
    pytest.skip("the sources are not beside the tests", allow_module_level=True)


def public_functions():
    """{dotted name: its definition} of functions, and of methods that are not a library's own."""
    api = runpy.run_path(str(ROOT / "docs" / "api_pages.py"))
    found = {}
    packages = [path.parent for path in (ROOT / "nengo_tactile").rglob("__init__.py")]
    for package in (".".join(folder.relative_to(ROOT).parts) for folder in packages):
        for name, home in api["public_names"](package).items():
            node = api["definition"](home, name)
            if isinstance(node, ast.FunctionDef):
                found[f"{home}.{name}"] = node
            elif isinstance(node, ast.ClassDef) and not derived(node):
                methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
                found |= {f"{home}.{name}.{m.name}": m for m in methods if m.name[0] != "_"}
    return found


def derived(node):
    """Whether a class has bases, whose methods a library may call with what it likes."""
    return any(ast.unparse(base) not in ("NamedTuple", "Protocol") for base in node.bases)


def test_public_functions_have_types():
    functions = public_functions()
    assert len(functions) > 150
    for name, node in functions.items():
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        assert not bare, f"{name}: {', '.join(bare)} without a type"
        assert node.returns is not None, f"{name} does not say what it returns"


def test_a_type_checker_sees_them(tmp_path):
    pytest.importorskip("mypy", reason="needs the tests extra: pip install '.[tests]'")
    script = tmp_path / "script.py"
    script.write_text(
        "import nengo_tactile as nt\n"
        "nt.events.constant_current([0.5], n_steps='many')\n"
        "reveal_type(nt.analysis.latency_step([0.1, 0.2]))\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    told = [line.split(": ", 1)[1] for line in checked.stdout.splitlines() if "script.py" in line]
    assert told == [
        'error: Argument "n_steps" to "constant_current" has incompatible type "str"; expected '
        '"int"  [arg-type]',
        'note: Revealed type is "int"',
    ], checked.stdout + checked.stderr
