"""docs/commands.md: every command with its arguments and options, as the command line has them.

    python tools/commands_page.py

Writes the page from the definitions that the command line is made of. A test says when it is to be
made again.
"""

from pathlib import Path

from nengo_tactile.files import atomic_write

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"


def page():
    """The page's text."""
    lines = [
        "# All commands and options",
        "",
        "Made by `python tools/commands_page.py` from the definitions that the command line is",
        "made of: what `--help` behind a command says. [The command line](command_line.md) has",
        "examples, and says more.",
        "",
    ]
    for path, command in commands():
        lines += [f"## nengo-tactile {' '.join(path)}", "", _cell(command.help), ""]
        lines += _table("argument", [p for p in command.params if p.param_type_name == "argument"])
        lines += _table("option", [p for p in command.params if p.param_type_name == "option"])
    return "\n".join(lines)


def commands():
    """(words, click command) of each command, those inside of others behind them."""
    from typer.main import get_command

    from nengo_tactile.cli import app

    def walk(command, path):
        for name in getattr(command, "commands", {}):
            yield from walk(command.commands[name], (*path, name))
        if not hasattr(command, "commands"):
            yield path, command

    return list(walk(get_command(app), ()))


def _table(kind, parameters):
    """A table of a command's arguments or options; nothing where it has none."""
    rows = [_row(p) for p in parameters if p.name != "help"]
    if not rows:
        return []
    return [f"| {kind} | default | meaning |", "| --- | --- | --- |", *rows, ""]


def _row(parameter):
    if parameter.param_type_name == "argument":
        name = f"`{parameter.name.upper()}`"
    else:
        name = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    return f"| {name} | {_default(parameter)} | {_cell(parameter.help)} |"


def _default(parameter):
    if parameter.required:
        return "needed"
    if getattr(parameter, "is_flag", False):
        return "flag"
    if parameter.default is None:
        return ""
    return f"`{parameter.default}`"


def _cell(text):
    return " ".join((text or "").split()).replace("|", "\\|")


def main():
    """Write the page."""
    with atomic_write(PAGE) as file:
        file.write(page())


if __name__ == "__main__":
    main()
