"""``nengo-tactile play``."""

from collections.abc import Callable

from nengo_tactile.errors import DataError, StackError


def play(
    network: str,
    engine: str | None = None,
    port: int = 8765,
    browser: bool = True,
    noise: float = 0.015,
    dead: float = 0.0,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a page on which one draws on the e-skin, until Ctrl-C.

    Parameters
    ----------
    network : str
        A shipped one's name, or the folder of a saved one that reads the 10 x 10 e-skin.
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
    server.serve(lambda: Networks(network, engine), settings, port, browser, say)
