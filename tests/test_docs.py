"""README, CONTRIBUTING and docs: links resolve, commands exist, Python runs, made pages are new."""

import ast
import importlib
import pkgutil
import re
import runpy
import shlex
from pathlib import Path

import pytest

import nengo_tactile
from nengo_tactile.stack import distributions

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
COMMAND_LINE = DOCS / "command_line.md"
#: What documents a name on a page of the API.
AUTODOC = re.compile(r"^\.\. auto(?:function|class|data):: (\S+)$", re.M)

if not README.is_file():
    pytest.skip("the docs are not beside the tests", allow_module_level=True)


def code_blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


def without_code(path):
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S)


def anchors(path):
    """Anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", without_code(path), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def links(path):
    return re.findall(r"\]\(([^)\s]+)\)", without_code(path))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link} names no heading"


def test_every_page_is_in_the_contents():
    listed = re.findall(r"^[\w/]+$", "".join(code_blocks(DOCS / "index.md", "{toctree}")), re.M)
    pages = [page.stem for page in DOCS.glob("*.md") if page.stem != "index"]
    notebooks = [f"tutorials/{path.stem}" for path in DOCS.glob("tutorials/*.ipynb")]
    assert sorted(listed) == sorted(pages + notebooks)


def commands():
    """{("run",): its options, ...} of the command line as it is."""
    from typer.main import get_command

    from nengo_tactile.cli import app

    found = {}

    def walk(command, path):
        names = command.list_commands(None) if hasattr(command, "list_commands") else ()
        for name in names:
            walk(command.get_command(None, name), (*path, name))
        if not names:
            options = {opt for p in command.params for opt in p.opts if opt.startswith("--")}
            found[path] = options

    walk(get_command(app), ())
    return found


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_and_option_is_documented(path):
    title = f"## nengo-tactile {' '.join(path)}\n"
    text = COMMAND_LINE.read_text("utf-8")
    assert title in text
    section = text.split(title)[1].split("\n## ")[0]
    for option in commands()[path] - {"--help"}:
        assert f"`{option}`" in section, f"{' '.join(path)}: {option} is not documented"
    assert f"`nengo-tactile {path[0]}" in README.read_text("utf-8")


def test_the_table_of_neurons_options_is_theirs():
    spec = importlib.util.spec_from_file_location("page", ROOT / "tools" / "neuron_options.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert f"{page.BEGIN}{page.table()}{page.END}" in COMMAND_LINE.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page):
    known = commands()
    text = "\n".join(code_blocks(page, "sh"))
    text += "\n" + "\n".join(re.findall(r"`(nengo-tactile [^`]*)`", without_code(page)))
    for line in text.replace("\\\n", " ").splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            if words[:1] != ["nengo-tactile"] or words[1:] in (["--version"], []):
                continue
            path = tuple(words[1:3]) if words[1] == "reproduce" else (words[1],)
            assert path in known, f"{page.name}: no command in {part.strip()!r}"
            used = {word.split("=")[0] for word in words if word.startswith("--")}
            assert used <= known[path], f"{page.name}: no option {used - known[path]} in {part!r}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if code_blocks(page, "python")], ids=lambda page: page.name
)
def test_python_in_the_text_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(code_blocks(page, "python"))
    exec(compile(code, str(page), "exec"), {"__name__": "page"})
    if page is README:
        told = re.search(r"spikes: ([\d.]+) % .* of 300, Keras ([\d.]+)%", capsys.readouterr().out)
        assert min(map(float, told.groups())) > 90


def test_readme_names_every_library_and_its_licence_table():
    section = README.read_text("utf-8").split("## Licences")[1].split("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    for row in distributions.DISTRIBUTIONS:
        assert re.search(rf"\b{re.escape(row.name)}\b", table), f"{row.name} is not in the table"


def test_ci_calls_the_readmes_second_command():
    first, second = (block.strip() for block in code_blocks(README, "sh")[:2])
    assert first == f"{distributions.INSTALL} && nengo-tactile demo"
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert second in lines


def texts(path):
    """Every text of a module, what is formatted into it as three dots."""

    def text(node):
        if isinstance(node, ast.JoinedStr):
            return "".join(text(part) for part in node.values)
        return node.value if isinstance(node, ast.Constant) else "..."

    tree = ast.parse(path.read_text("utf-8"))
    parts = (ast.JoinedStr, ast.Constant)
    return [text(node) for node in ast.walk(tree) if isinstance(node, parts)]


def test_messages_that_troubleshooting_explains_are_those_of_the_sources():
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.M)
    assert len(messages) > 40
    package = ROOT / "nengo_tactile"
    sources = "\n".join(str(t) for path in package.rglob("*.py") for t in texts(path))
    for message in messages:
        pattern = ".*".join(re.escape(part) for part in message.split("..."))
        assert re.search(pattern, sources), f"no error says {message!r}"


def test_architecture_names_what_is_there():
    text = (DOCS / "architecture.md").read_text("utf-8")
    package = ROOT / "nengo_tactile"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert {name for name in folders if f"`{name}/`" not in text} == set()
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if f"`{name}`" not in text} == set()
    there = {path.name for path in package.rglob("*.py")}
    assert set(re.findall(r"`(?:\w+/)?(\w+\.py)`", text)) <= there


@pytest.mark.parametrize("name", ["commands", "layers", "results"])
def test_made_pages_are_up_to_date(name):
    command = f"tools/{name}_page.py"
    made = runpy.run_path(str(ROOT / command))["page"]()
    assert (DOCS / f"{name}.md").read_text("utf-8") == made, f"run python {command}"


def test_api_pages_hold_what_is_public():
    """Beside what Python finds itself: modules on the path, and each room's ``__all__``."""
    pages = runpy.run_path(str(DOCS / "api_pages.py"))["pages"]()
    assert pages.keys() == {"nengo_tactile", *rooms()}
    documented = set(AUTODOC.findall("".join(pages.values())))
    for package in (nengo_tactile, *map(importlib.import_module, rooms())):
        text, inside = pages[package.__name__], pkgutil.iter_modules(package.__path__)
        modules = {f"{package.__name__}.{info.name}" for info in inside if not info.ispkg}
        assert modules <= set(re.findall(r"^\.\. automodule:: (\S+)$", text, re.M))
        links = re.findall(r"^- :(?:obj|doc|ref):`(\S+)`", text, re.M)
        named = {place.rpartition(".")[2] for place in (*AUTODOC.findall(text), *links)}
        assert named >= {name for name in getattr(package, "__all__", ()) if name[0] != "_"}
        objects = re.findall(r"^- :obj:`(\S+)`", text, re.M)
        assert set(objects) <= documented, "a link leads nowhere"


def rooms():
    """Dotted names of the package's folders."""
    found = pkgutil.walk_packages(nengo_tactile.__path__, "nengo_tactile.")
    return [info.name for info in found if info.ispkg and info.name != "nengo_tactile.models"]


def test_readme_is_short_and_its_results_are_those_of_the_files():
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    made = runpy.run_path(str(ROOT / "tools" / "results_page.py"))
    assert made["short"]() in text, "run python tools/results_page.py for README's table"


def test_ci_builds_the_site_with_what_the_extra_has():
    extra = re.search(r"^docs =\n((?:    .*\n)+)", (ROOT / "setup.cfg").read_text("utf-8"), re.M)
    names = [re.split("[<>=]", line)[0] for line in extra[1].split()]
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert f"({'|'.join(names)})>=" in script
    assert "sphinx-build -q -n -W" in script


def test_own_files_to_a_network_in_25_lines():
    """What a user writes; the page's first block makes up the files, and the page runs above."""
    block = code_blocks(DOCS / "recordings.md", "python")[1]
    assert "Recordings(" in block
    assert "nt.convert(" in block
    assert len(block.splitlines()) <= 25
