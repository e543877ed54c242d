"""Limits in standard errors, several accepted runs, and the offer: what passes, and what is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_d0parity import EvidenceLog, Scenario, capture_evidence, to_json
from pytest_d0parity.comparison.comparator import Comparator
from pytest_d0parity.comparison.difference import Comparison, find_difference
from pytest_d0parity.comparison.scatter import Scatter
from pytest_d0parity.comparison.values import values_of
from pytest_d0parity.evidence.file import LogFile
from pytest_d0parity.scenario.thresholds import ThresholdError, parse_threshold
from pytest_d0parity.simulator import simulate_sweep
from tests.support.command import LOG, d0parity, read_log

DOSE = 1e5
NAME = "data_p1e5.npz"
SIGMA = ("--compare", "statistics", "--threshold", "*:5sigma")


def brightness(frames: int, seed: int = 7) -> NDArray[np.float64]:
    """Intensities of far fields of an object that a probe illuminates at random places."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32] - 15.5
    probe = np.exp(-(x**2 + y**2) / 50) * np.exp(1j * (x * 0.3 + rng.normal(size=(32, 32)) / 3))
    specimen = (1 - 0.4 * (rng.random((128, 128)) < 0.2)) * np.exp(0.3j * rng.random((128, 128)))
    corners = rng.integers(0, 96, (frames, 2))
    waves = np.stack([probe * specimen[b : b + 32, a : a + 32] for a, b in corners])
    far = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
    return np.asarray(far * (DOSE / far.sum(axis=(1, 2)).mean()))


def amplitudes(counts: NDArray[Any]) -> NDArray[np.float32]:
    return np.sqrt(counts / DOSE).astype(np.float32)


def log_of(diff3d: NDArray[Any], probe: float = 1.0, **arrays: Any) -> EvidenceLog:
    index = np.zeros(len(diff3d), int)
    with TemporaryDirectory() as folder:
        np.savez(Path(folder, NAME), diff3d=diff3d, scan_index=index, probeGuess=np.full((4, 4), probe + 0j), **arrays)
        return capture_evidence(Scenario(dataset_root=folder))


def compare(reference: EvidenceLog, log: EvidenceLog, *limits: str) -> Comparison:
    thresholds = [parse_threshold(limit) for limit in limits or ("*:5sigma",)]
    return Comparator.of(LogFile("r.json", "0" * 64, reference), thresholds, "statistics").compare(values_of(log))


def drifted(comparison: Comparison) -> set[str]:
    return {difference.where.partition(":")[2] for difference in comparison.drifted}


EXPECTED = brightness(96)
COUNTS = np.random.default_rng(1).poisson(EXPECTED)
REFERENCE = log_of(amplitudes(COUNTS))


def drawn(seed: int, expected: NDArray[np.float64] = EXPECTED) -> NDArray[Any]:
    return np.random.default_rng(seed).poisson(expected)


def test_redrawn_photons_pass() -> None:
    for seed in range(100, 130):
        comparison = compare(REFERENCE, log_of(amplitudes(drawn(seed))))
        assert (comparison.verdict, drifted(comparison)) == ("within_thresholds", set())


def blank(counts: NDArray[Any]) -> NDArray[Any]:
    counts[[0, 48]] = 0
    return counts


def hot(counts: NDArray[Any]) -> NDArray[Any]:
    counts[3, 4, 5] = 10 * counts.max()
    return counts


FAULTS: list[tuple[str, Callable[[], EvidenceLog]]] = [
    ("raw.mean", lambda: log_of(amplitudes(drawn(5, EXPECTED * 1.03)))),
    ("photons.per_pattern", lambda: log_of(amplitudes(drawn(5, EXPECTED * 1.03)))),
    ("photons.quantum", lambda: log_of(amplitudes(drawn(5)) * np.float32(1.02))),
    ("photons.quantum", lambda: log_of(amplitudes(drawn(5)) * np.float32(1.0001))),
    ("photons.min", lambda: log_of(amplitudes(blank(drawn(5))))),
    ("photons.empty", lambda: log_of(amplitudes(blank(drawn(5))))),
    ("raw.max", lambda: log_of(amplitudes(hot(drawn(5))))),
    ("pattern.column", lambda: log_of(np.roll(amplitudes(drawn(5)), 16, axis=2))),
    ("pattern.row", lambda: log_of(np.roll(amplitudes(drawn(5)), 3, axis=1))),
    ("frames.count", lambda: log_of(amplitudes(drawn(5))[:95])),
    ("raw.count", lambda: log_of(amplitudes(drawn(5))[:95])),
    ("probe.l2_norm", lambda: log_of(amplitudes(drawn(5)), probe=1.001)),
    ("raw.mean", lambda: log_of(amplitudes(drawn(5, brightness(96, seed=8))))),
]


