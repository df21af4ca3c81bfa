"""What the command line's commands share: options, and how results are printed."""

from pathlib import Path
from typing import Annotated

import typer

Task = Annotated[
    str,
    typer.Option(help="eskin, eskin-pendigits, stemnist, stmnist; images: mnist, cifar10."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of recordings (default: $NENGO_TACTILE_DATA)."),
]
_FILE = ".npy, or .npz (with the array's name behind a colon)"
X = Annotated[str | None, typer.Option("--x", help=f"File of samples, {_FILE}.")]
Y = Annotated[str | None, typer.Option("--y", help="File of their labels, or values.")]
Scale = Annotated[
    str | None,
    typer.Option(help="What images are multiplied with, such as 1/255; with an offset: 2/255,-1."),
]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.")]
Split = Annotated[str, typer.Option(help="train or test.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Run cells in so many processes (default: in this one)."),
]
Scheduler = Annotated[
    str | None, typer.Option(help="Or on the Dask cluster of the scheduler at this address.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads that a cell computes with.")]
Samples = Annotated[int | None, typer.Option(min=1, help="Use so many random samples.")]


def say(text):
    """Print a line of result."""
    typer.echo(text)


def show(table):
    """Print a rich table."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width: leave the columns whole
        console = Console(width=160)
    console.print(table)


def number_or_word(text):
    """A number where it is one; a word is for the command to judge."""
    try:
        return float(text)
    except ValueError:
        return text
