"""The packages that the toolkit stands on: versions, the range that was tried, licences."""

import importlib.metadata
import platform
import sys
import warnings
from typing import NamedTuple

from nengo_tactile.errors import StackError, StackWarning
from nengo_tactile.stack.patches import numbers_in

#: What to type in the project's folder, with pip; with uv the same behind ``uv pip install``.
INSTALL = "pip install setuptools==79.0.1 && pip install --no-build-isolation ."
#: And for exactly the versions that were tried.
INSTALL_TRIED = f"{INSTALL} -c constraints.txt"


class Distribution(NamedTuple):
    """A package that users may meet by name.

    Attributes
    ----------
    name, purpose, licence : str
    tried : tuple of str or None
        Oldest and newest version (major.minor) with which the tests pass.
    """

    name: str
    purpose: str
    licence: str
    tried: tuple | None = None


DISTRIBUTIONS = (
    Distribution("tensorflow", "tensors and training", "Apache-2.0", ("2.21", "2.21")),
    Distribution("tf_keras", "Keras 2, NengoDL's model format", "Apache-2.0", ("2.21", "2.21")),
    Distribution("keras", "Keras 3, comes with TensorFlow, left untouched", "Apache-2.0"),
    Distribution(
        "nengo",
        "networks and neuron types",
        "GPL-2.0 from 4.0 on; before it proprietary, free for non-commercial use",
        ("3.2", "4.1"),
    ),
    Distribution(
        "nengo-dl",
        "the NengoDL engine and Converter",
        "proprietary, free for academic and personal use",
        ("3.6", "3.6"),
    ),
    Distribution("nengo-loihi", "the Loihi emulator", "Apache-2.0", ("1.1", "1.1")),
    Distribution(
        "nengo-extras",
        "Loihi neuron types in NengoDL",
        "proprietary, non-commercial use",
        ("0.5", "0.5"),
    ),
    Distribution("numpy", "arrays", "BSD-3-Clause", ("1.26", "2.5")),
    Distribution("scipy", "fitting the e-skin, writing .mat files in tests", "BSD-3-Clause"),
    Distribution("tonic", "event data sets and transforms", "GPL-3.0"),
    Distribution("numba", "compiled loops", "BSD-2-Clause"),
    Distribution("h5py", "HDF5 files", "BSD-3-Clause"),
    Distribution("matplotlib", "plots", "Matplotlib licence (BSD style)"),
    Distribution("pooch", "downloads", "BSD-3-Clause"),
    Distribution("rich", "tables and progress bars", "MIT"),
    Distribution("typer", "command line", "MIT"),
    Distribution("jinja2", "report pages", "BSD-3-Clause"),
    Distribution("threadpoolctl", "threads of linear algebra", "BSD-3-Clause"),
)
#: Oldest and newest Python with which the tests pass.
PYTHON = ("3.10", "3.13")

#: Distributions that bring a module named tensorflow, of which there may be one.
_TENSORFLOWS = (
    *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos"),
    *("tensorflow-aarch64", "intel-tensorflow", "tf-nightly", "tf-nightly-cpu"),
)


def versions():
    """Versions, tried ranges and licences of the stack.

    Returns
    -------
    list of dict
        ``name``, ``version`` (None when missing), ``tried`` (None when any will do), ``problem``
        (None when it was tried), ``purpose``, ``licence``.
    """
    rows = []
    for name, purpose, licence, tried in DISTRIBUTIONS:
        version = _version(name)
        rows.append(
            {
                "name": name,
                "version": version,
                "tried": tried,
                "problem": _outside(version, tried),
                "purpose": purpose,
                "licence": licence,
            }
        )
    return rows


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _outside(version, tried):
    """ "older" or "newer" than what was tried, "missing", or None."""
    if version is None:
        return "missing"
    if tried is None:
        return None
    oldest, newest = (numbers_in(text) for text in tried)
    if numbers_in(version) < oldest:
        return "older"
    return "newer" if numbers_in(version) > newest else None


def untried():
    """What was not tried of Python and the stack's versions, as sentences.

    Returns
    -------
    list of str
    """
    found = []
    python = platform.python_version()
    if _outside(python, PYTHON) is not None:
        found.append(f"Python {python} (tried: {PYTHON[0]} to {PYTHON[1]})")
    for row in versions():
        if row["problem"] in ("older", "newer"):
            oldest, newest = row["tried"]
            tried = oldest if oldest == newest else f"{oldest} to {newest}"
            found.append(f"{row['name']} {row['version']} (tried: {tried})")
    several = [name for name in _TENSORFLOWS if _version(name) is not None]
    if len(several) > 1:
        found.append(f"{' and '.join(several)} together, which overwrite each other's files")
    return found


def then():
    """What to do after an installation: a notebook's kernel keeps what it has loaded."""
    return ", and restart the kernel" if "ipykernel" in sys.modules else ""


def check():
    """Warn once, where versions were not tried, and refuse those that cannot work together.

    Raises
    ------
    StackError
        If TensorFlow and tf_keras, which share private places, are not of one version.
    """
    tensorflow, keras = _version("tensorflow"), _version("tf_keras")
    if tensorflow and keras and numbers_in(tensorflow) != numbers_in(keras):
        minor = ".".join(map(str, numbers_in(tensorflow)))
        raise StackError(
            f"tensorflow {tensorflow} and tf_keras {keras} do not belong together: "
            f"pip install 'tf_keras=={minor}.*'{then()}"
        )
    found = untried()
    if found:
        warnings.warn(
            f"nengo-tactile was not tried with {'; '.join(found)}. `nengo-tactile doctor` tests "
            f"whether it works; the versions that were tried: {INSTALL_TRIED}",
            StackWarning,
            stacklevel=2,
        )


def made_with(*names):
    """Versions for a model card.

    Parameters
    ----------
    *names : str
        Of the stack's packages.

    Returns
    -------
    dict
        Of nengo-tactile, Python and these.
    """
    from nengo_tactile import __version__

    own = {"nengo-tactile": __version__, "python": platform.python_version()}
    return own | {name: _version(name) for name in names}
