"""``nengo-tactile play``."""

from collections.abc import Callable
from pathlib import Path

from nengo_tactile.datasets.event_files import read_table
from nengo_tactile.errors import DataError, StackError
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.files import path_of

_COLUMNS = ("taxel", "x", "y")


def play(
    network: str,
    engine: str | None = None,
    port: int = 8765,
    browser: bool = True,
    noise: float = 0.015,
    dead: float = 0.0,
    taxels: Path | str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a page on which one draws on the e-skin, until Ctrl-C.

    Parameters
    ----------
    network : str
        A shipped one's name, or the folder of a saved one that reads recordings: of the 10 x 10
        e-skin, or of another sensor, whose cells then feel the e-skin below them.
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
    taxels : path, optional
        Table of the taxels (taxel, x, y) of the network's own sensor, if that is no grid.
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
    from nengo_tactile.play.desk import Networks

    for name, value, most in (("noise", noise, 1000), ("dead", dead, 1)):
        if not 0 <= value <= most:
            raise DataError(f"--{name} is {value}: give a number from 0 to {most}")
    settings = {"noise": noise, "dead": dead}
    table = None if taxels is None else TaxelMap.of(read_table(path_of(taxels), _COLUMNS))
    server.serve(lambda: Networks(network, engine, table), settings, port, browser, say)
