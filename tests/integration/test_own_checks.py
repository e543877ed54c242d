"""Checks of the users' own: fixtures, recorded values, and their comparison."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_d0parity.cli import main
from tests.support.command import LOG
from tests.support.parity import Parity

OK, FAILED = 0, 1
OF_NOTHING = ["file", "arrays", "raw", "normalized", "grouped", "photon_dose", "amplitude", "phase", "norm"]


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Any, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


def own(parity: Parity, *options: str, output: str = "out") -> pytest.RunResult:
    """Run the users' own checks and no others; what they say is in the log all the same."""
    return parity.run("-k", "not d0parity", *options, output=output)


def values(parity: Parity, output: str = "out") -> dict[str, Any]:
    return {check["id"]: check["values"] for check in parity.log(output)["checks"] if "d0parity::" not in check["id"]}


def moved(parity: Parity, edit: Any) -> str:
    log = parity.log()
    edit({check["id"]: check["values"] for check in log["checks"]})
    (parity.pytester.path / "moved.json").write_text(json.dumps(log))
    return "--parity-reference=moved.json"


CENTRED = """
    import numpy as np

    def centre(amplitude):
        y, x = np.indices(amplitude.shape)
        return (y * amplitude).sum() / amplitude.sum(), (x * amplitude).sum() / amplitude.sum()

    def test_probe_is_centred(parity_dataset, parity_record):
        intensity = abs(parity_dataset.load("probeGuess")) ** 2
        for axis, (found, length) in enumerate(zip(centre(intensity), intensity.shape)):
            offset = found - (length - 1) / 2
            parity_record(f"probe_offset.{axis}", offset, abs=0.05)
            assert abs(offset) < 2
"""


def test_a_value_lands_in_the_log_and_is_compared(parity: Parity) -> None:
    parity.pytester.makepyfile(test_probe=CENTRED)
    parity.run().assert_outcomes(passed=32)
    name = "test_probe.py::test_probe_is_centred[data_p1e6.npz]"
    (check,) = [check for check in parity.log()["checks"] if check["id"] == name]
    assert (check["dataset"], check["outcome"]) == ("data_p1e6.npz", "passed")
    assert set(check["values"]) == {"probe_offset.0", "probe_offset.1"}
    assert parity.run(f"--parity-reference=out/{LOG}", output="again").ret == OK
    assert parity.log("again")["verdict"] == "match"

    reference = moved(parity, lambda checks: checks[name].update({"probe_offset.0": 1.0}))
    result = parity.run(reference, output="drift")
    assert (result.ret, parity.log("drift")["verdict"]) == (FAILED, "drift")
    assert parity.failed("drift") == [name]
    (row,) = parity.log("drift")["drift"]
    assert (row["where"], row["threshold"]) == (f"{name}:probe_offset.0", "abs 0.05")
    result.stdout.fnmatch_lines(["1 value drifts from the reference moved.json", "probe_offset.0 *1 *"])
    assert parity.run(reference, "--parity-threshold=probe_offset:2", output="wide").ret == OK
    assert parity.log("wide")["verdict"] == "within_thresholds"
    # The thresholds that a check names are in the log, so that a comparison of two logs knows them.
    log = parity.log()
    for check in log["checks"]:
        if check["id"] == name:
            check["values"]["probe_offset.0"] += 0.04
    (parity.pytester.path / "near.json").write_text(json.dumps(log))
    assert main(["compare", "near.json", f"out/{LOG}"]) == OK
    assert parity.run(reference, "--parity-threshold=data_p1e4.npz:probe_offset:2", output="other").ret == FAILED


@pytest.mark.parametrize(
    ("arguments", "reference", "code"),
    [
        ("1.0", 1.0000001, OK),  # the default
        ("1.0", 1.00001, FAILED),
        ("1.0, rel=0.1", 1.05, OK),
        ("1.0, rel=0.1", 1.5, FAILED),
        ("1.0, abs=0.1, rel=0.5", 1.5, OK),
        ("3", 4, FAILED),
        ("3, abs=1", 4, OK),
        ("True", False, FAILED),
        ("None", None, OK),
        ("None", 0, FAILED),
        ("'text'", "other", FAILED),
        ("float('nan')", "NaN", OK),
        ("float('nan')", 1.0, FAILED),
        ("float('inf')", "Infinity", OK),
        ("10**30", 10**30, OK),
    ],
)
def test_how_values_are_compared(parity: Parity, arguments: str, reference: Any, code: int) -> None:
    parity.pytester.makepyfile(test_a=f"def test_it(parity_record): parity_record('x', {arguments})")
    own(parity)
    changed = moved(parity, lambda checks: checks["test_a.py::test_it"].update(x=reference))
    assert own(parity, changed, output="again").ret == code