@pytest.mark.parametrize(("name", "make"), FAULTS)
def test_faults_are_found(name: str, make: Callable[[], EvidenceLog]) -> None:
    comparison = compare(REFERENCE, make())
    assert comparison.verdict == "drift"
    assert name in drifted(comparison)


def test_a_weak_background_is_found_in_many_frames() -> None:
    assert compare(REFERENCE, log_of(amplitudes(drawn(5, EXPECTED + 0.05)))).verdict == "within_thresholds"
    many = brightness(2000)
    reference = log_of(amplitudes(np.random.default_rng(1).poisson(many)))
    assert "raw.nonzero_fraction" in drifted(compare(reference, log_of(amplitudes(drawn(5, many + 0.05)))))


def test_what_follows_from_others_is_judged_once() -> None:
    comparison = compare(REFERENCE, log_of(amplitudes(drawn(6))))
    follows = {d.where.partition(":")[2]: d for d in comparison.differences if "follows" in d.threshold}
    assert "normalized.mean" in follows
    assert {d.distance for d in follows.values()} == {None}
    scaled = compare(REFERENCE, log_of(amplitudes(drawn(5, EXPECTED * 1.03))))
    assert {"normalized.mean", "photons.ratio"} <= drifted(scaled)


def test_the_last_limit_counts_and_sigma_loosens_nothing_else() -> None:
    log = log_of(amplitudes(drawn(6)))
    assert "raw.mean" in drifted(compare(REFERENCE, log, "*:5sigma", "raw.mean:exact"))
    assert drifted(compare(REFERENCE, log, "raw.mean:exact", "*:5sigma")) == set()
    scaled = log_of(amplitudes(drawn(6)) * np.float32(1.0001))
    assert "photons.quantum" in drifted(compare(REFERENCE, scaled, "*:5sigma"))
    assert "photons.quantum" not in drifted(compare(REFERENCE, scaled, "photons.quantum:1%", "*:5sigma"))


def test_frames_that_are_all_alike_have_the_default_limit_alone() -> None:
    alike = np.repeat(drawn(3)[:1], 64, axis=0)
    reference = log_of(amplitudes(alike))
    assert set(reference.datasets[0].standard_errors.values()) == {0.0}
    assert drifted(compare(reference, log_of(amplitudes(alike) * np.float32(1 + 2e-7)))) == set()
    assert "raw.max" in drifted(compare(reference, log_of(amplitudes(alike) * np.float32(1 + 1e-5))))


def test_a_step_of_one_photon_is_no_drift_of_a_percentile() -> None:
    values = {"photons.quantum": 1e-5, "photons.quantized": True}
    scatter = Scatter.of({"raw.p90": 0.0, "raw.mean": 0.0}, {"raw.p90": 0.0, "raw.mean": 0.0}, (values, values), {})
    limit = parse_threshold("*:5sigma")

    def judged(name: str, before: float, after: float) -> str:
        found = find_difference(name, before, after, None, 0.0)
        assert found is not None
        return scatter.judge(found, name, limit).verdict

    counts = {"photons.quantum": 1.0, "photons.quantized": True, "photons.domain": "intensity"}
    of_counts = Scatter.of({"raw.p01": 0.0}, {"raw.p01": 0.0}, (counts, counts), {})
    step = find_difference("raw.p01", 27.5, 28.5, None, 0.0)
    assert step is not None
    assert of_counts.judge(step, "raw.p01", limit).verdict == "within_thresholds"

    steps = [float(np.sqrt(np.float32(count * 1e-5))) for count in (40, 41, 42)]
    assert judged("raw.p90", steps[0], steps[1]) == "within_thresholds"
    assert judged("raw.p90", steps[0], steps[2]) == "drift"
    assert judged("raw.mean", steps[0], steps[1]) == "drift"


@pytest.mark.parametrize(
    ("limit", "sigma"), [("5sigma", 5), ("0.5sigma", 0.5), ("5 sigma", 5), ("5\u03c3", 5), ("1e1sigma", 10)]
)
def test_limits_in_sigma(limit: str, sigma: float) -> None:
    threshold = parse_threshold(f"*:{limit}")
    assert (threshold.sigma, threshold.is_exact, threshold.text.endswith("sigma")) == (sigma, False, True)


