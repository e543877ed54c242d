"""``d0parity bundle``: bags that others can check."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bagit
import numpy as np
import pytest

from pytest_d0parity.util.runtime import Interruption
from tests.support.bundles import BASE, MANIFESTS, bagit_says, bundle, leftovers, sha256sum_says
from tests.support.command import COMMAND, LOG, d0parity
from tests.support.handover import edit, outcomes
from tests.support.parity import PAGE
from tests.support.processes import started, wait_for


def test_a_bag_that_everybody_can_check(bag: Path, verify: Any) -> None:
    assert {str(path.relative_to(bag)) for path in bag.rglob("*") if path.is_file()} == {
        "README.md",
        "bag-info.txt",
        "bagit.txt",
        *MANIFESTS,
        "data/dose_parity_log.json",
        "data/dose_parity_log.md",
        f"data/{PAGE}",
        "data/pictures.npz",
        "data/probe_stats.csv",
        "data/stage_stats.csv",
        "data/SHA256SUMS",
        "data/params.dill",
        "data/datasets/data_p1e4.npz",
        "data/datasets/data_p1e6.npz",
    }
    code, said = bagit_says(bag)
    assert (code, "is valid" in said) == (0, True)
    assert sha256sum_says(bag) == (0, "")
    code, _, receipt = verify(log="bag")
    assert (code, set(outcomes(receipt).values())) == (0, {"same"})
    assert receipt["log"]["path"] == "bag/data/dose_parity_log.json"
    assert set(outcomes(receipt)) == {str(path.relative_to(bag)) for path in bag.rglob("*") if path.is_file()} - {
        "tagmanifest-sha256.txt"
    }
    info = bagit.Bag(str(bag)).info
    assert info["External-Identifier"] == "T"
    assert info["Bagging-Date"] == json.loads((bag / "data" / LOG).read_bytes())["metadata"]["timestamp"][:10]
    assert (bag / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def test_its_readme_says_how_to_check_it(bag: Path) -> None:
    text = (bag / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((bag / "data" / LOG).read_bytes()).hexdigest() in text
    commands = [line.strip() for line in text.splitlines() if line.startswith("       ")]
    assert [command.split()[0] for command in commands] == ["d0parity", "sha256sum"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            command.split(), cwd=bag, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert (bag.parent / "receipt" / "dose_parity_receipt.json").exists()
    assert bagit_says(bag)[0] == 0


def test_the_same_input_gives_the_same_tar(tar: Path, here: Path) -> None:
    (here / "else").mkdir()
    shutil.copytree(here / "sweep", here / "else" / "data")
    shutil.copytree(here / "parity", here / "else" / "log")
    for path in (here / "else" / "data").iterdir():
        path.chmod(0o600)
        os.utime(path, (0, 0))
    options = ("--dataset-root", "data", "--baseline-params", "data/params.dill", "--output", "other.tar")
    environment = os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "7"}
    done = subprocess.run(
        ["sh", "-c", 'umask 077; exec "$@"', "sh", *COMMAND, "bundle", f"log/{LOG}", *options],
        cwd=here / "else",
        env=environment,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert (here / "else" / "other.tar").read_bytes() == tar.read_bytes()


def test_the_only_time_in_it_is_that_of_the_log(here: Path) -> None:
    edit(here / "parity" / LOG, lambda log: log["metadata"].update(timestamp="2020-02-03T23:05:06-02:00"))
    assert bundle(output="out.tar") == 0
    with tarfile.open(here / "out.tar") as archive:
        assert {member.mtime for member in archive.getmembers()} == {1580778306}  # date -ud 2020-02-04T01:05:06 +%s
        info = archive.extractfile(f"{BASE}/bag-info.txt")
        assert info is not None
        assert b"Bagging-Date: 2020-02-04\n" in info.read()


def test_a_tar_is_the_bag(tar: Path, here: Path, verify: Any) -> None:
    subprocess.run(["tar", "xf", "bag.tar"], cwd=here, check=True, timeout=120)
    assert bagit_says(here / BASE)[0] == 0
    assert sha256sum_says(here / BASE) == (0, "")
    listed = subprocess.run(
        ["tar", "tvf", "bag.tar"], cwd=here, check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert all(line.split()[1] == "0/0" for line in listed.splitlines())
    for measure in ((), ("--measure",)):
        code, _, receipt = verify(*measure, log="bag.tar")
        assert (code, set(outcomes(receipt).values())) == (0, {"same"})
        assert receipt["measured"] == bool(measure)


def test_the_page_and_the_reference_come_along(here: Path, verify: Any) -> None:
    common = ("log", "--dataset-root", "sweep", "--baseline-params", "sweep/params.dill")
    done = d0parity(*common, "--reference", f"parity/{LOG}", "--output", "ours", cwd=here)
    assert done.returncode == 0, done.stderr
    assert bundle(log=f"ours/{LOG}") == 0
    assert (here / "out" / "data" / PAGE).read_bytes() == (here / "ours" / PAGE).read_bytes()
    assert (here / "out" / "data" / "reference.json").read_bytes() == (here / "parity" / LOG).read_bytes()
    assert bagit_says(here / "out")[0] == 0
    code, _, receipt = verify(log="out")
    assert (code, outcomes(receipt)["data/reference.json"]) == (0, "same")
    # The reference is the one that the log was compared with, or none.
    edit(here / "parity" / LOG, lambda log: log.update(verdict="match"))
    assert bundle(log=f"ours/{LOG}", output="again") == 1
    (here / "parity" / LOG).unlink()
    assert bundle("--reference", here / "out" / "data" / "reference.json", log=f"ours/{LOG}", output="again") == 0


def test_what_is_not_beside_the_log_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("dose_parity_log.md", PAGE):
        (here / "parity" / name).unlink()
    assert bundle() == 0
    notes = capsys.readouterr().err
    assert "there is no dose_parity_log.md beside the log" in notes
    assert f"there is no {PAGE} beside the log" in notes
    assert bagit_says(here / "out")[0] == 0


def test_a_digest_of_another_log_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = (here / "parity" / "dose_parity_log.md").read_bytes()
    edit(here / "parity" / LOG, lambda log: log["metadata"].update(timestamp="2026-01-01T00:00:00+00:00"))
    (here / "parity" / "dose_parity_log.md").write_bytes(digest)
    assert bundle() == 1
    assert "dose_parity_log.md is not of this log" in capsys.readouterr().err
    assert not (here / "out").exists()


@pytest.mark.parametrize("output", ["out", "out.tar"])
def test_files_that_are_not_those_of_the_log(here: Path, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = here / "sweep" / "data_p1e6.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert bundle(output=output) == 1
    assert "data_p1e6.npz is not the file of the log: its SHA-256 is" in capsys.readouterr().err
    path.write_bytes(b"short")
    (here / "sweep" / "params.dill").write_bytes(b"other")
    (here / "sweep" / "data_p1e4.npz").unlink()
    assert bundle(output=output) == 1
    said = capsys.readouterr().err
    # All that a glance tells, at once.
    assert "sweep/data_p1e4.npz cannot be bundled: there is no such file" in said
    assert "sweep/data_p1e6.npz is not the file of the log: it is 5 bytes long" in said
    shutil.copytree(here / "parity", here / "again")
    assert not (here / output).exists()
    assert leftovers(here) == []


def test_other_params_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = here / "sweep" / "params.dill"
    data = path.read_bytes()
    path.write_bytes(data + b".")
    assert bundle() == 1
    assert "params.dill is not the file of the log" in capsys.readouterr().err
    path.write_bytes(data)
    assert bundle() == 0


@pytest.mark.parametrize("output", ["out", "out.tar"])
@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_is_there_is_left_as_it_is(
    here: Path, output: str, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(here / output)
    before = (here / output).lstat()
    assert bundle(output=output) == 1
    assert f"{output} is there already, and is left as it is; name another" in capsys.readouterr().err
    assert (here / output).lstat() == before


@pytest.mark.parametrize("output", ["out.tar.xz", "out.zip", ""])
def test_archives_of_other_kinds(here: Path, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle(output=output) == 2
    assert "a bundle is a folder, a .tar or a .tar.gz" in capsys.readouterr().err


def test_a_folder_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle(output="nowhere/out") == 1
    assert (
        f"error: nowhere/out cannot be made: {here / 'nowhere'} is no folder; make it first" in capsys.readouterr().err
    )


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can make a small file system")
@pytest.mark.parametrize("output", ["out", "out.tar"])
def test_too_little_space(
    here: Path, output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = here / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", small], check=False, timeout=120).returncode:
        pytest.skip("this container may not mount anything")
    try:
        assert bundle(output=f"small/{output}") == 1
        assert "are left there; nothing was copied" in capsys.readouterr().err
        assert list(small.iterdir()) == []
        # And when somebody else fills the disk meanwhile.
        monkeypatch.setattr("pytest_d0parity.handover.bundle_plan.Plan.space", 0)
        assert bundle(output=f"small/{output}") == 1
        assert "No space left on device" in capsys.readouterr().err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True, timeout=120)


@pytest.mark.parametrize("output", ["out", "out.tar"])
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_broken_run_leaves_nothing(here: Path, output: str, name: signal.Signals) -> None:
    size = 3 << 30
    with (here / "sweep" / "data_p1e9.npz").open("wb") as file:
        file.truncate(size)
    edit(
        here / "parity" / LOG,
        lambda log: log["datasets"].insert(0, {"filename": "data_p1e9.npz", "sha256": "0" * 64, "size_bytes": size}),
    )
    command = [*COMMAND, "bundle", f"parity/{LOG}", "--output", output]
    with started(command, stderr=subprocess.PIPE, text=True, cwd=here) as process:
        wait_for(lambda: leftovers(here), "the bundle is begun")
        process.send_signal(name)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + name
    assert "Traceback" not in err
    assert "note: interrupted" in err
    assert leftovers(here) == []
    assert not (here / output).exists()


def test_interrupted_in_the_import_of_a_library(here: Path) -> None:
    (here / "bagit.py").write_text("exec('raise KeyboardInterrupt')")  # as it falls where a dataclass is made
    command = [*COMMAND, "bundle", f"parity/{LOG}", "--output", "out"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": "."}, stderr=subprocess.PIPE, text=True, cwd=here)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_more_than_once(here: Path, name: signal.Signals) -> None:
    size = 3 << 30
    with (here / "sweep" / "data_p1e9.npz").open("wb") as file:
        file.truncate(size)
    entry = {"filename": "data_p1e9.npz", "sha256": "0" * 64, "size_bytes": size}
    edit(here / "parity" / LOG, lambda log: log["datasets"].insert(0, entry))
    command = [*COMMAND, "bundle", f"parity/{LOG}", "--output", "out"]
    with started(command, stderr=subprocess.PIPE, text=True, cwd=here) as process:
        wait_for(lambda: leftovers(here), "the bundle is begun")
        wait_for(lambda: process.send_signal(name) or process.poll() is not None, "it ends")
        _, err = process.communicate(timeout=60)
    assert process.returncode in (128 + name, -name)  # the last one may come when all is done, and Python is leaving
    assert "Traceback" not in err
    assert leftovers(here) == []


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_cleans_up_is_not_disturbed(name: signal.Signals) -> None:
    before, cleaned = signal.getsignal(name), []

    def work() -> None:
        try:
            os.kill(os.getpid(), name)
            pytest.fail("it was asked to end")
        finally:
            os.kill(os.getpid(), name)
            cleaned.append(name)

    with pytest.raises(KeyboardInterrupt), Interruption():
        work()
    assert cleaned == [name]
    assert signal.getsignal(name) is before


def test_a_log_of_nothing_is_not_handed_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(here / "parity" / LOG, lambda log: log.update(datasets=[]))
    assert bundle() == 1
    assert "tells of no dataset" in capsys.readouterr().err


def test_names_that_look_alike(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("\u00e9.npz", "e\u0301.npz"):
        shutil.copy(here / "sweep" / "data_p1e4.npz", here / "sweep" / name)
    limit = "--limit-datasets=\u00e9.npz,e\u0301.npz"
    assert d0parity("log", "--dataset-root", "sweep", limit, "--output", "odd", cwd=here).returncode == 0
    assert bundle(log=f"odd/{LOG}") == 1
    assert "are the same name to many a system" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["out", "out.tar"])
def test_a_scenario_with_a_long_name(here: Path, output: str, verify: Any) -> None:
    edit(here / "parity" / LOG, lambda log: log["metadata"].update(scenario_id="x" * 300))
    assert bundle(output=output) == 0
    assert verify(log=output)[0] == 0
    if output == "out.tar":
        subprocess.run(["tar", "xf", output], check=True, timeout=120)


def test_probes_of_another_log(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(here / "parity" / "pictures.npz", other=np.zeros(3))
    assert bundle() == 1
    assert "pictures.npz is not of this log" in capsys.readouterr().err
    (here / "parity" / "pictures.npz").write_bytes(b"junk")
    assert bundle() == 1


def test_what_appears_meanwhile_is_left_as_it_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_d0parity.handover import bundle_writer as packing

    copy = packing._copy_data

    def copy_and_meet(*arguments: Any) -> None:
        copy(*arguments)
        (here / "out").mkdir()

    monkeypatch.setattr(packing, "_copy_data", copy_and_meet)
    assert bundle() == 1
    assert list((here / "out").iterdir()) == []
    assert leftovers(here) == []


@pytest.mark.parametrize("path", ["home/secret", "linked/secret"])
def test_a_log_cannot_ask_for_any_file(here: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "home").mkdir()
    (here / "home" / "secret").write_text("secret")
    (here.parent / "secret").write_text("secret")
    (here / "linked").symlink_to("..")
    whole = (here / "parity" / LOG).read_bytes()
    for change in (
        lambda log: log.update(reference={"path": path, "sha256": None, "left_out": []}),
        lambda log: log["metadata"].update(baseline_params=path, params_sha256=None),
    ):
        (here / "parity" / LOG).write_bytes(whole)
        edit(here / "parity" / LOG, change)
        assert bundle() == 1
        assert "holds no SHA-256 of its" in capsys.readouterr().err
    sha256 = hashlib.sha256(b"secret").hexdigest()
    edit(here / "parity" / LOG, lambda log: log["metadata"].update(baseline_params=path, params_sha256=sha256))
    assert bundle() == (1 if path.startswith("linked") else 0)


@pytest.mark.parametrize("key", ["dataset_root", "baseline_params"])
@pytest.mark.parametrize("path", ["/etc/passwd", "../here/sweep", "linked"])
def test_paths_in_a_log_are_data(here: Path, key: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "linked").symlink_to("..")
    edit(here / "parity" / LOG, lambda log: log["metadata"].update({key: path}))
    assert bundle() == 1
    assert "a path from a log is not followed out of the current folder" in capsys.readouterr().err
    assert bundle("--dataset-root", "sweep", "--baseline-params", "sweep/params.dill") == 0


@pytest.mark.parametrize("name", ["100%.npz", "two\nlines.npz", "back\\slash.npz", b"raw\xff.npz"])
def test_names_that_no_manifest_can_say(here: Path, name: str | bytes, capsys: pytest.CaptureFixture[str]) -> None:
    os.rename(b"sweep/data_p1e4.npz", b"sweep/" + os.fsencode(name))
    options = ("--dataset-root", "sweep", "--limit-datasets", os.fsdecode(name), "--output", "odd")
    assert subprocess.run([*COMMAND, "log", *options], cwd=here, check=False, timeout=120).returncode == 0
    assert bundle(log=f"odd/{LOG}") == 1
    assert "rename it, and record again" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["-rf.npz", "~.npz", "größe µ.npz", "a b.npz", "x" * 200 + ".npz", "*.npz"])
@pytest.mark.parametrize("output", ["out", "out.tar"])
def test_odd_names(here: Path, name: str, output: str, verify: Any) -> None:
    (here / "sweep" / "data_p1e4.npz").rename(here / "sweep" / name)
    options = ("--dataset-root", "sweep", f"--limit-datasets={name}", "--output", "odd")
    assert d0parity("log", *options, cwd=here).returncode == 0
    assert bundle(log=f"odd/{LOG}", output=output) == 0
    code, said, receipt = verify(log=output)
    assert (code, outcomes(receipt)[f"data/datasets/{name}"]) == (0, "same"), said
    if output == "out.tar":
        subprocess.run(["tar", "xf", output], check=True, timeout=120)
        (here / "d0parity-UNKNOWN").rename(here / "out")
    assert sha256sum_says(here / "out") == (0, "")
    assert bagit_says(here / "out")[0] == 0


def test_without_the_extra(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "hidden").mkdir()
    code = (
        "import sys\nsys.modules['bagit'] = None\nfrom pytest_d0parity.cli import main\n"
        f"sys.exit(main(['bundle', 'parity/{LOG}', '--output', 'out']))"
    )
    done = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=False, cwd=here, timeout=120)
    assert done.returncode == 1
    assert "python -m pip install 'bagit'" in done.stderr