def test_a_value_missing_on_either_side_is_drift(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 1.0)")
    own(parity)
    reference = moved(parity, lambda checks: checks["test_a.py::test_it"].update(y=1.0))
    assert own(parity, reference, output="a").ret == FAILED
    assert parity.log("a")["drift"][0]["where"] == "test_a.py::test_it:y"
    reference = moved(parity, lambda checks: checks["test_a.py::test_it"].pop("x"))
    result = own(parity, reference, output="b")
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["x *(missing) *1 *"])


def test_a_check_that_did_not_run_is_no_drift(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a="""
        import os, pytest
        @pytest.mark.skipif("WITHOUT" in os.environ, reason="no")
        def test_it(parity_record): parity_record('x', 1.0)
        """
    )
    parity.run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WITHOUT", "1")
        assert parity.run(f"--parity-reference=out/{LOG}", output="skipped").ret == OK
    assert parity.log("skipped")["verdict"] == "match"
    assert parity.log("skipped")["reference"]["left_out"] == ["test_a.py::test_it"]
    assert main(["compare", f"out/{LOG}", f"skipped/{LOG}"]) == OK
    (parity.pytester.path / "test_a.py").unlink()
    assert parity.run(f"--parity-reference=out/{LOG}", output="gone").ret == OK
    assert parity.log("gone")["verdict"] == "match"


def test_a_check_that_is_deselected_leaves_the_log_incomplete(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 1.0)")
    result = parity.run("--deselect=test_a.py::test_it")
    assert (result.ret, parity.log()["verdict"]) == (OK, "incomplete")
    assert parity.outcomes()["test_a.py::test_it"] == "not_run"


def test_numpy_values_become_plain_ones(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a="""
        import numpy as np
        def test_it(parity_record):
            parity_record("f", np.float32(0.5)); parity_record("i", np.int64(3)); parity_record("b", np.bool_(True))
            parity_record("zero-d", np.array(2.5)); parity_record("s", np.str_("x"))
            parity_record("nan", np.float64("nan"))
        """
    )
    assert own(parity).ret == OK
    assert values(parity) == {
        "test_a.py::test_it": {"f": 0.5, "i": 3, "b": True, "zero-d": 2.5, "s": "x", "nan": "NaN"}
    }


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("parity_record('x', [1])", "'x' is a list, which cannot be recorded"),
        ("parity_record('x', np.ones(3))", "'x' is an array of shape (3,)"),
        ("parity_record('x', 1j)", "'x' is a complex"),
        ("parity_record('x', object())", "'x' is a object"),
        ("parity_record('x', np.array(1j))", "'x' is a complex"),
        ("parity_record('x y', 1)", "'x y' is no name"),
        ("parity_record('x:y', 1)", "'x:y' is no name"),
        ("parity_record('', 1)", "'' is no name"),
        ("parity_record(3, 1)", "3 is no name"),
        ("parity_record('x', 1); parity_record('x', 2)", "'x' is recorded twice, as 1 and as 2"),
        ("parity_record('x', 1); parity_record('x', True)", "'x' is recorded twice, as 1 and as True"),
        ("parity_record('x', 1, rel='5%')", "rel = '5%' for 'x' is no limit"),
        ("parity_record('x', 10**5000)", "'x' is an integer beyond all floating numbers"),
        ("parity_record('x', 1, rel=-1)", "rel = -1 for 'x' is no limit"),
        ("parity_record('x', 1, abs=float('nan'))", "abs = nan for 'x' is no limit"),
    ],
)
def test_what_cannot_be_recorded_names_itself(parity: Parity, call: str, says: str) -> None:
    parity.pytester.makepyfile(test_a=f"import numpy as np\ndef test_it(parity_record): {call}")
    result = own(parity)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines([f"E *RecordError: {says.replace('[', '[[]')}*"])


def test_one_value_twice_is_recorded_once(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 1); parity_record('x', 1)")
    assert own(parity).ret == OK
    assert values(parity) == {"test_a.py::test_it": {"x": 1}}


