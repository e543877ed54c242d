"""Why two logs differ: each rule on a pair that it is about, and its silence on pairs that look like it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_d0parity import Scenario, capture_evidence
from pytest_d0parity.comparison.comparator import Comparator
from pytest_d0parity.comparison.diagnosis.diagnose import diagnose
from pytest_d0parity.comparison.values import values_of
from pytest_d0parity.evidence.drift import Finding
from pytest_d0parity.evidence.file import LogFile
from pytest_d0parity.evidence.model import EvidenceLog
from pytest_d0parity.scenario.thresholds import parse_threshold
from pytest_d0parity.simulator import write_params

NAME = "data_p1e3.npz"
Arrays = dict[str, NDArray[Any]]


def arrays(seed: int = 0, noise: int = 0) -> Arrays:
    """A small measurement: square roots of counts, a probe, positions."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16] - 7.5
    brightness = 8 * np.exp(-(x**2 + (y - 2) ** 2) / 40) * (1 + 0.5 * rng.random((24, 16, 16)))
    counts = np.random.default_rng([seed, noise]).poisson(brightness)
    return {
        "diff3d": np.sqrt(counts / 1000).astype(np.float32),
        "probeGuess": np.exp(-(x**2 + y**2) / 30) * np.exp(1j * x / 5),
        "scan_index": np.zeros(24, np.int64),
        "xcoords": rng.uniform(0, 100, 24),
        "ycoords": rng.uniform(0, 100, 24),
        "objectGuess": rng.random((40, 40)) + 1j,
    }


def log_of(datasets: dict[str, Arrays], params: Callable[[str], None] | None = None) -> EvidenceLog:
    with TemporaryDirectory() as folder:
        for name, contents in datasets.items():
            np.savez(Path(folder, name), **contents)
        path = None
        if params is not None:
            params(path := str(Path(folder, "params.dill")))
        return capture_evidence(Scenario(dataset_root=folder, baseline_params=path))


def between(reference: EvidenceLog, log: EvidenceLog, *limits: str, level: Any = "bytes") -> tuple[Finding, ...]:
    file = LogFile("reference.json", "0" * 64, reference)
    comparator = Comparator.of(file, [parse_threshold(limit) for limit in limits], level)
    observed = values_of(log)
    return diagnose(comparator.values, observed, comparator.compare(observed))


def findings(before: Arrays, after: Arrays, *limits: str, level: Any = "bytes") -> tuple[Finding, ...]:
    return between(log_of({NAME: before}), log_of({NAME: after}), *limits, level=level)


def rules(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.root, finding.proof) for finding in found]


def changed(**changes: Callable[[NDArray[Any]], NDArray[Any]] | None) -> tuple[Arrays, Arrays]:
    before = arrays()
    after = {name: np.asarray(change(before[name])) for name, change in changes.items() if change is not None}
    kept = {name: array for name, array in before.items() if changes.get(name, array) is not None}
    return before, kept | after


def one_pixel(array: NDArray[Any], factor: float = 3.0) -> NDArray[Any]:
    array = array.copy()
    array[5, 8, 9] *= factor
    return array


# --- each rule ---------------------------------------------------------------------------------


