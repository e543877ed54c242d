"""What a terminal, a digest and a CI system show of drift: grouped, told once, and as wide as there is room."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.command import LOG, d0parity
from tests.support.parity import Parity


def scale(path: Path, factor: float) -> None:
    """Multiply the amplitudes of a dataset."""
    with np.load(path) as npz:
        arrays = dict(npz)
    np.savez(path, **arrays | {"diff3d": arrays["diff3d"] * np.float32(factor)})


@pytest.fixture
def drifted(pair: Path, tmp_path: Path) -> Path:
    """The log of a sweep, and the sweep with one dataset scaled."""
    assert d0parity("log", "--dataset-root", pair, "--output", tmp_path / "reference").returncode == 0
    shutil.copytree(pair, tmp_path / "sweep")
    scale(tmp_path / "sweep" / "data_p1e4.npz", 1.5)
    return tmp_path


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_tables_fit_the_terminal_and_are_grouped_by_dataset(
    drifted: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = d0parity("compare", drifted / "reference", drifted / "sweep")
    assert done.returncode == 3
    table = done.stdout[done.stdout.index("value  ") :].partition("Within the thresholds:")[0]
    lines = [line for line in table.splitlines() if line]
    assert max(map(len, lines)) <= columns
    assert ("times allowed" in lines[0]) == (columns > 80)
    assert lines[1] == "data_p1e4.npz:"
    assert sum("data_p1e4.npz" in line for line in lines[:12]) == 1
    sums = re.findall(r"^  sha256 +([0-9a-f]+) +([0-9a-f]+) ", table, re.MULTILINE)
    assert [len(each) for each in sums[0]] == [12, 12]


def test_a_file_that_cannot_be_read_is_one_sentence(drifted: Path) -> None:
    path = drifted / "sweep" / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:5000])
    options = ["--dataset-root", drifted / "sweep", "--reference", drifted / "reference" / LOG]
    done = d0parity("log", *options, "--output", drifted / "out")
    assert done.returncode == 1
    assert "nothing in the file could be read here" in done.stdout
    assert re.search(
        r"^Not listed: \d{2,} values of what one side alone has, or could not be read\.$", done.stdout, re.MULTILINE
    )
    assert "raw.mean" not in done.stdout
    assert len(json.loads((drifted / "out" / LOG).read_bytes())["drift"]) > 50
    digest = (drifted / "out" / "dose_parity_log.md").read_text(encoding="utf-8")
    assert "data_p1e4.npz:raw.mean" not in digest


def test_the_digest_begins_with_what_matters(drifted: Path) -> None:
    options = ["--dataset-root", drifted / "sweep", "--reference", drifted / "reference" / LOG]
    assert d0parity("log", *options, "--output", drifted / "out").returncode == 3
    digest = (drifted / "out" / "dose_parity_log.md").read_text(encoding="utf-8")
    headings = re.findall(r"^##? .+$", digest, re.MULTILINE)
    assert headings[:3] == ["# D0 Parity Log", "## Verdict", "## Drift"]
    assert headings[-2:] == ["## Why This Log", "## How to Read These Numbers"]
    assert digest.index("every statistic of raw is the reference's times 1.5000") < 1500
    table = digest.partition("### Raw Diffraction of All Datasets\n\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| data_p1e4.npz", "| data_p1e6.npz"]
    assert "(dose_parity_report.html)" in digest


def annotated(result: pytest.RunResult) -> list[str]:
    return [line for line in result.stdout.str().splitlines() if line.startswith("::error")]


@pytest.mark.parametrize("in_ci", [False, True])  # there, pytest's short summary repeats each message whole
def test_rows_are_told_once_and_annotated_in_github_actions(
    parity: Parity, monkeypatch: pytest.MonkeyPatch, in_ci: bool
) -> None:
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    reference = parity.reference()
    scale(parity.root / "data_p1e4.npz", 1.5)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    said = parity.run(reference).stdout.str()
    assert said.count("raw.mean  ") == 1
    summary = said[said.index("= d0parity: T") :]
    assert "every statistic of raw is the reference's times 1.5000" in summary
    assert "raw.mean  " not in summary
    assert "::error" not in said
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    workers = ["-n1"] if in_ci else []
    first, *others = annotated(parity.run(reference, *workers))
    assert re.match(r"::error title=d0parity::drift: \d+ values differ from the reference ", first)
    assert "checks failed" in first
    assert "%0A1 of 2 datasets (data_p1e4.npz): every statistic of raw is the reference's times 1.5000" in first
    stage = "::error title=d0parity%3A%3Atest_stage[data_p1e4.npz-raw]::data_p1e4.npz: 6 values drift from "
    assert any(line.startswith(stage) for line in others)
    assert len(others) < 10


OWN_CHECKS = """
import pytest