def test_what_the_fixtures_give(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a=f"""
        import os
        import numpy as np, pytest

        @pytest.fixture(scope="session")
        def limit(parity_scenario, parity_params):
            return parity_params["N"]

        def test_scenario(parity_scenario, limit):
            assert parity_scenario.scenario_id == "T"
            assert limit == 64

        def test_params(parity_params):
            assert parity_params["gridsize"] == 1

        def test_dataset(parity_dataset):
            d = parity_dataset
            assert d.path == os.path.join({str(parity.root)!r}, d.filename)
            assert f"data_p{{d.photon_dose}}.npz" == d.filename
            assert d.size_bytes == os.path.getsize(d.path)
            loaded = d.load("diff3d")
            assert loaded.shape == d.arrays["diff3d"].shape == (20, 64, 64)
            assert np.array_equal(loaded, np.load(d.path)["diff3d"])
            assert d.stats.raw.max == loaded.max()
            assert d.photons.quantized
            assert d.probe.shape == (64, 64)
            assert len(d.sha256) == 64
            with pytest.raises(ValueError, match="there is no such array; there is: .*diff3d"):
                d.load("nothing")
            with pytest.raises(AttributeError):
                d.path = "other"
        """
    )
    own(parity).assert_outcomes(passed=4, deselected=30)


