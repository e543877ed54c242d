"""What the README shows, tried."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pytest_d0parity.options import OPTIONS

from .parity import Parity

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_check_of_ones_own(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parity = Parity(pytester, pair, tmp_path_factory.mktemp("root"))
    (example,) = [block for block in blocks("python") if "parity_record" in block]
    pytester.makepyfile(test_example=example)
    assert parity.run().ret == 0
    checks = {check["id"]: check["values"] for check in parity.log()["checks"]}
    assert checks["test_example.py::test_probe_is_centred[data_p1e6.npz]"].keys() == {
        "probe_offset.0",
        "probe_offset.1",
    }


def test_the_table_of_the_project(pytester: pytest.Pytester) -> None:
    from pytest_d0parity.project import find_project

    (example,) = blocks("toml")
    tomllib.loads(example)
    (pytester.path / "pyproject.toml").write_text(example)
    project = find_project(str(pytester.path))
    assert project.scenarios["PGRID-20250826-P1E5-T1024"].reference == "parity/reference.json"
    assert len(project.thresholds) == 3


def test_every_option_is_described() -> None:
    text = README.read_text(encoding="utf-8")
    for name in OPTIONS:
        assert f"--{name.replace('_', '-')}" in text
        assert f"--parity-{name.replace('_', '-')}" in text