RULES = [
    ({"diff3d": lambda a: a * np.float32(328.7)}, "patterns", "factor", "is the reference's times 328.70"),
    ({"diff3d": lambda a: a / a.max()}, "patterns", "factor", "which is 1 / the reference's maximum"),
    ({"diff3d": lambda a: a * np.float32(1000**0.5)}, "patterns", "factor", "which is sqrt(dose) of 1000 photons"),
    ({"diff3d": lambda a: a**2}, "patterns", "square", "squares of the reference's: intensities here"),
    ({"diff3d": lambda a: 1000 * a**2}, "patterns", "square", "squares of the reference's but for a factor"),
    ({"diff3d": np.sqrt}, "patterns", "square", "square roots of the reference's: amplitudes here"),
    ({"diff3d": lambda a: a.astype(np.float64)}, "patterns", "precision", "the same values in another precision"),
    (
        {"diff3d": lambda a: a.astype(np.float16)},
        "patterns",
        "precision",
        "every statistic agrees to float16's precision",
    ),
    ({"diff3d": lambda a: a[::-1]}, "patterns", "frame_order", "the same frames in another order"),
    ({"diff3d": lambda a: a[:, ::-1]}, "patterns", "pixels_moved", "pixels moved within their frames"),
    ({"diff3d": lambda a: a.transpose(0, 2, 1)}, "patterns", "pixels_moved", "pixels moved within their frames"),
    ({"diff3d": lambda a: np.fft.fftshift(a, (1, 2))}, "patterns", "pixels_moved", "pixels moved within their frames"),
    ({"diff3d": lambda a: a[..., None]}, "patterns", "shape", "24x16x16x1 here, 24x16x16 in the reference"),
    ({"diff3d": one_pixel}, "patterns", "changed", "the patterns differ; largest change raw."),
    ({"diff3d": lambda a: a * np.float32(1.0000001)}, "patterns", "within_thresholds", "nothing more can be said"),
    ({"probeGuess": lambda a: 2 * a}, "probe", "factor", "the amplitude of the probe is the reference's times 2.0000"),
    ({"probeGuess": lambda a: a[None]}, "probe", "shape", "the probe has shape 1x16x16, the reference's 16x16"),
    ({"probeGuess": lambda a: np.roll(a, 3, 1)}, "probe", "within_thresholds", "as after a shift or a turn: the page"),
    ({"probeGuess": lambda a: a + 0.1}, "probe", "changed", "the probe differs; largest change probe."),
    ({"scan_index": lambda a: a.astype("i4")}, "scan_index", "dtype", "scan_index is int32, the reference's int64"),
    ({"scan_index": lambda a: np.arange(24) % 3}, "scan_index", "scans", "scan_index names 3 scans, the reference's 1"),
    ({"scan_index": lambda a: a + 7}, "scan_index", "within_thresholds", "scan_index differs in its bytes"),
    ({"xcoords": lambda a: -a}, "arrays", "sign", "the sign of xcoords is turned"),
    ({"xcoords": lambda a: a + 1e-12}, "arrays", "within_thresholds", "differ by 1e-12 at most"),
    ({"xcoords": lambda a: a[::-1]}, "arrays", "within_thresholds", "or stand in another order"),
    ({"xcoords": lambda a: a[:-1]}, "arrays", "shape", "xcoords has shape 23, the reference's 24"),
    ({"xcoords": lambda a: 2 * a}, "arrays", "factor", "every statistic of xcoords is the reference's times 2.0000"),
    (
        {"objectGuess": lambda a: a + 0.5},
        "arrays",
        "changed",
        "objectGuess differs; largest change arrays.",
    ),
    ({"objectGuess": None}, "arrays", "one_side", "these arrays are in the reference alone: objectGuess"),
]


@pytest.mark.parametrize(("changes", "root", "rule", "says"), RULES)
@pytest.mark.parametrize("level", ["bytes", "statistics"])
def test_a_change_is_named(changes: dict[str, Any], root: str, rule: str, says: str, level: str) -> None:
    (finding,) = findings(*changed(**changes), level=level)
    assert (finding.root, finding.proof, finding.datasets) == (root, rule, (NAME,))
    assert says in finding.sentence


def test_each_root_is_told_by_itself() -> None:
    found = findings(*changed(diff3d=np.zeros_like, probeGuess=lambda a: a + 1, xcoords=lambda a: -a))
    assert rules(found) == [("patterns", "changed"), ("probe", "changed"), ("arrays", "sign")]
    assert "raw." in found[0].sentence
    before, after = changed(probeGuess=lambda a: a + 1, objectGuess=lambda a: a + 1)
    assert rules(findings(before, after)) == [("probe", "changed"), ("arrays", "changed")]


