"""Commands that measure a network many times: over settings, and over what may go wrong."""

from pathlib import Path
from typing import Annotated

import typer

from nengo_tactile.cli_options import (
    DataDir,
    Jobs,
    Json,
    Out,
    Samples,
    Scheduler,
    Seed,
    Split,
    Threads,
    X,
    Y,
    saying,
    show_or_write,
)


def sweep(
    subject: Annotated[
        str,
        typer.Argument(
            help="A saved network's folder or name, a Keras model's file, or module:function."
        ),
    ],
    grid: Annotated[
        Path, typer.Option(help='JSON of settings: {"n_steps": [10, 20], "rates": [0.5, 1]}.')
    ],
    out: Out = Path("nengo-tactile-out/sweep"),
    task: Annotated[
        str | None, typer.Option("--task", help="Default: the one it was trained for.")
    ] = None,
    x: X = None,
    y: Y = None,
    split: Split = "test",
    samples: Samples = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    threads: Threads = 1,
    data_dir: DataDir = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Measure every combination of some settings: a table, a picture, a report; resumes."""
    from nengo_tactile.commands.sweeping import sweep_command

    results, tables = sweep_command(
        *(subject, grid, out, task, x, y, split, samples, jobs, scheduler, threads),
        *(data_dir, seed),
        say=saying(as_json),
    )
    show_or_write(as_json, results, tables)
    if "failed" in results:
        raise typer.Exit(1)


def robustness(
    network: Annotated[str, typer.Argument(help="A saved network's folder, or a shipped name.")],
    out: Out = Path("nengo-tactile-out/robustness"),
    task: Annotated[
        str | None, typer.Option("--task", help="Default: the one it was trained for.")
    ] = None,
    split: Split = "test",
    kinds: Annotated[
        str | None, typer.Option(help="dead,noise,drop,stretch,weights (default: all of them).")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Default: the network's fastest.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the network's.")] = None,
    samples: Samples = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Accuracy over dead taxels, noise, lost events, stretched time, 8-bit weights."""
    from nengo_tactile.commands import robustness as command

    told = out, task, split, kinds, engine, steps, samples, data_dir, seed
    numbers, tables = command.robustness(network, *told, say=saying(as_json))
    show_or_write(as_json, numbers, tables)
