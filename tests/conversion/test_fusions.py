"""The fault of fused layers is measured, and said where it is there."""

import numpy as np

from nengo_tactile import doctor, stack
from nengo_tactile.conversion import fusions


def test_predict_is_compared_with_the_layers(monkeypatch):
    keras = stack.tensorflow().keras
    monkeypatch.setattr(keras.Model, "predict", lambda self, x, verbose=0: self(x).numpy())
    assert fusions.fused_difference() == 0
    monkeypatch.setattr(keras.Model, "predict", lambda self, x, verbose=0: 1.1 * self(x).numpy())
    assert np.isclose(fusions.fused_difference(), 0.1, rtol=1e-4)


def test_doctor_says_it():
    for difference, result in ((1e-6, "ok"), (0.09, "beware"), (float("nan"), "beware")):
        fusion = {"difference": difference, "seconds": 0.1}
        found = doctor.Diagnosis([], [], [], fusion=fusion)
        assert found.ok  # a fault of predict stops no conversion
        assert doctor._row_of_fusion(fusion)[1] == result
    assert "TF_ENABLE_ONEDNN_OPTS=0" in doctor._row_of_fusion({"difference": 0.09, "seconds": 0})[3]