def test_swapped_arrays() -> None:
    before = arrays()
    before |= {"xcoords_start": before["xcoords"], "ycoords_start": before["ycoords"]}
    after = before | {"xcoords": before["ycoords"], "ycoords": before["xcoords"]}
    (finding,) = findings(before, after)
    assert (finding.proof, finding.sentence) == ("swapped_arrays", "xcoords and ycoords are swapped")
    after |= {"xcoords_start": before["ycoords"], "ycoords_start": before["xcoords"]}
    assert [finding.sentence for finding in findings(before, after)] == [
        "xcoords and ycoords are swapped",
        "xcoords_start and ycoords_start are swapped",
    ]


def test_where_several_arrays_are_the_same_x_belongs_to_y() -> None:
    before = arrays()
    x, y = before.pop("xcoords"), before.pop("ycoords")
    found = findings(
        before | {"xcoords": x, "between": y, "ycoords": y}, before | {"xcoords": y, "between": x, "ycoords": x}
    )
    assert "xcoords and ycoords are swapped" in [finding.sentence for finding in found]


@pytest.mark.parametrize(("frames", "rule"), [(512, "changed"), (513, "frame_order")])
def test_frames_in_another_order_have_one_centre_where_all_are_looked_at(frames: int, rule: str) -> None:
    """A frame turned round has the same fingerprint: of up to 512 frames, the centre of the mean tells it."""
    before = arrays()
    rng = np.random.default_rng(1)
    stack = np.sqrt(rng.poisson(3, (frames, 4, 4)) * np.arange(1, 5) / 1000).astype(np.float32)
    before |= {"diff3d": stack, "scan_index": np.zeros(frames, np.int64)}
    before |= {name: np.resize(before[name], frames) for name in ("xcoords", "ycoords")}
    found = rules(findings(before, before | {"diff3d": stack[::-1, ::-1, ::-1]}))
    assert [proof for root, proof in found if root == "patterns"] == [rule]


def test_fewer_frames_are_told_where_both_sides_count_them() -> None:
    log, other = log_of({NAME: arrays()}), log_of({NAME: arrays(noise=1)})
    (dataset,) = log.datasets
    uncounted = replace(log, datasets=(replace(dataset, frames=None),))
    for pair in ((uncounted, other), (other, uncounted)):
        assert ("patterns", "frames") not in rules(between(*pair))


@pytest.mark.parametrize("seed", range(4))
def test_values_below_the_smallest_normal_float32_are_the_same_to_its_precision(seed: int) -> None:
    """There, neighbours are a fixed distance apart, and not a share of the value."""
    before = arrays()
    before["diff3d"] = np.random.default_rng(seed).uniform(1, 8, before["diff3d"].shape) * 2.0**-132
    after = before | {"diff3d": before["diff3d"].astype(np.float32)}
    assert rules(findings(before, after)) == [("patterns", "precision")]
    coarser = np.round(before["diff3d"] / 2.0**-148) * 2.0**-148  # twice the distance
    assert ("patterns", "precision") not in rules(findings(before, before | {"diff3d": coarser.astype(np.float32)}))


def test_a_factor_that_a_recorded_value_explains() -> None:
    def params(path: str) -> None:
        write_params(path, 24)

    before, after = changed(diff3d=lambda a: a * np.float32(np.sqrt(1e9) / 32))
    (finding,) = between(log_of({NAME: before}, params), log_of({NAME: after}, params))
    assert finding.sentence.endswith("times 988.21, which is intensity_scale")
    assert finding.advice == "divide diff3d by 988.21, or find the step that scales it"


def test_frames_that_are_missing() -> None:
    before = arrays()
    after = before | {name: before[name][:10] for name in ("diff3d", "scan_index", "xcoords", "ycoords")}
    first, *others = findings(before, after)
    assert (first.proof, first.sentence) == ("frames", "10 frames, the reference has 24")
    assert {finding.proof for finding in others} <= {"shape", "within_thresholds"}