@pytest.mark.parametrize("limit", ["0sigma", "-1sigma", "nansigma", "infsigma", "sigma", "5%sigma"])
def test_what_is_no_limit_in_sigma(limit: str) -> None:
    with pytest.raises(ThresholdError, match="a positive number of standard errors is: 5sigma"):
        parse_threshold(f"*:{limit}")


# --- from outside ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep `ref`, and in `run` the same one with other photons, both with their logs in `out`."""
    folder = tmp_path_factory.mktemp("sigma")
    for name, redraw in (("ref", 0), ("run", 1)):
        (folder / name).mkdir()
        simulate_sweep(str(folder / name), ["1e5"], frames=40, redraw=redraw)
        assert d0parity("log", "--dataset-root", folder / name, "--output", folder / name / "out").returncode == 0
    return folder


def logs(sweeps: Path) -> list[Path]:
    return [sweeps / name / "out" / LOG for name in ("ref", "run")]


def test_the_command_line_says_how_far_values_are(sweeps: Path, tmp_path: Path) -> None:
    done = d0parity("compare", *logs(sweeps), *SIGMA)
    assert done.returncode == 0
    assert "within 5sigma (farthest " in done.stdout
    assert " sigma)" in done.stdout
    options = ["--dataset-root", sweeps / "run", "--reference", logs(sweeps)[0], "--output", tmp_path]
    assert d0parity("log", *options, *SIGMA).returncode == 0
    rows = [row for row in read_log(tmp_path)["drift"] if "sigma" in row]
    assert {row["threshold"] for row in rows} == {"5sigma"}
    assert all(abs(row["sigma"]) <= 5 or row["distance"] <= 1 for row in rows)
    options = ["--dataset-root", sweeps / "run", "--output", tmp_path]
    done = d0parity("verify", logs(sweeps)[0], *options, *SIGMA)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "within_thresholds")


def test_the_offer_is_made_where_it_holds(sweeps: Path) -> None:
    done = d0parity("compare", *logs(sweeps))
    assert done.returncode == 3
    offer = "Next: if the frames were drawn anew, --compare statistics --threshold '*:5sigma' accepts that."
    assert "standard errors: other frames of the same source would differ as much" in done.stdout
    assert f"{offer} The positions are the same" in done.stdout
    assert "add --threshold 'photons.per_pattern:1%'" in done.stdout
    assert offer not in d0parity("compare", *logs(sweeps), *SIGMA).stdout
    record = json.loads(logs(sweeps)[1].read_text())
    record["datasets"][0]["probe"]["l2_norm"] *= 2  # now it does not hold for all
    (sweeps / "other.json").write_text(json.dumps(record))
    done = d0parity("compare", logs(sweeps)[0], sweeps / "other.json")
    assert "it may be" not in done.stdout
    assert offer not in done.stdout


def test_pytest_makes_the_offer_with_its_own_options(pytester: pytest.Pytester, sweeps: Path) -> None:
    options = [f"--parity-dataset-root={sweeps / 'run'}", f"--parity-reference={logs(sweeps)[0]}"]
    result = pytester.runpytest_subprocess("--parity-scenario=T", "--parity-output=out", *options)
    assert result.ret == 1
    assert "--parity-compare statistics --parity-threshold '*:5sigma' accepts that" in result.stdout.str()
    assert "add --parity-threshold 'photons.per_pattern:1%'" in result.stdout.str()
    more = ["--parity-compare=statistics", "--parity-threshold=*:5sigma"]
    assert pytester.runpytest_subprocess("--parity-scenario=T", "--parity-output=out", *options, *more).ret == 0


def test_without_standard_errors_the_other_limits_hold(tmp_path: Path) -> None:
    for name, redraw in (("ref", 0), ("run", 1)):
        (tmp_path / name).mkdir()
        simulate_sweep(str(tmp_path / name), ["1e5"], frames=20, redraw=redraw)
        assert d0parity("log", "--dataset-root", tmp_path / name, "--output", tmp_path / name / "out").returncode == 0
    done = d0parity("compare", *logs(tmp_path), *SIGMA)
    assert done.returncode == 3
    assert "data_p1e5.npz has no standard errors on both sides (an older log, or fewer than 32 frames)" in done.stderr


# --- accepted runs ----------------------------------------------------------------------------------


PSNR = (71.0, 71.3, 70.8, 71.1, 71.2)


def with_psnr(value: float) -> EvidenceLog:
    return replace(REFERENCE, metrics={"psnr": (value, 2 * value)})


