"""The batch trainer against OPIUM sample after sample, and against least squares."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.skim import opium, trainer
from nengo_tactile.skim.activity import hidden_activity, prepare
from nengo_tactile.skim.layer import draw_layer
from nengo_tactile.skim.supervision import Supervision, determine, training_pattern
from tests.support.measures import peak_bytes, relative

N_STEPS, N_CHANNELS, N_CLASSES = 60, 12, 3
SUPERVISION = Supervision(training_pattern("flat", 5), n_steps=N_STEPS, window=8, onset=1)


def samples(n, seed=0):
    """Each class has channels of its own at a time of its own, among other events."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        label = int(rng.integers(N_CLASSES))
        pattern = (rng.random((N_STEPS, N_CHANNELS)) < 0.05) * 1.0
        pattern[10 + 10 * label : 20 + 10 * label, 4 * label : 4 * label + 4] += 1
        yield pattern, label


def layer(n_hidden=40, **options):
    return draw_layer(n_hidden, N_CHANNELS, seed=3, tau=(5, 20), **options)


def rows(hidden, n, seed=0):
    """Activities and targets of all windows, one sample after another."""
    prepared, x, y = prepare(hidden), [], []
    for pattern, label in samples(n, seed):
        x.append(hidden_activity(prepared, pattern)[SUPERVISION.first :])
        y.append(SUPERVISION.targets(label, N_CLASSES))
    return np.concatenate(x), np.concatenate(y)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "lif"])
def test_weights_are_those_of_opium(nonlinearity):
    hidden = layer(nonlinearity=nonlinearity, scale=3.0)
    weights, equations = trainer.train(hidden, samples(20), SUPERVISION, N_CLASSES, ridge=0.5)
    state = opium.start(N_CLASSES, hidden.n_hidden, ridge=0.5)
    for x, y in zip(*rows(hidden, 20)):
        opium.opium(state.weights, state.inverse, x, y)
    assert relative(weights, state.weights) < 1e-6
    assert equations.n_samples == 20


@pytest.mark.parametrize(
    ("kind", "most"), [("leaky", 8), ("alpha", 12), ("resonance", 15), ("delay-alpha", 45)]
)
def test_condensed_steps_have_the_same_correlation(kind, most, rng):
    """Slow kernels leave few rows; what is lost is rounding."""
    hidden = draw_layer(80, N_CHANNELS, seed=1, kind=kind, scale=2.0)
    pattern = (rng.random((400, N_CHANNELS)) < 0.05) * 1.0
    pattern[-45:] = 0
    activity = np.stack([hidden_activity(prepare(hidden), pattern, 355)] * 3)
    activity[1] *= 1e-3
    activity[2] = 0
    wanted = np.einsum("ski,skj->ij", activity, activity)
    found = trainer.condense(activity)
    assert len(found) <= 2 * most
    np.testing.assert_allclose(found.T @ found, wanted, atol=1e-13 * np.abs(wanted).max())
    np.testing.assert_array_equal(
        trainer.condense(activity[:, :, :9]), activity[..., :9].reshape(-1, 9)
    )


def test_weights_minimise_the_squares():
    hidden = layer(20)
    weights, _ = trainer.train(hidden, list(samples(30)), SUPERVISION, N_CLASSES, ridge=1e-3)
    x, y = rows(hidden, 30)
    # the ridge as further observations
    x = np.concatenate([x, np.sqrt(1e-3) * np.eye(20)])
    y = np.concatenate([y, np.zeros((20, N_CLASSES))])
    assert relative(weights, np.linalg.lstsq(x, y, rcond=None)[0].T) < 1e-6


def test_trained_networks_tell_new_samples_apart():
    hidden = layer(60)
    weights, _ = trainer.train(hidden, samples(60), SUPERVISION, N_CLASSES)
    patterns, labels = zip(*samples(40, seed=9))
    outputs = trainer.read_out(hidden, weights, patterns, SUPERVISION)
    assert outputs.shape == (40, 8, N_CLASSES)
    expected = hidden_activity(prepare(hidden), patterns[3])[SUPERVISION.first :] @ weights.T
    np.testing.assert_allclose(outputs[3], expected, atol=1e-12)
    assert np.mean(determine(outputs, "area", SUPERVISION) == labels) > 0.9


def test_chunks_and_threads_change_nothing(monkeypatch):
    hidden = layer()
    one, _ = trainer.train(hidden, samples(13), SUPERVISION, N_CLASSES, threads=1)
    monkeypatch.setattr(trainer, "CHUNK_SAMPLES", 4)
    two, _ = trainer.train(hidden, samples(13), SUPERVISION, N_CLASSES, threads=2)
    assert relative(two, one) < 1e-9


def test_training_that_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "CHUNK_SAMPLES", 4)
    hidden, path = layer(), tmp_path / "sums.npz"

    def stopped():
        for number, sample in enumerate(samples(20)):
            if number == 11:
                raise KeyboardInterrupt
            yield sample

    with pytest.raises(KeyboardInterrupt):
        trainer.train(hidden, stopped(), SUPERVISION, N_CLASSES, state_path=path, save_every=4)
    mark = trainer.fingerprint(hidden, SUPERVISION, N_CLASSES)
    assert trainer.load_equations(path, mark).n_samples == 8
    found, equations = trainer.train(hidden, samples(20), SUPERVISION, N_CLASSES, state_path=path)
    whole, _ = trainer.train(hidden, samples(20), SUPERVISION, N_CLASSES)
    assert equations.n_samples == 20
    assert relative(found, whole) < 1e-9
    for given in (samples(20), [None] * 20):  # what is passed over in a sequence is not read
        again, _ = trainer.train(hidden, given, SUPERVISION, N_CLASSES, state_path=path)
        np.testing.assert_array_equal(again, found)
    with pytest.raises(DataError, match="training of 20 samples, but 19 are given"):
        trainer.train(hidden, list(samples(19)), SUPERVISION, N_CLASSES, state_path=path)
    assert [file.name for file in tmp_path.iterdir()] == ["sums.npz"]