def test_metadata_params_and_metrics() -> None:
    def metadata(nphotons: float) -> NDArray[Any]:
        return np.array(json.dumps({"physics": {"nphotons": nphotons}}), dtype=object)

    (finding,) = findings(arrays() | {"_metadata": metadata(1e5)}, arrays() | {"_metadata": metadata(1e9)})
    assert (finding.root, finding.sentence) == (
        "metadata",
        "its metadata differ: physics.nphotons (100000 -> 1e+09 (+1e+06 %))",
    )
    log = log_of({NAME: arrays()}, lambda path: write_params(path, 24))
    other = replace(log, metrics=log.metrics | {"psnr": (70.0, 158.1)})
    (finding,) = between(log, other)
    assert (finding.root, finding.datasets) == ("metrics", ())
    assert finding.sentence == "1 metric differs: psnr.train (71.3 -> 70 (-1.82 %))"


def test_files_that_are_swapped_or_renamed() -> None:
    one, two, three = (arrays(seed) for seed in range(3))
    reference = log_of({"data_p1e3.npz": one, "data_p1e4.npz": two, "data_p1e5.npz": three})
    (finding,) = between(reference, log_of({"data_p1e3.npz": two, "data_p1e4.npz": one, "data_p1e5.npz": three}))
    assert (finding.root, finding.proof) == ("files", "swapped_files")
    assert (finding.sentence, finding.advice) == (
        "data_p1e3.npz and data_p1e4.npz are swapped",
        "rename these two files",
    )
    found = between(reference, log_of({"data_p1e3.npz": two, "data_p1e4.npz": two, "data_p1e5.npz": three}))
    assert [finding.sentence for finding in found] == ["data_p1e3.npz is the reference's data_p1e4.npz"]
    assert found[0].advice == "ask for data_p1e3.npz"  # data_p1e4.npz is there
    found = between(reference, log_of({"data_p1e3.npz": one, "data_p1e4.npz": two, "data_p1e6.npz": three}))
    assert rules(found)[0] == ("files", "renamed_file")
    assert found[0].sentence == "data_p1e6.npz is the reference's data_p1e5.npz"
    assert (found[0].advice, found[1:]) == ("rename it to data_p1e5.npz", ())


def test_the_same_bytes_and_another_value() -> None:
    log = log_of({NAME: arrays()})
    (dataset,) = log.datasets
    assert dataset.stats.normalized is not None
    stats = replace(dataset.stats, normalized=replace(dataset.stats.normalized, mean=0.5))
    (finding,) = between(log, replace(log, datasets=(replace(dataset, stats=stats),)))
    assert (finding.root, finding.proof) == ("files", "same_bytes")
    assert "the log, the layout or the way of measuring differs, not the data (normalized.mean)" in finding.sentence
    assert finding.advice == "measure both again, with the same version"


@pytest.mark.parametrize(
    ("array", "root", "says"),
    [
        ("diff3d", "patterns", "could not be measured here"),
        ("scan_index", "scan_index", "is not here, or could not be measured"),
        ("probeGuess", "probe", "is not here, or could not be measured"),
        ("xcoords", "arrays", "something in the file could not be read here, and xcoords was not measured"),
    ],
)
def test_a_file_that_is_damaged(array: str, root: str, says: str) -> None:
    before = arrays()
    with TemporaryDirectory() as folder:
        np.savez(Path(folder, NAME), **before)
        content = bytearray(Path(folder, NAME).read_bytes())
        content[content.index(f"{array}.npy".encode()) + 200] ^= 1
        Path(folder, NAME).write_bytes(content)
        log = capture_evidence(Scenario(dataset_root=folder))
    (finding,) = between(log_of({NAME: before}), log)
    assert (finding.root, finding.proof) == (root, "missing")
    assert says in finding.sentence
    assert "ask for it again" in finding.advice


