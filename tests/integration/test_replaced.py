"""What a test replaces for itself changes no evidence; unittest's classes are told what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.parity import Parity

OK, FAILED = 0, 1


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


def evidence(parity: Parity, output: str = "out") -> Any:
    log = parity.log(output)
    return (
        log["params"],
        log["metrics"],
        log["datasets"],
        [check for check in log["checks"] if "own" not in check["id"]],
    )


MOCKED = """
    import builtins, io, os, pathlib
    import pytest

    def refuse(*args, **options):
        raise OSError("this test has no files")

    @pytest.fixture(autouse=True{scope})
    def no_files():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(builtins, "open", refuse)
            patch.setattr(io, "open", refuse)
            patch.setattr(os, "open", refuse)
            patch.setattr(os, "stat", refuse)
            patch.setattr(os, "lstat", refuse)
            patch.setattr(os.path, "exists", lambda path: False)
            yield
"""
FAKED = """
    import pytest

    @pytest.fixture(autouse=True)
    def faked(fs):
        yield
"""
CHANGED = """
    import os, random, warnings
    import numpy as np
    import pytest

    @pytest.fixture(autouse=True)
    def changed(monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TMPDIR", "/nowhere")
        monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
        monkeypatch.setattr(os, "getcwd", lambda: "/nowhere")
        warnings.simplefilter("error")
        with np.errstate(all="raise"), np.printoptions(precision=1):
            yield
"""
OWN = """
    def test_own(parity_dataset, parity_params, parity_record):
        parity_record("mean", parity_dataset.stats.raw.mean)
        parity_record("N", parity_params["N"])
"""


@pytest.mark.parametrize("options", [["-p", "no:xdist"], ["-n", "2"]])
@pytest.mark.parametrize("conftest", [MOCKED.format(scope=""), FAKED, CHANGED], ids=["mocked", "faked", "changed"])
def test_fixtures_of_a_test_change_no_evidence(parity: Parity, conftest: str, options: list[str]) -> None:
    parity.pytester.makepyfile(test_own=OWN)
    parity.run("-p", "no:xdist", output="plain", inprocess=False)
    parity.pytester.makeconftest(conftest)
    result = parity.run("-q", *options, inprocess=False)
    assert result.ret == OK, result.stdout.str()
    assert evidence(parity) == evidence(parity, "plain")


def test_what_is_replaced_for_longer_than_a_test_is_told(parity: Parity) -> None:
    parity.pytester.makepyfile(test_own=OWN)
    parity.pytester.makeconftest(MOCKED.format(scope=', scope="session"').replace("autouse=True", "autouse=False"))
    parity.pytester.makepyfile(
        test_a="""
        def test_a(no_files):
            pass
        """
    )
    result = parity.run("-q", "-p", "no:xdist", inprocess=False)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["*`open` is replaced*"])


def test_an_array_cannot_be_loaded_where_open_is_replaced(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_own="""
        import pytest
        from unittest.mock import patch, mock_open

        def test_own(parity_dataset):
            with patch("builtins.open", mock_open(read_data=b"no")):
                parity_dataset.load("diff3d")
        """
    )
    result = parity.run("-q", inprocess=False)
    result.stdout.fnmatch_lines(["*data_p1e4.npz:diff3d: `open` is replaced*"])


@pytest.mark.parametrize(
    "body",
    [
        "def test_own(self, parity_dataset): pass",
        "@pytest.fixture(autouse=True)\n"
        "            def use(self, parity_dataset): pass\n"
        "            def test_own(self): pass",
    ],
    ids=["argument", "fixture"],
)
def test_unittest_classes_are_told_what_to_do(parity: Parity, body: str) -> None:
    parity.pytester.makepyfile(
        test_own=f"""
        import unittest
        import pytest

        class TestOwn(unittest.TestCase):
            {body}
        """
    )
    result = parity.run("-q", inprocess=False)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["*unittest.TestCase*"])


def test_unittest_classes_can_record(parity: Parity) -> None:
    parity.pytester.makepyfile(
        test_own="""
        import unittest
        import pytest

        class TestOwn(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def use(self, parity_record, parity_params):
                self.parity_record, self.parity_params = parity_record, parity_params

            def test_own(self):
                self.parity_record("N", self.parity_params["N"])
        """
    )
    assert parity.run("-q", inprocess=False).ret == OK
    [check] = [check for check in parity.log()["checks"] if "test_own" in check["id"]]
    assert check["values"]
