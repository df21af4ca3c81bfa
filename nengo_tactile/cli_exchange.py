"""Commands that bring networks to and from other simulators."""

from pathlib import Path
from typing import Annotated

import typer

from nengo_tactile.cli_options import X, say


def export(
    network: Annotated[str, typer.Argument(help="Folder of a saved network, or a shipped name.")],
    nir: Annotated[Path, typer.Option(help="The NIR file; a card is written beside it.")],
    profile: Annotated[
        str, typer.Option(help="portable, or its reader: sinabs, norse, snntorch, spikingjelly.")
    ] = "portable",
    accept: Annotated[
        list[str] | None, typer.Option(help="A loss that may be, by name; several times.")
    ] = None,
    x: X = None,
):
    """Write a network for another simulator (NIR), and what that would do otherwise."""
    from nengo_tactile.commands.exchanging import export_network

    export_network(network, nir, profile, accept or (), x, say)


def import_(
    file: Annotated[Path, typer.Argument(help="A NIR file, or an ONNX model.")],
    out: Annotated[Path, typer.Option(help="Folder for the network; of ONNX a .keras file.")],
    profile: Annotated[
        str | None, typer.Option(help="Its writer: sinabs, norse, snntorch, spikingjelly.")
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Seconds of a step.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a sample.")] = None,
    reset: Annotated[
        str | None, typer.Option(help="zero or subtract (default: its writer's).")
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(min=1, help="Of a processor, that an ONNX model may take.")
    ] = None,
):
    """Read a network of another simulator (NIR), or an ONNX model, and save it."""
    from nengo_tactile.commands.exchanging import import_network

    import_network(file, out, profile, dt, steps, reset, seconds, say)