def test_assert(parity_dataset):
    assert parity_dataset.filename == "50%", "50% of it\\nand more"

def test_setup(parity_dataset, no_such_fixture):
    pass

@pytest.fixture
def torn_down():
    yield
    assert False, "at the end"

def test_teardown(parity_params, torn_down):
    pass

def test_passes(parity_scenario):
    pass

def test_no_check():
    assert False
"""


@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_own_checks_are_annotated_and_one_file_is_told_of_once(
    parity: Parity, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    reference = parity.reference()
    parity.pytester.makepyfile(test_own=OWN_CHECKS)
    path = parity.root / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:-2000])
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    first, *others = annotated(parity.run(reference, *workers))
    assert first.startswith("::error title=d0parity::drift: 1 dataset of the reference ")
    assert "(data_p1e4.npz): nothing in the file could be read here" in first
    of_file = [path.name in name for name in parity.failed()].count(True)
    broken = f"::error title={of_file} checks of data_p1e4.npz::data_p1e4.npz: its zip directory cannot be read: "
    assert others.pop(0).startswith(broken)
    title = "title=test_own.py%3A%3Atest"
    assert others == [
        f"::error file=test_own.py,line=3,{title}_assert[data_p1e6.npz]::AssertionError: 50%25 of it",
        f"::error file=test_own.py,line=6,{title}_setup[data_p1e6.npz]::fixture 'no_such_fixture' not found",
        f"::error file=test_own.py,line=14,{title}_teardown::AssertionError: at the end",
    ]


RECORDING = """
def test_one(parity_dataset, parity_record):
    parity_record("mine", {value})

def test_two(parity_dataset, parity_record):
    parity_record("mine", {value})
"""


@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_each_check_of_what_drifts_has_its_annotation(
    parity: Parity, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    """Though several of one dataset say first that as many values drift."""
    own = parity.pytester.mkdir("sub") / "test_own.py"
    own.write_text(RECORDING.format(value=1))
    reference = parity.reference()
    own.write_text(RECORDING.format(value=2))
    scale(parity.root / "data_p1e4.npz", 1.02)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    _, *others = annotated(parity.run(reference, *workers, "-k", "p1e4 and not (stage or probe)"))
    of_ours = (
        ("file", "2 values drift", "sha256, size_bytes"),
        ("arrays", "1 value drifts", "arrays.diff3d.crc32"),
        ("photon_dose", "1 value drifts", "photons.quantum"),
    )
    of_user = ((2, "test_one"), (5, "test_two"))
    reason = f"from the reference reference/{LOG}%0Adrifted:"
    assert others == [
        *(
            f"::error title=d0parity%3A%3Atest_{kind}[data_p1e4.npz]::data_p1e4.npz: {count} {reason} {names}"
            for kind, count, names in of_ours
        ),
        *(
            f"::error file=sub/test_own.py,line={line},title=sub/test_own.py%3A%3A{name}[data_p1e4.npz]::"
            f"1 value drifts {reason} mine"
            for line, name in of_user
        ),
    ]


OF_ONE_TEXT = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_one(parity_dataset, n):
    assert False

def test_two(parity_dataset):
    assert False
"""


def test_own_checks_at_other_places_have_other_causes(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    parity.pytester.makepyfile(test_own=OF_ONE_TEXT)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    _, *others = annotated(parity.run("-k", "p1e4"))
    assert others == [
        "::error file=test_own.py,line=3,title=2 checks of data_p1e4.npz::assert False",
        "::error file=test_own.py,line=7,title=test_own.py%3A%3Atest_two[data_p1e4.npz]::assert False",
    ]


def test_the_first_annotation_tells_of_each_file(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = parity.reference()
    path = parity.root / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:-2000])
    scale(parity.root / "data_p1e6.npz", 1.02)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    verdict, *findings = annotated(parity.run(reference))[0].split("%0A")
    assert verdict.startswith("::error title=d0parity::drift: ")
    assert [line.partition(". Next: ")[0] for line in findings] == [
        "1 of 2 datasets (data_p1e4.npz): nothing in the file could be read here",
        "1 of 2 datasets (data_p1e6.npz): every statistic of raw is the reference's times 1.0200",
    ]


