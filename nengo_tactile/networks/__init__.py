"""What every kind of spiking network is made of, and what all else may ask of it."""