def test_sums_go_on_with_other_samples():
    hidden = layer()
    _, equations = trainer.train(hidden, samples(8, seed=1), SUPERVISION, N_CLASSES)
    both = [*samples(8, seed=1), *samples(8, seed=2)]
    found, _ = trainer.train(
        hidden, samples(8, seed=2), SUPERVISION, N_CLASSES, equations=equations
    )
    expected, _ = trainer.train(hidden, both, SUPERVISION, N_CLASSES)
    assert relative(found, expected) < 1e-9


def test_states_of_other_networks_are_refused(tmp_path):
    path = tmp_path / "sums.npz"
    trainer.train(layer(), samples(3), SUPERVISION, N_CLASSES, state_path=path)
    other = Supervision(training_pattern("flat", 4), n_steps=N_STEPS, window=8)
    for hidden, supervision in ((layer(nonlinearity="relu"), SUPERVISION), (layer(), other)):
        with pytest.raises(ModelFileError, match="another network or supervision"):
            trainer.train(hidden, samples(3), supervision, N_CLASSES, state_path=path)
    with pytest.raises(DataError, match="give one of them"):
        trainer.train(
            layer(), [], SUPERVISION, N_CLASSES, state_path=path, equations=trainer.empty(40, 3)
        )
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFileError, match=r"sums\.npz: .*remove it"):
        trainer.train(layer(), samples(3), SUPERVISION, N_CLASSES, state_path=path)


def test_memory_does_not_grow_with_the_samples():
    def peak(n):
        return peak_bytes(trainer.train, layer(4), samples(n), SUPERVISION, N_CLASSES)

    peak(1)  # compiles
    assert peak(5 * trainer.CHUNK_SAMPLES) < 1.1 * peak(2 * trainer.CHUNK_SAMPLES)
    # the paper's largest network
    assert trainer.needed_bytes(10_000, 1156, 10, trainer.chunk_size(10_000, 45), 45) < 1.3e9


def test_hidden_sizes_beyond_memory_are_refused():
    with pytest.raises(DataError, match=r"training 40 hidden neurons needs 0\.0 GB"):
        trainer.train(layer(), samples(3), SUPERVISION, N_CLASSES, available=10_000)
    # the sums of a million hidden neurons take 8 TB
    assert trainer.needed_bytes(10**6, 1156, 10, 1, 45) > 8e12


def test_many_neurons_are_solved_where_their_sums_lie(rng):
    """More than are mirrored at a time; the sums can be gone on from."""
    x, y = rng.normal(size=(900, 1100)), rng.normal(size=(900, 3))
    equations = trainer.empty(1100, 3)
    trainer.accumulate(equations, x.reshape(20, 45, 1100), y.reshape(20, 45, 3))
    gram, lower = equations.gram, np.tril(equations.gram)
    for ridge in (1.0, 5.0):
        wanted = np.linalg.solve(x.T @ x + ridge * np.eye(1100), x.T @ y).T
        np.testing.assert_allclose(trainer.solve(equations, ridge), wanted, rtol=1e-6, atol=1e-9)
        assert equations.gram is gram
        np.testing.assert_array_equal(np.tril(gram), lower)


def test_singular_and_infinite_correlations_are_refused():
    _, equations = trainer.train(layer(), samples(2), SUPERVISION, N_CLASSES)
    with pytest.raises(DataError, match="40 hidden neurons over 2 samples is singular"):
        trainer.solve(equations, ridge=0)
    equations.gram[3, 3] = np.inf
    with pytest.raises(DataError, match="is not finite"):
        trainer.solve(equations)
    with pytest.raises(DataError, match="ridge is -1"):
        trainer.solve(equations, ridge=-1)


@pytest.mark.parametrize(
    ("pattern", "label", "message"),
    [
        (np.zeros((N_STEPS, N_CHANNELS)), 3, "sample 2: label 3 is not one of the 3 classes"),
        (np.zeros((N_STEPS, N_CHANNELS)), -1, "sample 2: label -1"),
        (np.zeros((N_STEPS, 5)), 0, r"sample 2: input pattern has shape \(60, 5\)"),
        (np.full((N_STEPS, N_CHANNELS), np.nan), 0, "sample 2: .*720 values"),
    ],
)
def test_bad_samples_are_named(pattern, label, message):
    with pytest.raises(DataError, match=message):
        trainer.train(layer(), [*samples(2), (pattern, label)], SUPERVISION, N_CLASSES)


def test_no_samples_are_refused():
    with pytest.raises(DataError, match="no samples to train on"):
        trainer.train(layer(), [], SUPERVISION, N_CLASSES)
    with pytest.raises(DataError, match="no samples to run"):
        trainer.read_out(layer(), np.zeros((3, 40)), [], SUPERVISION)
