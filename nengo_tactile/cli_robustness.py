"""The command that says how much a network of events stands."""

from pathlib import Path
from typing import Annotated

import typer

from nengo_tactile.cli_options import (
    DataDir,
    Json,
    Out,
    Samples,
    Seed,
    Split,
    saying,
    show_or_write,
)


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
