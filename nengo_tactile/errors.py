"""The errors of the toolkit: each names the object, both values and the remedy."""


def printable(text: str) -> str:
    """Text as it can be written in UTF-8, half characters as numbers."""
    return text.encode("utf-8", "backslashreplace").decode()


class TactileError(Exception):
    """Base of every error the toolkit raises on purpose (exit code 2 on the command line)."""

    #: TensorFlow's AutoGraph then passes it on as it is, when a graph is being built
    ag_pass_through = True

    def __str__(self):
        # what a damaged file says may hold half characters, which no terminal and no report takes
        return printable(super().__str__())


class StackError(TactileError, ImportError):
    """The installed libraries cannot work together, or one is missing."""


class DataError(TactileError, ValueError):
    """A recording, data set or array is not what its format says."""


class NotationError(TactileError, ValueError):
    """A network description in the papers' notation cannot be parsed."""


class ConversionError(TactileError, ValueError):
    """A Keras model, or one of its layers, cannot become a spiking network."""


class ModelFileError(TactileError, ValueError):
    """A saved model is missing, damaged or unsafe."""


class EngineError(TactileError, RuntimeError):
    """An engine cannot run this network."""


class ClusterError(TactileError, RuntimeError):
    """Workers on other machines are not there, or do not fit the study."""


class StackWarning(UserWarning):
    """Versions of the libraries below that were not tried."""


class ConversionWarning(UserWarning):
    """A conversion did what was asked for, and it harms: the message says how and the remedy."""


class SilenceError(TactileError, RuntimeError):
    """A network trained on spikes whose outputs never fire.

    Attributes
    ----------
    history : nengo_tactile.slayer.training.History or None
        What the epochs had.
    """

    def __init__(self, message, history=None):
        super().__init__(message)
        self.history = history


class SilenceWarning(UserWarning):
    """Neurons that never fire, or samples without events, in training on spikes."""


class PictureWarning(UserWarning):
    """A picture does not show what it should: letters that no installed font has."""


class EngineWarning(UserWarning):
    """An engine runs this network, but what comes out is not what the network stands for."""
