"""A page on which one draws on the e-skin, and a spiking network decides live."""
