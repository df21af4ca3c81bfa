"""``nengo-tactile reproduce``: a command for each paper."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_command

from nengo_tactile.cli_options import (
    DataDir,
    Jobs,
    Json,
    Out,
    Scheduler,
    Threads,
    parameter,
    plain_type,
    saying,
    show_or_write,
    taking,
)
from nengo_tactile.options import flag, members
from nengo_tactile.papers import PAPERS, paper_named


def command_of(paper):
    """A typer command that runs a paper's plan and shows its tables.

    It ends with exit code 1 if cells failed.

    Parameters
    ----------
    paper : nengo_tactile.experiments.papers.Paper

    Returns
    -------
    callable
    """

    def command(out, data_dir, jobs, scheduler, threads, as_json, **chosen):
        from nengo_tactile.experiments.workers import Crew

        plan = paper.plan(**{name: value for name, value in chosen.items() if value is not None})
        crew = Crew(jobs, scheduler, threads)
        results = paper.run(plan, out, data_dir, crew, say=saying(as_json))
        show_or_write(as_json, results, paper.terminal_tables(results))
        if "failed" in results:
            raise typer.Exit(1)

    options = [parameter(field.name, *_option(field)) for field in dataclasses.fields(paper.plan)]
    options += [
        parameter("out", Out, Path(f"nengo-tactile-out/{paper.name}")),
        parameter("data_dir", DataDir),
        parameter("jobs", Jobs),
        parameter("scheduler", Scheduler),
        parameter("threads", Threads, 1),
        parameter("as_json", Json, False),
    ]
    return taking(command, options, paper.about)


def _option(field):
    """Type and default of a plan's field on the command line."""
    text, least = field.metadata["text"], field.metadata["bounds"].get("least")
    default = field.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    kind = plain_type(members(field.type)) or str
    return Annotated[kind | None, typer.Option(flag(field), help=text, min=least)], default


class Papers(TyperGroup):
    """Commands that are made when they are asked for: what papers need takes long to load."""

    def list_commands(self, ctx):
        """Names of all papers."""
        return [*super().list_commands(ctx), *PAPERS]

    def get_command(self, ctx, cmd_name):
        """A paper's command."""
        if cmd_name not in PAPERS:
            return super().get_command(ctx, cmd_name)
        single = typer.Typer(add_completion=False)
        single.command(cmd_name)(command_of(paper_named(cmd_name)))
        return get_command(single)


app = typer.Typer(cls=Papers, no_args_is_help=True, help="A paper's tables, ours beside theirs.")
