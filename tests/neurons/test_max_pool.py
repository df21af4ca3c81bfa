"""Max pooling of spikes against a brute-force loop and against Keras pooling of counts."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError, EngineError
from tests.support import driven_neurons
from tests.support.driven_neurons import simulator

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)

N_STEPS, DT = 40, 0.001


def simulate(engine, windows, inputs):
    """Output, accumulated input and spike count of pooling units, step by step."""
    from nengo_tactile.neurons.max_pool import MaxPool

    states = ("output", "accumulated", "spike_count")
    kinds = [MaxPool(window) for window in windows]
    return driven_neurons.simulate(engine, kinds, inputs, states, dt=DT)


def brute_force(inputs, window):
    """Outputs of all slots, window by window and step by step."""
    n_steps, n_units = inputs.shape
    outputs = np.zeros((n_steps, n_units))
    for first in range(0, n_units, window):
        sums, largest = [0.0] * window, 0.0
        for step in range(n_steps):
            sums = [s + x for s, x in zip(sums, inputs[step, first : first + window])]
            outputs[step, first] = max(sums) - largest
            largest = max(sums)
    return outputs


@pytest.mark.parametrize("engine", ["nengo", "dl"])
@pytest.mark.parametrize("amplitude", [1.0, 1 / DT, -0.25])
def test_equals_the_brute_force_loop_exactly(engine, amplitude, rng):
    # spikes with rates that change, so that the lead changes within windows
    rates = rng.uniform(0, 1, (2, 24)).repeat(N_STEPS // 2, axis=0)
    inputs = amplitude * (rng.random((N_STEPS, 24)) < rates)
    # NengoDL merges the populations
    for window, run in zip((4, 3, 4, 1), simulate(engine, (4, 3, 4, 1), inputs)):
        output, accumulated, count = run
        wanted = brute_force(inputs, window)
        np.testing.assert_array_equal(output, wanted)
        np.testing.assert_array_equal(accumulated, inputs.cumsum(axis=0))
        np.testing.assert_array_equal(count, (wanted != 0).cumsum(axis=0))


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_signed_spikes_can_lower_the_maximum(engine, rng):
    inputs = rng.integers(-2, 3, (N_STEPS, 12)) / 2
    ((output, _, _),) = simulate(engine, [3], inputs)
    np.testing.assert_array_equal(output, brute_force(inputs, 3))
    assert (output < 0).any()


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_puts_out_the_largest_rate_where_pooling_of_each_step_overestimates(engine, rng):
    inputs = (rng.random((N_STEPS, 4)) < 0.5).astype(float)
    ((output, _, _),) = simulate(engine, [4], inputs)
    assert output.sum() == inputs.sum(axis=0).max()
    assert set(output.ravel()) == {0.0, 1.0}
    assert inputs.max(axis=1).sum() > 1.5 * output.sum()


GEOMETRIES = st.fixed_dictionaries(
    {
        "lengths": st.lists(st.integers(1, 7), min_size=1, max_size=2),
        "channels": st.integers(1, 3),
        "pool_size": st.lists(st.integers(1, 4), min_size=2, max_size=2),
        "strides": st.none() | st.lists(st.integers(1, 4), min_size=2, max_size=2),
        "padding": st.sampled_from(["valid", "same"]),
        "seed": st.integers(0, 99),
    }
)


@settings(max_examples=60)
@given(GEOMETRIES)
def test_windows_pool_like_keras(geometry):
    from nengo_tactile.conversion.mapping import pooling_windows
    from tests.support.passes import plain_layer

    lengths, padding = geometry["lengths"], geometry["padding"]
    n_axes = len(lengths)
    pool_size, strides = geometry["pool_size"][:n_axes], geometry["strides"]
    if padding == "valid":
        pool_size = [min(size, length) for size, length in zip(pool_size, lengths)]
    shape = (*lengths, geometry["channels"])
    layers = stack.tensorflow().keras.layers
    kind = layers.MaxPooling1D if n_axes == 1 else layers.MaxPooling2D
    layer = kind(pool_size, strides and strides[:n_axes], padding=padding)
    # negative values too: a zero that padding brought in would show
    values = np.random.default_rng(geometry["seed"]).normal(-1, 1, shape).astype(np.float32)
    windows = pooling_windows(plain_layer(layer, shape))
    pooled = values.ravel()[windows].max(axis=1)
    np.testing.assert_array_equal(pooled, layer(values[None]).numpy().ravel())


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2)])
def test_global_pooling_has_one_window_per_channel(shape, rng):
    from nengo_tactile.conversion.mapping import pooling_windows
    from tests.support.passes import plain_layer

    layers = stack.tensorflow().keras.layers
    layer = layers.GlobalMaxPooling1D() if len(shape) == 2 else layers.GlobalMaxPooling2D()
    values = rng.normal(size=shape).astype(np.float32)
    pooled = values.ravel()[pooling_windows(plain_layer(layer, shape))].max(axis=1)
    np.testing.assert_array_equal(pooled, layer(values[None]).numpy().ravel())


@pytest.mark.parametrize("engine", ["nengo", "dl"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_counts_after_pooling_are_keras_pooling_of_counts(engine, padding, rng):
    from nengo_tactile.neurons.integrate_fire import IntegrateFire
    from nengo_tactile.neurons.max_pool import MaxPool
    from nengo_tactile.neurons.windows import window_indices

    shape = (5, 4, 2)
    n = int(np.prod(shape))
    windows = window_indices(shape, (3, 2), (2, 2), padding)
    currents = rng.uniform(0, 1, n)
    with nengo.Network(seed=0) as net:
        neurons = nengo.Ensemble(
            # the time step as amplitude: a spike is a one
            n,
            1,
            neuron_type=IntegrateFire(1 / DT, amplitude=DT),
            gain=np.ones(n),
            bias=currents,
        ).neurons
        units = nengo.Ensemble(windows.size, 1, neuron_type=MaxPool(windows.shape[1])).neurons
        nengo.Connection(neurons[windows.ravel()], units, synapse=None)
        before = nengo.Probe(neurons, "spike_count")
        after = nengo.Probe(units[:: windows.shape[1]])
    with stack.quiet_build(), simulator(engine)(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        counts, pooled = np.array(sim.data[before]), np.array(sim.data[after])
    layer = stack.tensorflow().keras.layers.MaxPooling2D((3, 2), (2, 2), padding)
    wanted = layer(counts.reshape(N_STEPS, *shape)).numpy().reshape(N_STEPS, -1)
    assert wanted[-1].max() > 30
    np.testing.assert_array_equal(pooled.cumsum(axis=0), wanted)


def test_rates_are_the_maximum_of_each_window(rng):
    from nengo_tactile.neurons.max_pool import MaxPool

    x = rng.normal(size=(7, 6))
    rates = MaxPool(3).rates(x, np.ones(6), np.zeros(6))
    wanted = np.zeros((7, 6))
    wanted[:, 0], wanted[:, 3] = x[:, :3].max(axis=1), x[:, 3:].max(axis=1)
    np.testing.assert_array_equal(rates, wanted)


def test_in_training_nengo_dl_sees_the_maximum(rng):
    from nengo_tactile.neurons.max_pool import MaxPool

    tf, nengo_dl = stack.tensorflow(), stack.nengo_dl()
    x = rng.normal(size=12)
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(12))
        units = nengo.Ensemble(12, 1, neuron_type=MaxPool(4)).neurons
        nengo.Connection(node, units, synapse=None)
        nengo.Probe(units[::4])
    with stack.quiet_build(), nengo_dl.Simulator(net, progress_bar=False) as sim:
        steps = np.tile(x, (1, 2, 1))
        inputs = [tf.constant(steps, tf.float32), tf.constant([[2]])]
        trained = np.array(tf.nest.flatten(sim.keras_model(inputs, training=True))[0])
    # the same at both steps: a rate, not the rise of a sum
    wanted = np.tile(x.reshape(3, 4).max(axis=1), (2, 1))
    np.testing.assert_allclose(trained[0], wanted, rtol=1e-6)


def test_populations_must_be_whole_windows():
    with pytest.raises(EngineError, match=r"windows of 3.* population has 4 units"):
        simulate("nengo", [3], np.zeros((2, 4)))


@pytest.mark.parametrize("window", [0, -1, 2.5])
def test_a_window_that_is_no_size_is_refused(window):
    from nengo_tactile.neurons.max_pool import MaxPool

    with pytest.raises(EngineError, match=f"window is {window}"):
        MaxPool(window)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (((4, 4, 1), (5, 2)), "a window of 5 does not fit into 4 inputs"),
        (((4, 4, 1), (2,)), r"pool_size \(2,\) for input of shape \(4, 4, 1\): give 2"),
        (((4, 1), (2,), (0,)), r"strides \(0,\)"),
        (((4, 1), (2,), (2,), "causal"), "padding is 'causal'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments, message):
    from nengo_tactile.neurons.windows import window_indices

    with pytest.raises(ConversionError, match=message):
        window_indices(*arguments)


def test_errors_about_a_layer_name_it():
    from nengo_tactile.conversion.mapping import pooling_windows
    from tests.support.passes import plain_layer

    layers = stack.tensorflow().keras.layers
    with pytest.raises(ConversionError, match=r"'pool' \(MaxPooling2D\): .* does not fit into 4"):
        pooling_windows(plain_layer(layers.MaxPooling2D(5, name="pool"), (4, 4, 1)))
    layer = layers.MaxPooling2D(2, data_format="channels_first", name="pool")
    with pytest.raises(ConversionError, match=r"'pool' .*channels_first.*; rebuild"):
        pooling_windows(plain_layer(layer, (1, 4, 4)))
