"""From a Keras model to a spiking network: `nengo_tactile.convert` and `nengo_tactile.check`."""
