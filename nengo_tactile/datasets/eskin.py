"""The simulated e-skin as a data set: digits written on 10 x 10 taxels."""

from pathlib import Path

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.events.calibration import fitted_parameters
from nengo_tactile.events.eskin import SENSOR_SIZE
from nengo_tactile.events.handwriting import handwriting, write_on_skin
from nengo_tactile.progress import track


class ESkin(EventDataset):
    """Digits written on the simulated ST-MNIST e-skin.

    Samples are simulated on demand. Sample i depends on source, split, parameters, seed and i
    only, in whatever order samples are asked for.

    Parameters
    ----------
    source : "parametric" or path
        Invented writers that need no download (18 train, 5 other test writers), or the path of
        recorded trajectories: ``pendigits_traj.npz`` or its folder (30 train, 7 other test
        writers).
    split : {"train", "test"}
    n_samples : int, optional
        By default 5,400 / 1,500 parametric samples, or each recording once (7,494 / 1,748).
    seed : int
        Seed of writers, hands and skin noise.
    parameters : ESkinParameters, optional
        By default those fitted to Table 1 of the ST-MNIST paper for this source.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Raises
    ------
    DataError
        For an unknown split, or a file that is missing or damaged.
    """

    sensor_size = SENSOR_SIZE
    classes = tuple(str(digit) for digit in range(10))

    def __init__(
        self,
        source="parametric",
        split="train",
        n_samples=None,
        seed=0,
        parameters=None,
        transform=None,
        target_transform=None,
        transforms=None,
    ):
        super().__init__(Path(source), transform, target_transform, transforms)
        self.writing = handwriting(source, split, n_samples, seed)
        self.parameters = parameters or fitted_parameters(self.writing.name)
        self.split, self.seed = split, seed
        self.targets = self.writing.labels
        self.writers = self.writing.writers

    def read_events(self, index):
        """Simulate one sample; return its events, without transforms."""
        return write_on_skin(self.writing, index, self.parameters, self.seed)

    def recordings(self, indices=None, progress=None):
        """Iterate over events without transforms, with a progress bar.

        Parameters
        ----------
        indices : iterable of int, optional
            By default all samples in order.
        progress : bool, optional
            Show the bar; by default only on a terminal.

        Yields
        ------
        (n_events,) structured array
        """
        indices = range(len(self)) if indices is None else list(indices)
        for index in track(indices, "writing on the e-skin", progress=progress):
            yield self.read_events(index)