def accepted(folder: Path, values: tuple[float, ...] = PSNR) -> list[Path]:
    paths = [folder / f"{number}.json" for number in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        path.write_text(to_json(with_psnr(value)))
    return paths


def with_references(folder: Path, references: list[Path], *options: Any) -> Any:
    (folder / "data").mkdir(exist_ok=True)
    np.savez(
        folder / "data" / NAME,
        diff3d=amplitudes(drawn(6)),
        scan_index=np.zeros(96, int),
        probeGuess=np.full((4, 4), 1 + 0j),
    )
    given = [part for path in references for part in ("--reference", path)]
    return d0parity("log", "--dataset-root", folder / "data", "--output", folder / "out", *given, *options)


@pytest.mark.parametrize(("psnr", "code"), [(70.5, 0), (73.4, 0), (68.0, 3)])
def test_metrics_may_scatter_as_accepted_runs_do(tmp_path: Path, psnr: float, code: int) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"psnr": [psnr, 2 * 71.1]}))
    options = ["--baseline-metrics", tmp_path / "metrics.json", *SIGMA]
    (tmp_path / "params.json").write_text('{"N": 1}')
    done = with_references(tmp_path, accepted(tmp_path), *options)
    log = read_log(tmp_path / "out")
    assert (done.returncode, log["verdict"]) == (code, "drift" if code else "within_thresholds"), done.stdout
    assert [run["path"] for run in log["reference"]["accepted"]] == [str(tmp_path / f"{n}.json") for n in range(5)]
    (row,) = [row for row in log["drift"] if row["where"] == "metrics.psnr.train"]
    assert row["expected"] == pytest.approx(71.08)
    assert abs(row["observed"] - row["expected"]) / row["distance"] == pytest.approx(2.405, abs=0.01)


@pytest.mark.parametrize("count", [2, 3])
def test_two_or_three_references_tell_too_little(tmp_path: Path, count: int) -> None:
    done = with_references(tmp_path, accepted(tmp_path)[:count], *SIGMA)
    assert done.returncode == 2
    assert f"{count} different references are given" in done.stderr
    assert "two or three tell too little" in done.stderr


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    paths = accepted(tmp_path)
    done = with_references(tmp_path, [*paths[:4], paths[0]], *SIGMA)
    assert "these references are the same file as another one, and count once: " in done.stderr
    assert len(read_log(tmp_path / "out")["reference"]["accepted"]) == 4
    done = with_references(tmp_path, [paths[0], paths[0]], *SIGMA)
    assert read_log(tmp_path / "out")["reference"]["accepted"] == []


def test_accepted_runs_must_agree_in_what_is_exact(tmp_path: Path) -> None:
    paths = accepted(tmp_path)
    record = json.loads(paths[3].read_text())
    record["datasets"][0]["probe"]["l2_norm"] *= 1.01
    paths[3].write_text(json.dumps(record))
    done = with_references(tmp_path, paths, *SIGMA)
    assert done.returncode == 2
    assert f"0.json and {paths[3]} differ in {NAME}:probe.l2_norm, which has no standard error" in done.stderr
    record["metadata"]["scenario_id"] = "OTHER"
    paths[3].write_text(json.dumps(record))
    assert "of different scenarios: UNKNOWN, OTHER" in with_references(tmp_path, paths, *SIGMA).stderr


def test_accepted_runs_in_the_table_and_in_pytest(pytester: pytest.Pytester, tmp_path: Path) -> None:
    paths = accepted(tmp_path)
    (tmp_path / "metrics.json").write_text(json.dumps({"psnr": [71.0, 142.0]}))
    assert with_references(tmp_path, paths[:1], "--compare", "statistics").returncode == 3
    pytester.path.joinpath("pyproject.toml").write_text(f"""[tool.d0parity.scenarios.UNKNOWN]
dataset_root = '{tmp_path / "data"}'
baseline_metrics = '{tmp_path / "metrics.json"}'
references = {[str(path) for path in paths]}
compare = "statistics"
thresholds = {{ "*" = "5sigma" }}
""")
    result = pytester.runpytest_subprocess("--parity-scenario=UNKNOWN", "--parity-output=out")
    assert result.ret == 0, result.stdout.str()
    assert len(read_log(pytester.path / "out")["reference"]["accepted"]) == 5
    result = pytester.runpytest_subprocess("--parity-scenario=UNKNOWN", "--parity-update-reference")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*several accepted runs are not written by --parity-update-reference*"])
