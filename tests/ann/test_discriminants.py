"""Discriminants against the inverse covariance, written out; the network against the analysis."""

import itertools

import numpy as np
import pytest

from nengo_tactile.ann.discriminants import discriminant_network, discriminants
from nengo_tactile.ann.training import predict
from nengo_tactile.errors import DataError


@pytest.fixture(params=[(40, 7), (24, 60)], ids=["many samples", "many inputs"])
def samples(request, rng):
    n, n_inputs = request.param
    y = np.arange(n) % 4
    mixed = rng.normal(size=(n_inputs, n_inputs))
    return rng.normal(size=(4, n_inputs))[y] + rng.normal(size=(n, n_inputs)) @ mixed * 0.3, y


def distances(x, y, shrinkage):
    """Squared Mahalanobis distances to the classes' means, sample by sample, and the covariance."""
    means = [x[y == label].mean(0) for label in range(4)]
    covariance = sum(np.outer(v - means[label], v - means[label]) for v, label in zip(x, y)) / len(
        x
    )
    whole = np.trace(covariance) / x.shape[1] * np.eye(x.shape[1])
    covariance = (1 - shrinkage) * covariance + shrinkage * whole
    inverse = np.linalg.inv(covariance)
    return np.array([[(v - m) @ inverse @ (v - m) for m in means] for v in x]), covariance


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0])
def test_discriminants_measure_mahalanobis_distances(samples, shrinkage):
    x, y = samples
    directions, means, middle = discriminants(x, y, shrinkage)
    wanted, covariance = distances(x, y, shrinkage)
    assert directions.shape == (x.shape[1], 3)
    np.testing.assert_allclose(directions.T @ covariance @ directions, np.eye(3), atol=1e-8)
    along = (x - middle) @ directions
    ours = ((along[:, None] - means) ** 2).sum(2)
    # what lies across all directions is as far from every class
    np.testing.assert_allclose(
        ours - ours[:, :1], wanted - wanted[:, :1], rtol=1e-6, atol=1e-7 * wanted.max()
    )


def test_the_network_says_the_nearest_class(samples):
    x, y = samples
    image = x.reshape(len(x), 1, -1, 1).astype(np.float32)
    model = discriminant_network(image, y, 0.2)
    assert model.output_shape == (None, 4) and model.get_layer("dense1").units == 6
    logits, wanted = predict(model, image), -0.5 * distances(x, y, 0.2)[0]
    wanted -= wanted[:, :1]
    scale = wanted[:, 1:].std() / (logits - logits[:, :1])[:, 1:].std()
    np.testing.assert_allclose((logits - logits[:, :1]) * scale, wanted, atol=1e-3 * wanted.std())


def test_dead_taxels_count_as_if_every_skin_had_been_there():
    """Two taxels of two inputs: all four skins, each with its share, have the same covariance."""
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], 30)
    x = rng.normal(size=(60, 4)) + np.outer(y, [1.0, 0.5, 0.0, 2.0]) + 1
    means = np.stack([x[y == label].mean(0) for label in (0, 1)])
    covariance = np.zeros((4, 4))
    for alive in itertools.product((0.0, 1.0), repeat=2):
        share = np.prod([0.8 if one else 0.2 for one in alive])
        # what is left of a skin is made up for, so that means stay
        differing = x * np.repeat(alive, 2) / 0.8 - means[y]
        covariance += share * differing.T @ differing / len(x)
    wanted = np.linalg.solve(covariance, means[1] - means[0])
    found = discriminants(x, y, 1e-12, dead=0.2, n_taxels=2)[0][:, 0]
    np.testing.assert_allclose(found / found[0], wanted / wanted[0], rtol=1e-8)


@pytest.mark.parametrize(
    ("y", "shrinkage", "part"),
    [
        ([0, 0, 1, 1], 0, "shrinkage is 0"),
        ([0, 0, 1, 1], 1.5, "shrinkage is 1.5"),
        ([0, 0, 0, 0], 0.1, "of one class"),
        ([0, 0, 0, 1], 0.1, "class 1 has 1 of the 4 samples"),
        ([0, 0, 2, 2], 0.1, "class 1 has 0 of the 4 samples"),
    ],
)
def test_what_has_no_discriminants_is_refused(y, shrinkage, part):
    with pytest.raises(DataError, match=part):
        discriminants(np.arange(8.0).reshape(4, 2), y, shrinkage)


def test_other_samples_and_shares_are_refused():
    with pytest.raises(DataError, match="dead is 1, wanted a share"):
        discriminants(np.arange(8.0).reshape(4, 2), [0, 0, 1, 1], dead=1)
    with pytest.raises(DataError, match="2 inputs of 3 taxels"):
        discriminants(np.arange(8.0).reshape(4, 2), [0, 0, 1, 1], n_taxels=3)
    with pytest.raises(DataError, match="do not differ within classes"):
        discriminants(np.repeat([[0.0, 1.0], [1.0, 0.0]], 2, 0), [0, 0, 1, 1])
    with pytest.raises(DataError, match="the same means"):
        discriminants([[0.0, 1], [1, 0], [0, 1], [1, 0]], [0, 0, 1, 1])
