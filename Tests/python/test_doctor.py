"""python -m camber doctor, as a user calls it; and examples/doctor in C on the same files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import camber as cb
from camber.doctor import examine, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture()
def files(tmp_path):
    def loss(w, x, n):
        return np.sum(np.cosh(w) * x) + np.sum(w) * n

    w, x, n = np.linspace(-1, 1, 5), np.arange(1.0, 6), np.int64(3)
    cb.save(tmp_path / "f.camber", loss, w, x, n)
    np.savez(tmp_path / "in.npz", w=w, x=x, n=n)
    return tmp_path, w, x


def test_text_json_and_page(files, capsys):
    folder, w, x = files
    assert main(["doctor", str(folder / "f.camber"), str(folder / "in.npz"), "--wrt", "w", "--html", str(folder / "r.html")]) in (0, 1)
    said = capsys.readouterr().out
    assert said.startswith("f.camber: value")
    for part in ("Births of NaN and infinity", "Rounding error", "Derivative check", "Stable rewritings", "Curvature", "What runs"):
        assert part in said, part
    assert (folder / "r.html").read_text().startswith("<!DOCTYPE html>")
    main(["doctor", str(folder / "f.camber"), str(folder / "in.npz"), "--wrt", "w", "--json"])
    data = json.loads(capsys.readouterr().out)
    curvature = next(s for s in data["sections"] if s["title"] == "Curvature")
    figures = {row[0]: row[1] for row in curvature["items"][0]["rows"]}
    assert figures["trace"] == pytest.approx(np.sum(np.cosh(w) * x), rel=1e-12)
    assert figures["largest"] == pytest.approx(np.max(np.cosh(w) * x), rel=1e-12)


def test_a_nan_is_an_error(tmp_path, capsys):
    cb.save(tmp_path / "f.camber", lambda x: np.sum(np.log(x)), np.ones(3))
    np.save(tmp_path / "x.npy", np.array([1.0, -1.0, 2.0]))
    assert main(["doctor", str(tmp_path / "f.camber"), str(tmp_path / "x.npy")]) == 2
    said = capsys.readouterr().out
    assert "[error] nonfinite" in said and "log of a negative number" in said and "Origin of the first" in said
    np.save(tmp_path / "x.npy", np.array([1.0, 1e300, 2.0]))
    assert main(["doctor", str(tmp_path / "f.camber"), str(tmp_path / "x.npy")]) in (0, 1)


def test_wrong_use(files, capsys):
    folder, *_ = files
    for arguments in (["doctor"], ["doctor", "nothing.camber"], ["doctor", str(folder / "f.camber")], ["doctor", str(folder / "f.camber"), str(folder / "in.npz"), "--function", "g"],
                      ["doctor", str(folder / "f.camber"), str(folder / "in.npz"), "--wrt", "n"], ["surgeon"]):  # fmt: skip
        assert main(arguments) == 64, arguments
    assert capsys.readouterr().err
    assert main(["doctor", "--help"]) == 0


def test_as_a_module(files):
    folder, *_ = files
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings" / "python")}
    done = subprocess.run([sys.executable, "-m", "camber", "doctor", str(folder / "f.camber"), str(folder / "in.npz")], capture_output=True, text=True, env=environment)
    assert done.returncode in (0, 1) and "Curvature" in done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_the_c_example(files):
    folder, w, x = files
    cb.save(folder / "g.camber", lambda w, x: np.sum(np.cosh(w) * x), w, x)
    cb.save_tensors(folder / "in.safetensors", {"x": x, "w": w})
    library = Path(cb.lib.dll._name).resolve()
    subprocess.run(["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", str(ROOT / "examples/doctor/main.c"), str(library), f"-Wl,-rpath,{library.parent}", "-o", str(folder / "doctor")], check=True)
    done = subprocess.run([str(folder / "doctor"), str(folder / "g.camber"), str(folder / "in.safetensors"), str(folder / "c.html")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for part in ("Births of NaN and infinity", "Rounding error", "Derivative check"):
        assert part in done.stdout, part
    assert "Spectrum of the Hessian" in done.stdout and (folder / "c.html").stat().st_size < 1_000_000
    assert subprocess.run([str(folder / "doctor")], capture_output=True).returncode == 64


def test_examine_from_python(files):
    folder, *_ = files
    assert isinstance(examine(str(folder / "f.camber"), [str(folder / "in.npz")]), cb.Report)


def test_logarithmic_axes_take_what_has_no_logarithm():
    r = cb.Report("zero, negative and infinite numbers")
    r.series("chart", [0.0, -1.0, 5.0, np.inf], [0.0, -2.0, 3.0, np.nan], name="y").axes("chart", "x", "y", log_x=True, log_y=True)
    r.series("nothing", [0.0, -1.0], name="y").axes("nothing", log_x=True, log_y=True)
    assert "chart" in r.html() and "nothing" in r.html()


def test_what_loses_digits_is_named_by_its_layer(tmp_path, capsys):
    cb.save(tmp_path / "f.camber", lambda x: np.sum((1 - cb.label(np.cos(x), "layer 7")) / x), np.ones(1))
    np.save(tmp_path / "x.npy", np.array([1e-7]))
    assert main(["doctor", str(tmp_path / "f.camber"), str(tmp_path / "x.npy")]) == 1
    said = capsys.readouterr().out
    assert "[warning] rounding" in said and "layer 7" in said and "[warning] unstable expression" in said and "rule 20" in said