@pytest.mark.parametrize(
    ("group", "value", "root"),
    [("raw", "mean", "patterns"), ("normalized", "std", "patterns"), ("grouped", "mean", "scan_index")],
)
def test_the_same_arrays_in_another_file_and_another_value(group: str, value: str, root: str) -> None:
    log = log_of({NAME: arrays()})
    (dataset,) = log.datasets
    stats = replace(dataset.stats, **{group: replace(getattr(dataset.stats, group), **{value: 0.5})})
    packed = replace(dataset, sha256="1" * 64, stats=stats)
    (finding,) = between(log, replace(log, datasets=(packed,)))
    assert (finding.root, finding.proof) == (root, "same_bytes")
    assert f"differs, not the data ({group}.{value})" in finding.sentence


def test_several_datasets_are_told_at_once() -> None:
    names = [f"data_p{dose}.npz" for dose in ("1e3", "1e4", "1e5")]
    before = {name: arrays(seed) for seed, name in enumerate(names)}
    reference = log_of(before)
    doubled = {name: content | {"diff3d": content["diff3d"] * 2} for name, content in before.items()}
    (finding,) = between(reference, log_of(doubled))
    assert (finding.proof, finding.datasets) == ("factor", tuple(names))
    spots = {
        name: before[name] | {"diff3d": one_pixel(before[name]["diff3d"], 2.0 + at)} for at, name in enumerate(names)
    }
    (finding,) = between(reference, log_of(spots))
    assert (finding.proof, finding.datasets) == ("changed", tuple(names))


def test_one_sentence_is_only_for_datasets_of_which_it_is_true() -> None:
    names = "data_p1e3.npz", "data_p1e4.npz"
    before = {name: arrays(seed) for seed, name in enumerate(names)}
    other = {
        name: before[name] | {array: before[name][array] + 5}
        for name, array in zip(names, ("xcoords", "objectGuess"), strict=True)
    }
    found = between(log_of(before), log_of(other))
    assert [(each.datasets, each.sentence.partition(" ")[0]) for each in found] == [
        (names[:1], "xcoords"),
        (names[1:], "objectGuess"),
    ]
    spots = {
        name: before[name] | {"probeGuess": before[name]["probeGuess"] + 1.0 + at} for at, name in enumerate(names)
    }
    (finding,) = between(log_of(before), log_of(spots))
    assert finding.datasets == names
    assert finding.sentence.endswith(", in data_p1e4.npz")


def test_an_array_that_was_not_measured_is_told_apart() -> None:
    before = arrays() | {"large": np.zeros(2_100_000)}
    after = before | {"xcoords": before["xcoords"] + 1e-12, "large": np.ones(2_100_000)}
    assert [finding.sentence for finding in findings(before, after)] == [
        "xcoords differs in its bytes; min, max, mean and std differ by 1e-12 at most, within their thresholds",
        "large differs in its bytes, and it was not measured: nothing more can be said",
    ]


@pytest.mark.parametrize(
    ("array", "groups", "root"),
    [
        ("diff3d", ("raw", "normalized", "grouped", "photons", "pattern"), "patterns"),
        ("probeGuess", ("probe",), "probe"),
        ("xcoords", ("arrays.xcoords",), "arrays"),
    ],
)
def test_what_was_not_compared_agrees_in_nothing(array: str, groups: tuple[str, ...], root: str) -> None:
    endings = ("min", "max", "mean", "std") if array == "xcoords" else ("*",)
    limits = [f"{group}.{ending}:ignore" for group in groups for ending in endings]
    (finding,) = findings(*changed(**{array: lambda a: a + a.dtype.type(1)}), *limits)
    assert (finding.root, finding.proof) == (root, "within_thresholds")
    assert "not all statistics were compared, and nothing more can be said" in finding.sentence


def test_the_largest_change_is_the_largest_share() -> None:
    before, after = changed(diff3d=lambda a: np.where(a == 0, np.float32(1e-4), a * np.float32(1.5)))
    (finding,) = findings(before, after)
    assert "largest change raw.min" not in finding.sentence
    assert "(+50 %)" in finding.sentence


def test_the_first_axis_of_another_layout_counts_no_frames() -> None:
    before = arrays()
    reference = log_of({NAME: before | {"diff3d": np.ascontiguousarray(before["diff3d"].transpose(1, 2, 0))}})
    (dataset,) = reference.datasets
    reference = replace(reference, schema_version=3, datasets=(replace(dataset, frames=None),))  # type: ignore[arg-type]
    assert "frames" not in [finding.proof for finding in between(reference, log_of({NAME: before}))]


