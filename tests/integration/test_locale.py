"""What is recorded does not depend on the locale: texts are texts, and names of files are their bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

from tests.support.command import COMMAND, LOG, read_log

TEXT = "Größe"
NAME = f"data_p1e5_{TEXT}.npz".encode()


@pytest.fixture(scope="module")
def latin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a locale in which names of files are ISO-8859-1."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not here")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", folder / "de_DE.ISO-8859-1"], capture_output=True, check=False
    )
    if not (folder / "de_DE.ISO-8859-1").exists():
        pytest.skip(f"localedef makes no locale: {made.stderr!r}")
    environment = os.environ | {"LOCPATH": str(folder), "LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0"}
    return {key: value for key, value in environment.items() if key != "PYTHONIOENCODING"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "sweep"
    root.mkdir()
    np.savez(root / "data_p1e5.npz", diff3d=np.eye(4)[None], note=np.array(TEXT), **{TEXT: np.arange(3)})
    os.rename(os.fsencode(root / "data_p1e5.npz"), os.fsencode(root) + b"/" + NAME)
    (root / "params.dill").write_bytes(dill.dumps({"N": 64, "label": TEXT, "nested": {TEXT: [TEXT]}}))
    return root


def run(*arguments: Any, env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [os.fsencode(each) for each in arguments], env=env, capture_output=True, check=False, timeout=120
    )
    said = (done.stdout + done.stderr).decode("latin-1")
    assert "Traceback" not in said
    return done.returncode, said


def test_a_locale_changes_nothing_that_is_compared(root: Path, tmp_path: Path, latin: dict[str, str]) -> None:
    log = [*COMMAND, "log", "--dataset-root", root, "--baseline-params", root / "params.dill", "--no-cache"]
    assert run(*log, "--output", tmp_path / "utf8", env=dict(os.environ))[0] == 0
    for options in ([], ["--limit-datasets", NAME]):
        code, said = run(
            *log, "--output", tmp_path / "latin", "--reference", tmp_path / "utf8" / LOG, *options, env=latin
        )
        assert (code, said) == (0, said)
        assert "match: " in said
    one, other = read_log(tmp_path / "utf8"), read_log(tmp_path / "latin")
    assert other["params"] == {"N": 64, "label": TEXT, f"nested.{TEXT}.0": TEXT}
    assert (other["datasets"][0]["filename"], other["datasets"][0]["arrays"]["note"]["text"]) == (NAME.decode(), TEXT)
    for key in ("filename", "sha256", "arrays", "stats", "problems"):
        assert one["datasets"][0][key] == other["datasets"][0][key]
    assert (tmp_path / "utf8" / "SHA256SUMS").read_bytes() == (tmp_path / "latin" / "SHA256SUMS").read_bytes()
    for more in ([], ["--measure"]):
        verify = [*COMMAND, "verify", tmp_path / "utf8" / LOG, "--dataset-root", root, "--output", tmp_path / "receipt"]
        code, said = run(*verify, *more, env=latin)
        assert (code, said) == (0, said)


def test_what_a_test_records_is_a_text(root: Path, tmp_path: Path, latin: dict[str, str]) -> None:
    os.rename(os.fsencode(root) + b"/" + NAME, root / "data_p1e5.npz")
    (tmp_path / "test_it.py").write_text(
        "def test_it(parity_record, parity_dataset):\n"
        f"    parity_record('label', '{TEXT}')\n"
        f"    assert len(parity_dataset.load('{TEXT}')) == 3\n",
        encoding="utf-8",
    )
    session = [COMMAND[0], "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", tmp_path, "--parity-scenario=A"]
    session += [f"--parity-dataset-root={root}", "-k", "test_it or test_arrays or test_params", tmp_path / "test_it.py"]
    for output, env, more in (
        ("utf8", dict(os.environ), []),
        ("latin", latin, [f"--parity-reference={tmp_path / 'utf8' / LOG}"]),
    ):
        code, said = run(*session, f"--parity-output={tmp_path / output}", *more, env=env)
        assert (code, said) == (0, said)
    log = read_log(tmp_path / "latin")
    assert log["drift"] == []
    (values,) = [check["values"] for check in log["checks"] if check["id"].startswith("test_it.py")]
    assert values == {"label": TEXT}
