"""Networks of ours in real readers, where these are: spikes of every layer.

By tools/nir_exchange.py; NENGO_TACTILE_READERS names a Python that has torch and some of them.
"""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import nengo_tactile as nt
from tests.support.slayer_networks import case, network_of

TOOL = Path(__file__).parents[2] / "tools" / "nir_exchange.py"


@pytest.fixture
def python():
    found = os.environ.get("NENGO_TACTILE_READERS")
    if not found or not TOOL.is_file():
        pytest.skip("needs torch and NIR readers: set NENGO_TACTILE_READERS to their Python")
    return found


@pytest.mark.parametrize("reader", ["sinabs", "norse", "snntorch", "spikingjelly"])
def test_readers_fire_our_spikes(reader, python, tmp_path):
    known = subprocess.run([python, "-c", f"import nir, {reader}"], capture_output=True)
    if known.returncode:
        pytest.skip(f"{python} has no {reader}")
    model = nt.ann.build("8x8x2-6c3-8c3s2-10-3o", seed=2)
    x = np.random.default_rng(0).random((8, 8, 8, 2), dtype=np.float32)
    written = {"cnn": (nt.convert(model, x, nt.IF(), n_steps=16), x)}
    if reader != "sinabs":
        graph, spikes = case("cuba-dense")
        written["slayer"] = network_of(graph), spikes
    for name, (network, samples) in written.items():
        file = tmp_path / f"{name}-{reader}.nir"
        nt.to_nir(network, file, reader, x=samples)
        golden = dict(np.load(file.with_suffix(".npz")))
        np.savez(file.with_suffix(".npz"), **golden, labels=np.zeros(len(samples), int))
    done = subprocess.run(
        [python, TOOL, "read", tmp_path, reader], capture_output=True, text=True, check=True
    )
    differences = re.findall(r"([\d.]+)% of spikes by neuron, ([\d.]+)% by step", done.stdout)
    assert len(differences) >= 3, done.stdout
    assert all(float(each) <= 1 for pair in differences for each in pair), done.stdout