def test_the_first_annotation_tells_the_verdict_also_where_nothing_drifts(
    parity: Parity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of many annotations, GitHub shows ten."""
    reference = parity.reference()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert annotated(parity.run(reference)) == []
    assert annotated(parity.run(reference, "-k", "test_file")) == []  # incomplete, and meant
    own = "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_n(parity_scenario, n): assert n < 0"
    parity.pytester.makepyfile(test_own=own)
    told = annotated(parity.run(reference))
    assert "::match: every compared value equals the reference reference/dose_parity_log.json; 20 of" in told[0]
    assert told[9] == "::error file=test_own.py,line=2,title=test_own.py%3A%3Atest_n[8]::assert 8 < 0"
    assert len(told) == 10


def test_what_was_taken_away_is_the_first_annotation(parity: Parity, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = parity.reference()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    parity.pytester.makeconftest("def pytest_collection_modifyitems(items): del items[3:]")
    (told,) = annotated(parity.run(reference))
    assert told.startswith("::error title=d0parity::incomplete: not everything was compared with the reference ")
    assert re.search("%0Aparity is not shown, for d0parity::.* taken away, and not by you but by .*conftest.py", told)


@pytest.mark.parametrize("more", [[], ["-n1"], ["-k", "data_p1e4 or test_datasets"]])
def test_how_pixels_moved_is_told_by_pytest(parity: Parity, more: list[str]) -> None:
    reference = parity.reference()
    with np.load(parity.root / "data_p1e4.npz") as npz:
        arrays = dict(npz)
    np.savez(parity.root / "data_p1e4.npz", **arrays | {"diff3d": np.fft.fftshift(arrays["diff3d"], (1, 2))})
    said = " ".join(parity.run(reference, *more).stdout.str().split())
    assert "the mean pattern is the reference's, shifted by half a frame (fftshift)" in said


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


def test_checks_that_failed_for_another_reason_are_told_beside_a_match(
    parity: Parity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On every face: a red job has no green summary."""
    reference = parity.reference()
    parity.pytester.makepyfile(test_own="def test_bad(parity_dataset): assert False")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    result = parity.run(reference)
    assert result.ret == 1
    said = "every compared value equals the reference reference/dose_parity_log.json; 2 of 32 checks failed"
    assert said in result.stdout.str()
    folder = parity.pytester.path / "out"
    for face in (tmp_path / "summary.md", folder / "dose_parity_log.md", folder / "dose_parity_report.html"):
        assert "; 2 of 32 checks failed" in face.read_text(encoding="utf-8")
    page = (folder / "dose_parity_report.html").read_text(encoding="utf-8")
    assert "Look at the checks that failed." in page
    assert "Nothing: both sides hold the same values." not in page


def test_what_could_not_be_read_is_no_list_of_drift(parity: Parity) -> None:
    reference = parity.reference()
    path = parity.root / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:-2000])
    said = parity.run(reference).stdout.str()
    assert "drift: 1 dataset of the reference reference/dose_parity_log.json could not be read or measured here" in said
    assert "accept it with --parity-update-reference" not in said


def page_of(parity: Parity) -> str:
    return (parity.pytester.path / "out" / "dose_parity_report.html").read_text(encoding="utf-8")