def test_an_unreadable_dataset_fails_the_users_check_in_words(parity: Parity) -> None:
    (parity.root / "data_p1e4.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    parity.pytester.makepyfile(test_a="def test_it(parity_dataset): pass")
    result = own(parity)
    result.assert_outcomes(passed=1, errors=1, deselected=30)
    result.stdout.fnmatch_lines(["data_p1e4.npz: it is a Git LFS pointer, not the data: run 'git lfs pull'"])
    assert "Traceback" not in result.stdout.str()


def test_bad_params_fail_the_users_check_in_words(parity: Parity) -> None:
    (parity.root / "params.dill").write_bytes(b"x")
    parity.pytester.makepyfile(test_a="def test_it(parity_params): pass")
    result = own(parity)
    result.assert_outcomes(errors=1, deselected=30)
    result.stdout.fnmatch_lines(["params file *params.dill cannot be read: *"])


def test_an_empty_sweep_skips_the_users_check(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_dataset): pass")
    own(parity, "--parity-dataset-root=.", "-rs").assert_outcomes(skipped=1, deselected=9 + len(OF_NOTHING))


def test_fixtures_beside_other_parameters_and_classes(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a="""
        import pytest, unittest
        class TestMany:
            @pytest.mark.parametrize("axis", [0, 1])
            def test_it(self, parity_dataset, axis, parity_record):
                parity_record("axis", axis)
        class TestOther(unittest.TestCase):
            def test_it(self): pass
        """
    )
    own(parity).assert_outcomes(passed=5, deselected=30)
    assert sorted(parity.outcomes())[-4:] == [
        f"test_a.py::TestMany::test_it[{name}-{axis}]" if first else f"test_a.py::TestMany::test_it[{axis}-{name}]"
        for first, name, axis in _order(parity)
    ]


def _order(parity: Parity) -> list[tuple[bool, str, int]]:
    first = any("test_it[data" in name for name in parity.outcomes())
    pairs = [(name, axis) for name in ("data_p1e4.npz", "data_p1e6.npz") for axis in (0, 1)]
    return [(first, *pair) for pair in (pairs if first else sorted(pairs, key=lambda pair: pair[1]))]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_integers_of_any_size_travel(parity: Parity, workers: list[str]) -> None:
    numbers = [-(2**31) - 1, -3_000_000_000, -(2**63), 2**31, 2**64, -(10**30), 10**300]
    parity.pytester.makepyfile(
        test_a=f"""
        import pytest
        @pytest.mark.parametrize("number", {numbers})
        def test_it(parity_record, number): parity_record("x", number)
        """
    )
    assert parity.run(*workers, "--junitxml=junit.xml", inprocess=False).ret == OK
    assert [recorded["x"] for recorded in values(parity).values()] == numbers
    assert parity.run(*workers, f"--parity-reference=out/{LOG}", output="again", inprocess=False).ret == OK


def test_a_value_that_comes_after_the_test_is_an_error(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a="""
        import pytest
        @pytest.fixture
        def late(parity_record):
            yield
            parity_record("late", 5)
        def test_it(late): pass
        """
    )
    result = own(parity)
    result.assert_outcomes(passed=1, errors=1, deselected=30)
    result.stdout.fnmatch_lines(["E *RecordError: 'late' comes too late to be compared*"])


def test_a_users_choice_of_datasets(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a="""
        import pytest
        @pytest.mark.parametrize("parity_dataset", ["data_p1e6.npz"], indirect=True)
        def test_it(parity_dataset, parity_record): parity_record("x", 1)
        """
    )
    own(parity).assert_outcomes(passed=1, deselected=30)
    assert parity.log()["checks"][-1]["dataset"] == "data_p1e6.npz"


def test_the_record_of_a_dataset_cannot_be_changed(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_dataset): parity_dataset.arrays.clear()")
    assert parity.run().ret == FAILED
    assert all(dataset["arrays"] for dataset in parity.log()["datasets"])


def test_a_check_that_records_nothing_any_more_drifts_in_the_log_as_well(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 1)")
    parity.run()
    parity.pytester.makepyfile(test_a="def test_it(): pass")
    result = parity.run(f"--parity-reference=out/{LOG}", output="again")
    assert (result.ret, parity.log("again")["verdict"]) == (FAILED, "drift")


def test_a_limit_is_for_the_value_that_it_was_given_for(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_a="def test_it(parity_record): parity_record('a.b', 0.0, abs=0.1); parity_record('a', 1.0, abs=100)"
    )
    own(parity)
    reference = moved(parity, lambda checks: checks["test_a.py::test_it"].update({"a.b": 50.0}))
    assert own(parity, reference, output="again").ret == FAILED


def test_the_trusted_side_decides_about_limits(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 50.0, abs=1e9)")
    parity.run()
    log = parity.log()
    (check,) = [check for check in log["checks"] if check["id"] == "test_a.py::test_it"]
    check.update(values={"x": 0.0}, limits={"x": {"abs": 0.1}})
    (parity.pytester.path / "strict.json").write_text(json.dumps(log))
    assert main(["compare", "strict.json", f"out/{LOG}"]) == 3


@pytest.mark.parametrize("limit", [{"abs": 10**400}, {"abs": "NaN"}, {"rel": -1}, 3, "5%", [], {"x": 1}])
def test_limits_in_a_log_that_are_none(parity: Parity, limit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 1.0, abs=1)")
    own(parity)
    log = parity.log()
    log["checks"][-1]["limits"] = {"x": limit}
    (parity.pytester.path / "odd.json").write_text(json.dumps(log))
    assert own(parity, "--parity-reference=odd.json", output="again").ret == 4
    assert main(["compare", "odd.json", f"out/{LOG}"]) == 1
    assert "limits" in capsys.readouterr().err


def test_an_infinite_limit_can_be_read_back(parity: Parity) -> None:
    parity.pytester.makepyfile(test_a="def test_it(parity_record): parity_record('x', 1.0, abs=float('inf'))")
    parity.run()
    assert parity.run(f"--parity-reference=out/{LOG}", output="again").ret == OK


@pytest.mark.parametrize("argument", ["1", "'nope.npz'"])
def test_something_else_in_place_of_a_dataset(parity: Parity, argument: str) -> None:
    parity.pytester.makepyfile(
        test_a=f"""
        import pytest
        @pytest.mark.parametrize("parity_dataset", [{argument}], indirect=True)
        def test_it(parity_dataset, parity_record): parity_record("x", 1)
        """
    )
    result = parity.run()
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["* is no dataset of the sweep; there is: data_p1e4.npz, data_p1e6.npz"])
    parity.pytester.makepyfile(
        test_a=f"""
        import pytest
        @pytest.mark.parametrize("parity_dataset", [{argument}])
        def test_it(parity_dataset, parity_record): parity_record("x", 1)
        """
    )
    assert parity.run().ret == OK


@pytest.mark.parametrize("ending", ["assert 0", "pytest.skip('no')"])
def test_a_drift_that_was_recorded_is_not_hidden(parity: Parity, ending: str) -> None:
    parity.pytester.makepyfile(
        test_a=f"""
        import pytest
        @pytest.mark.xfail
        def test_it(parity_record):
            parity_record("x", 1.0)
            {ending}
        """
    )
    parity.run()
    reference = moved(parity, lambda checks: checks["test_a.py::test_it"].update(x=50.0))
    assert parity.run(reference, output="again").ret == FAILED
    assert parity.log("again")["verdict"] == "drift"
    assert parity.log("again")["reference"]["left_out"] == []
