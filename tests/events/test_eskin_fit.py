"""The fit: each step moves towards the paper, on samples small enough for a test."""

import json

import numpy as np
import pytest

from nengo_tactile.events.compare import table1_scores
from nengo_tactile.events.eskin import ESkinParameters
from nengo_tactile.events.eskin_table1 import STATISTICS, table1
from nengo_tactile.events.handwriting import ParametricHandwriting
from tests.support import scripts

module = scripts.load("tools/eskin_fit.py")


def test_geometry_goes_in_and_out():
    values = np.array([8.5, 0.9, 0.5, 0.1, 0.7, 0.01, 0.05, -0.1, 0.3])
    parameters = module._with_geometry(ESkinParameters(), values)
    np.testing.assert_allclose(module._geometry(parameters), values)
    assert parameters.centre_mm == (0.1, 0.7)
    assert parameters.gain_slope == (0.05, -0.1)
    assert parameters.slowing == 0.3


def test_residuals_are_signed_squares_of_distances():
    assert not module._residuals(table1()).any()
    moved = table1()
    moved["x_mean"]["mean"][2] += 3 * moved["x_mean"]["sd"][2]
    moved["y_range"]["mean"][9] -= 2 * moved["y_range"]["sd"][9]
    found = module._residuals(moved)
    assert found.shape == (40,)
    np.testing.assert_allclose(sorted(found[np.abs(found) > 1e-9]), [-4, 9])


def test_counts_step_scales_pace_by_the_ratio():
    start = ESkinParameters(pace=(1.0,) * 10)
    unchanged = module.fit_counts(start, table1())
    np.testing.assert_allclose(unchanged.pace, 1)
    assert unchanged.off_repeats == pytest.approx(start.off_repeats)
    assert unchanged.seconds_per_unit == pytest.approx(start.seconds_per_unit)
    ours = table1()
    for name in ("on_events", "off_events"):
        ours[name]["mean"] = ours[name]["mean"] / 2
        ours[name]["mean"][3] /= 3
    step = module.fit_counts(start, ours)
    wanted = np.full(10, 2.0)
    wanted[3] *= 3
    np.testing.assert_allclose(
        np.array(step.pace) * step.seconds_per_unit / start.seconds_per_unit, wanted, rtol=1e-3
    )
    ours = table1()
    ours["off_events"]["mean"] /= 1.5
    assert module.fit_counts(start, ours).off_repeats == pytest.approx(1.5 * start.off_repeats)


def test_gauss_newton_solves_a_linear_problem_within_bounds(rng):
    names = list(module.GEOMETRY)
    matrix = rng.normal(size=(20, len(names)))
    low, high = np.array(list(module.BOUNDS.values())).T
    scale = np.array(list(module.GEOMETRY.values()))
    start = (low + high) / 2
    inside = start + 0.8 * np.minimum(scale, (high - low) / 4)
    found = module.gauss_newton(lambda v: matrix @ ((v - inside) / scale), start, iterations=3)
    np.testing.assert_allclose(found, inside, atol=1e-6)
    outside = high + scale
    found = module.gauss_newton(lambda v: (v - outside) / scale, start, iterations=20)
    np.testing.assert_allclose(found, high, atol=1e-9)


def test_fit_comes_nearer_and_the_command_writes_it(tmp_path, capsys, monkeypatch):
    writing = ParametricHandwriting(n_samples=60)
    start = ESkinParameters(seconds_per_unit=0.1)

    def error(parameters):
        rows = module.simulate_statistics(writing, parameters, progress=False)
        assert rows.shape == (60, len(STATISTICS))
        scores = table1_scores(module.class_statistics(rows, writing.labels))
        return scores["on_error"] + scores["off_error"]

    fitted = module.fit(writing, start, rounds=0, progress=False)
    assert error(fitted) < 0.6 * error(start)
    assert fitted == module.fit(writing, start, rounds=0, progress=False)

    def small(source, split, *options):
        return ParametricHandwriting(split, 40)

    monkeypatch.setattr(module, "handwriting", small)
    out = tmp_path / "parameters.json"
    out.write_text('{"pendigits": "kept"}')
    module.main(["--samples", "40", "--rounds", "0", "--out", str(out)])
    written = json.loads(out.read_text())
    assert written["pendigits"] == "kept"
    assert ESkinParameters.from_dict(written["parametric"]["parameters"]).pace[0] > 1
    assert written["parametric"]["scores"]["test"]["n_samples"] == 40
    assert "1738 (1366)" in capsys.readouterr().out