def test_what_the_user_left_out_is_no_error(parity: Parity) -> None:
    result = parity.run(parity.reference(), "-k", "p1e4")
    assert (result.ret, parity.log()["verdict"]) == (0, "incomplete")
    (problem,) = parity.log()["problems"]
    assert (problem["severity"], problem["name"]) == ("warning", "unmeasured")
    assert problem["message"].startswith("you left these out: data_p1e6.npz; ")
    assert "error:" not in result.stdout.str()
    digest = (parity.pytester.path / "out" / "dose_parity_log.md").read_text(encoding="utf-8")
    assert "could not be read" not in digest.partition("## How to Read")[0]
    assert "Run everything that was planned" in page_of(parity)
    parity.run(parity.reference(), "--parity-limit-datasets=data_p1e4.npz")
    assert parity.log()["verdict"] == "match"
    assert "What was looked at is the same. Left out, as asked: 1 of what the reference holds." in page_of(parity)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--parity-dataset-root=nowhere", "error: dataset root nowhere does not exist; check the path"),
        ("--parity-datasets=*.h5", "matches *.h5"),
    ],
)
def test_a_mistyped_sweep_is_not_called_missing(parity: Parity, option: str, said: str) -> None:
    result = parity.run(parity.reference(), option)
    assert (result.ret, parity.log()["verdict"]) == (1, "incomplete")
    text = result.stdout.str()
    assert said in text
    for word in ("in the reference alone", "gone for good", "values differ"):
        assert word not in text
    assert parity.log()["reference"]["left_out"] == ["data_p1e4.npz", "data_p1e6.npz"]


def test_an_attachment_that_is_not_there_is_no_match(parity: Parity) -> None:
    result = parity.run(parity.reference(), "--parity-attach=model=nowhere.h5")
    assert (result.ret, parity.log()["verdict"]) == (1, "incomplete")
    options = ["--dataset-root", parity.root, "--reference", parity.pytester.path / "reference" / LOG]
    done = d0parity("log", *options, "--attach", "nowhere.h5", "--output", parity.pytester.path / "log")
    assert (done.returncode, done.stdout.partition(":")[0]) == (1, "incomplete")


def test_params_that_are_not_there_are_not_called_values_that_differ(parity: Parity) -> None:
    result = parity.run(parity.reference(), "--parity-baseline-params=nowhere.dill")
    assert (result.ret, parity.log()["verdict"]) == (1, "incomplete")
    said = (
        "so parity is not shown; params and metrics are not here, but in the reference reference/dose_parity_log.json; "
    )
    assert said in result.stdout.str()


def test_a_session_that_ends_early_says_so(parity: Parity) -> None:
    reference = parity.reference()
    scale(parity.root / "data_p1e4.npz", 2)
    parity.pytester.makepyfile(test_own="def test_bad(parity_params): assert False")
    said = parity.run(reference, "-x").stdout.str()
    assert "note: pytest ended early (stopping after 1 failures): what follows tells of a part alone" in said
    said = parity.run(reference, "-x", "-k", "p1e4").stdout.str()
    assert "the bytes of the file differ, and nothing else that was compared" not in said


def test_what_an_own_check_did_not_come_to_record(parity: Parity) -> None:
    """It is missing, and does not differ."""
    code = "def test_own(parity_record):\n    parity_record('first', 1.0)\n    assert {}\n"
    code += "    parity_record('second', 2.0)\n"
    parity.pytester.makepyfile(test_own=code.format("True"))
    reference = parity.reference()
    parity.pytester.makepyfile(test_own=code.format("False"))
    said = " ".join(parity.run(reference).stdout.str().split())
    assert "your own checks did not record test_own.py::test_own:second, which the reference has" in said
    assert "values of your own checks differ" not in said


def test_the_checks_of_a_new_dataset_are_not_called_different(parity: Parity) -> None:
    code = "def test_own(parity_dataset, parity_record):\n    parity_record('offset', 1.0)\n"
    parity.pytester.makepyfile(test_own=code)
    reference = parity.reference()
    shutil.copy(parity.root / "data_p1e4.npz", parity.root / "data_p1e5.npz")
    said = " ".join(parity.run(reference).stdout.str().split())
    assert "your own checks recorded test_own.py::test_own[data_p1e5.npz]:offset, which the reference does not" in said
    assert "values of your own checks differ" not in said


def test_what_could_not_be_read_is_no_drift_of_values_on_the_page(parity: Parity) -> None:
    reference = parity.reference()
    path = parity.root / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:5000])
    parity.run(reference)
    page = page_of(parity)
    (row,) = re.findall(r'<tr><th scope="row">data_p1e4.npz</th>(.*?)</tr>', page, re.DOTALL)
    assert row.count("not compared") == 6
    assert "2 drift" in row
    assert "If the change is meant" not in page