def test_without_checksums_in_the_reference_nothing_is_called_repacked() -> None:
    before, after = changed(xcoords=lambda a: a[::-1])
    reference = log_of({NAME: before})
    (dataset,) = reference.datasets
    old = {name: replace(array, crc32=None) for name, array in dataset.arrays.items()}
    reference = replace(reference, schema_version=0, datasets=(replace(dataset, arrays=old, frames=None),))  # type: ignore[arg-type]
    assert rules(between(reference, log_of({NAME: after}))) == [("files", "bytes")]


def test_an_older_log_proves_less() -> None:
    before, after = changed(diff3d=lambda a: a[::-1])
    reference = replace(log_of({NAME: before}), schema_version=3)  # type: ignore[arg-type]
    (dataset,) = reference.datasets
    reference = replace(reference, datasets=(replace(dataset, frames=None),))
    assert rules(between(reference, log_of({NAME: after}))) == [("patterns", "within_thresholds")]


def test_nothing_is_said_of_what_is_the_same() -> None:
    assert findings(arrays(), arrays()) == ()


# --- silence: what looks like a rule, and is none -------------------------------------------------


def spoiled(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda array: one_pixel(change(array), 1.7)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a * np.float32(2),
        lambda a: a**2,
        np.sqrt,
        lambda a: a.astype(np.float64),
        lambda a: a.astype(np.float16),
        lambda a: a[::-1],
        lambda a: a[:, ::-1],
    ],
)
def test_with_one_other_pixel_no_rule_speaks(change: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    assert rules(findings(*changed(diff3d=spoiled(change)))) == [("patterns", "changed")]


def middle_pixel(array: NDArray[Any]) -> NDArray[Any]:
    """Change a value that is no extreme, and moves no percentile."""
    array = array.copy()
    middle = np.median(array[array > 0])
    array.flat[np.flatnonzero(array == middle)[0]] = middle * array.dtype.type(1.2)
    return array


@pytest.mark.parametrize("dtype", ["f2", "f8"])
def test_another_precision_and_one_other_value(dtype: str) -> None:
    found = findings(*changed(diff3d=lambda a: middle_pixel(a).astype(dtype)))
    if dtype == "f8":
        assert rules(found) == [("patterns", "changed")]
    else:  # float16 cannot tell
        assert "every statistic agrees" in found[0].sentence


def test_frames_in_another_order_and_flipped() -> None:
    assert rules(findings(*changed(diff3d=lambda a: a[::-1, ::-1]))) == [("patterns", "changed")]


def test_a_sign_is_not_turned_where_other_values_are() -> None:
    values = np.repeat([-1.0, 1, 3, 5, 6, 10, 0, 0], 3)
    other = -values
    other[[9, 12]] += 2, -2
    before = arrays() | {"xcoords": values}
    assert rules(findings(before, before | {"xcoords": other})) == [("arrays", "changed")]


def test_a_power_is_no_square() -> None:
    assert rules(findings(*changed(diff3d=lambda a: a**1.9))) == [("patterns", "changed")]
    assert rules(findings(*changed(diff3d=lambda a: a**2 + np.float32(0.01)))) == [("patterns", "changed")]


def test_an_offset_is_no_factor() -> None:
    assert rules(findings(*changed(diff3d=lambda a: a + np.float32(0.01)))) == [("patterns", "changed")]


def test_a_symmetric_array_has_no_sign() -> None:
    values = np.concatenate([np.arange(12.0), -np.arange(12.0)])
    before = arrays() | {"xcoords": values}
    assert rules(findings(before, before | {"xcoords": -values})) == [("arrays", "within_thresholds")]


def test_redrawn_photons_are_nothing_else() -> None:
    before, after = arrays(), arrays(noise=1)
    assert rules(findings(before, after)) == [("patterns", "changed")]
    assert rules(findings(before, after, "*:inf", level="statistics")) == [("patterns", "within_thresholds")]


# --- any known change names itself or nothing -------------------------------------------------------


Change = tuple[Arrays, set[tuple[str, str]]]
PLAIN = {("patterns", "changed"), ("patterns", "within_thresholds")}
SYMMETRIES: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
    (lambda a, turns=turns, flip=flip: np.rot90(a[:, ::-1] if flip else a, turns, (1, 2)))  # type: ignore[misc]
    for turns in range(4)
    for flip in (False, True)
]


