"""``nengo-tactile play``."""

from collections.abc import Callable
from pathlib import Path

from nengo_tactile.datasets.event_files import read_table
from nengo_tactile.errors import DataError, StackError
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.files import check_writable, path_of

_COLUMNS = ("taxel", "x", "y")


def play(
    network: str,
    engine: str | None = None,
    port: int = 8765,
    browser: bool = True,
    noise: float = 0.015,
    dead: float = 0.0,
    neuron: str | None = None,
    n_steps: int | None = None,
    taxels: Path | str | None = None,
    data_dir: Path | None = None,
    out: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a page on which one draws on the e-skin, until Ctrl-C.

    Parameters
    ----------
    network : str
        A shipped one's name, or the folder of a saved one that reads recordings: of a square
        skin, or of another sensor, whose cells then feel the e-skin below them.
    engine : {"event", "loihi"}, optional
        By default the first that takes it.
    port : int
        0 for a free one.
    browser : bool
        Open the page.
    noise : float
        Stray messages per second and taxel.
    dead : float
        Share of taxels that send nothing.
    neuron : {"if", "sigma-delta"}, optional
        Of a network of LIF neurons; by default its own.
    n_steps : int, optional
        That images are shown for; by default the network's own.
    taxels : path, optional
        Table of the taxels (taxel, x, y) of the network's own sensor, if that is no grid.
    data_dir : path, optional
        Where recorded samples are; by default NENGO_TACTILE_DATA.
    out : path, optional
        Folder in which the page keeps recordings, a data set of one's own.
    say : callable

    Raises
    ------
    StackError
        Where the extra is not installed.
    TactileError
        For a port in use, and a network that is not there, is of another sensor, or that the
        engine refuses.
    """
    try:
        from nengo_tactile.play import server
    except ModuleNotFoundError as error:
        raise StackError(
            f"{error.name} is not installed, which the page's server needs: "
            "pip install 'nengo-tactile[play]'"
        ) from error
    from nengo_tactile.play.files import Collection
    from nengo_tactile.play.messages import MOST_STEPS, Choice
    from nengo_tactile.play.networks import NEURONS, Networks

    for name, value, most in (("noise", noise, 1000), ("dead", dead, 1)):
        if not 0 <= value <= most:
            raise DataError(f"--{name} is {value}: give a number from 0 to {most}")
    if neuron not in (None, *NEURONS):
        raise DataError(f"--neuron is {neuron!r}: choose one of {', '.join(NEURONS)}")
    if n_steps is not None and not 1 <= n_steps <= MOST_STEPS:
        raise DataError(f"--steps is {n_steps}: give a whole number from 1 to {MOST_STEPS}")
    if out is not None:
        check_writable(out)
    table = None if taxels is None else TaxelMap.of(read_table(path_of(taxels), _COLUMNS))
    choice = Choice(network, neuron or "", n_steps or 0, engine or "")
    settings = {"noise": noise, "dead": dead}
    collection = None if out is None else Collection(out)
    server.serve(
        lambda: Networks(choice, data_dir, table), settings, port, browser, say, collection
    )
