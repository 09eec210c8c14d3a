"""A dozen of the sick and healthy trainings of Benchmarks/health/runs.py: named, placed, cured; nothing found in the healthy."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Benchmarks" / "health"))
import runs  # noqa: E402
from models import ARCHITECTURES  # noqa: E402

SICK = [("mlp_tanh", "large"), ("cnn_relu", "large"), ("rnn", "small"), ("mlp_relu", "rate"), ("lstm", "saturated"), ("rnn_relu", "dead"),
        ("transformer", "f16 underflow"), ("residual", "f16 overflow"), ("mlp_tanh", "bf16 stall"), ("rnn", "inputs")]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), SICK)
def test_sick(name, kind):
    row = runs.judge((name, 2, kind))
    assert row["found"], "nothing was found"
    assert row["found"][0][0] in runs.NAMES[kind], row["found"]
    if row["place"]:
        assert row["found"][0][1] == row["place"]
    assert row["sick"]
    assert row["cured"] < row["loss"]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_healthy(name):
    assert not runs.judge((name, 2, ""))["found"]