def changes(before: Arrays, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Change:
    stack = before["diff3d"]

    def of_patterns(array: NDArray[Any], *named: str) -> Change:
        return before | {"diff3d": array}, PLAIN | {("patterns", rule) for rule in named}

    match draw(st.sampled_from(sorted(KINDS))):
        case "factor":
            return of_patterns((stack * draw(st.floats(1e-3, 1e3))).astype(stack.dtype), "factor")
        case "square":
            return of_patterns(stack ** draw(st.sampled_from([0.5, 2.0])), "square")
        case "cast":
            return of_patterns(stack.astype(draw(st.sampled_from(["f2", "f8"]))), "precision")
        case "frames":
            return of_patterns(stack[draw(st.permutations(range(len(stack))))], "frame_order")
        case "symmetry":
            return of_patterns(draw(st.sampled_from(SYMMETRIES))(stack), "pixels_moved")
        case "fftshift":
            return of_patterns(np.fft.fftshift(stack, draw(st.sampled_from([(1,), (2,), (1, 2)]))), "pixels_moved")
        case "pixel":
            other = stack.copy()
            where = tuple(draw(st.integers(0, length - 1)) for length in stack.shape)
            other[where] += np.float32(draw(st.floats(-1, 1, width=32)))
            return of_patterns(other)
        case "subset":
            kept = np.sort(draw(st.permutations(range(len(stack))))[: draw(st.integers(2, len(stack) - 1))])
            parts = {name: before[name][kept] for name in ("diff3d", "scan_index", "xcoords", "ycoords")}
            others = {("scan_index", "within_thresholds"), ("arrays", "shape")}
            return before | parts, {("patterns", "frames")} | others
        case "swap":
            swapped = {"xcoords": before["ycoords"], "ycoords": before["xcoords"]}
            return before | swapped, {("arrays", "swapped_arrays")}
    return before | {"xcoords": -before["xcoords"]}, {("arrays", "sign")}


KINDS = {"factor", "square", "cast", "frames", "symmetry", "fftshift", "pixel", "subset", "swap", "sign"}


@settings(max_examples=60)
@given(st.data(), st.integers(0, 5), st.sampled_from(["bytes", "statistics"]))
def test_a_known_change_is_named_or_nothing_is(data: st.DataObject, seed: int, level: str) -> None:
    before = arrays(seed)
    after, allowed = changes(before, data.draw)
    assert set(rules(findings(before, after, level=level))) <= allowed


def stacks() -> Iterator[NDArray[Any]]:
    rng = np.random.default_rng(1)
    yield np.zeros((24, 16, 16), np.float32)
    yield np.ones((24, 16, 16), np.float32)
    yield (rng.random((24, 16, 16)) < 0.1).astype(np.float32)
    yield rng.normal(size=(24, 16, 16))


@pytest.mark.parametrize("stack", [*stacks()])
@settings(max_examples=25)
@given(data=st.data())
def test_that_holds_of_odd_patterns_too(stack: NDArray[Any], data: st.DataObject) -> None:
    before = arrays() | {"diff3d": stack}
    with np.errstate(all="ignore"):
        after, allowed = changes(before, data.draw)
        found = findings(before, after)
    named = set(rules(found))
    # The square of zeros and ones is they themselves, and that of twice as much is four times as much.
    also = ("factor", "frame_order", "missing", "not_finite")  # as the roots of negative values are not
    assert named <= allowed | {("patterns", rule) for rule in also}
