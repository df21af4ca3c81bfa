"""The convolutional network of the sigma-delta paper, for MNIST, and its training images.

Yousefzadeh et al., "Conversion of Synchronous Artificial Neural Network to Asynchronous Spiking
Neural Network using sigma-delta quantization", section III:
16C5-2MP2-8C5-2MP2-256FC[50 % dropout]-10FC, convolutions as large as their input.
"""

import functools

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.augment import shift

#: Name of the network on the command line and in weights files.
NAME = "deltacnn"
#: Largest value of a pixel.
WHITE = 255
#: Training images see thresholds up to this.
COARSEST = 1.3
#: What it becomes in the plain network, so that a threshold of 1.0 takes about as many spikes as
#: the paper's, 0.25 per neuron: 0.24 on 3,000 training images.
COARSEST_AFTER = 2.5
#: What a spike costs in training, in units of the loss.
PRICE = 3e-5


@functools.cache
def spike_noise_layer():
    """The Keras layer class (made on first use, because TensorFlow is slow to load)."""
    tf = stack.tensorflow()

    @tf.keras.utils.register_keras_serializable("nengo_tactile")
    class SpikeNoise(tf.keras.layers.Layer):
        """What hysteresis quantisation may leave of an activation, in training; nothing else.

        Sigma-delta neurons come to rest at the multiple of their threshold below the activation,
        or above it if their potential overshot (paper, figure 1). Which one, chance decides here.
        Each image draws a threshold between 0 and ``coarsest``, and how often its neurons
        overshoot. Gradients pass as if nothing was done. Activations cost ``price`` each, which
        `nengo_tactile.ann.training.train` adds to the loss: spikes are activations in thresholds.
        """

        def __init__(self, coarsest=COARSEST, price=PRICE, **kwargs):
            super().__init__(**kwargs)
            self.coarsest, self.price = coarsest, price

        def call(self, x, training=None):
            if not training:
                return x
            each = (tf.shape(x)[0], *(1 for _ in x.shape[1:]))
            self.add_loss(self.price * tf.reduce_sum(x) / tf.cast(each[0], x.dtype))
            threshold = tf.random.uniform(each, 1e-3, self.coarsest)
            overshoot = tf.random.uniform(each) * tf.random.uniform(tf.shape(x))
            quantised = threshold * tf.floor(x / threshold + overshoot)
            return x + tf.stop_gradient(quantised - x)

        def get_config(self):
            return {**super().get_config(), "coarsest": self.coarsest, "price": self.price}

    return SpikeNoise


def digits_cnn(seed=0, noisy=False):
    """Build the network; it takes images of 0..255.

    Parameters
    ----------
    seed : int
        Of the initial weights (He et al. 2015).
    noisy : bool
        With `spike_noise_layer` behind each ReLU, to be trained.

    Returns
    -------
    tf.keras.Model
        From (28, 28, 1) images to 10 logits.
    """
    tf = stack.tensorflow()
    layers = tf.keras.layers
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))

    def start():
        return tf.keras.initializers.HeNormal(next(seeds))

    def active(x, name):
        x = layers.ReLU(name=f"{name}_relu")(x)
        return spike_noise_layer()(name=f"{name}_noise")(x) if noisy else x

    def convolution(x, channels, name):
        x = layers.Conv2D(channels, 5, padding="same", kernel_initializer=start(), name=name)(x)
        return layers.MaxPooling2D(2, name=f"{name}_pool")(active(x, name))

    x = inputs = layers.Input((28, 28, 1), name="input")
    x = layers.Rescaling(1 / WHITE, name="rescale")(x)
    x = convolution(convolution(x, 16, "conv1"), 8, "conv2")
    x = layers.Dense(256, kernel_initializer=start(), name="dense")(
        layers.Flatten(name="flatten")(x)
    )
    x = layers.Dropout(0.5, name="dropout")(active(x, "dense"))
    x = layers.Dense(10, kernel_initializer=start(), name="logits")(x)
    return tf.keras.Model(inputs, x, name=NAME)


def without_noise(noisy):
    """The plain network of a trained one, in another unit of activations.

    A network of ReLUs stays the same function when all activations are multiplied, in the first
    layer's weights and all biases, and divided by in the last layer. Thresholds are in the unit of
    activations, so what is called 1 is a choice: see `COARSEST_AFTER`.

    Parameters
    ----------
    noisy : tf.keras.Model
        From `digits_cnn` with ``noisy``; not changed.

    Returns
    -------
    tf.keras.Model
    """
    factor, model = COARSEST_AFTER / COARSEST, digits_cnn()
    for layer in model.layers:
        if layer.weights:
            kernel, bias = noisy.get_layer(layer.name).get_weights()
            if layer.name == "conv1":
                kernel = factor * kernel
            if layer.name == "logits":
                kernel = kernel / factor
            layer.set_weights([kernel, bias if layer.name == "logits" else factor * bias])
    return model


def bit_epochs(x, y, seed, silent_up_to, pixels=2):
    """Make ``epoch -> (x, y)`` of shifted images of one bit.

    As spikes of `nengo_tactile.events.coding.DelayCoding` the network sees black and white; that
    is what it learns. Grey images, as a Keras model, it then knows about as well.

    Parameters
    ----------
    x : (n_samples, height, width, channels) uint8 array
    y : (n_samples,) int array
    seed : int
    silent_up_to : float
        Intensities above this, of 1, become white; others black.
    pixels : int
        Shifted by at most so many.

    Returns
    -------
    callable
        For `nengo_tactile.ann.training.train`.
    """

    def samples(epoch):
        images = shift(x, np.random.default_rng((seed, epoch)), pixels)
        return (images > silent_up_to * WHITE) * np.uint8(WHITE), y

    return samples
