"""``d0parity bundle`` and ``d0parity verify BUNDLE``: bags that others can check, and bags from others."""

from __future__ import annotations

import hashlib
import io
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

from pytest_d0parity.cli import main
from pytest_d0parity.util.runtime import Interruption
from tests.support.command import COMMAND, LOG, d0parity
from tests.support.handover import edit, outcomes, remark
from tests.support.parity import PAGE
from tests.support.processes import started, wait_for

MANIFESTS = ("manifest-sha256.txt", "tagmanifest-sha256.txt")
BASE = "d0parity-T"


@pytest.fixture(scope="module")
def bundled(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of it, as a folder and as a tar. Not to be written to."""
    folder = tmp_path_factory.mktemp("bundled")
    for output in ("bag", "bag.tar"):
        assert main_in(made, "bundle", f"parity/{LOG}", "--output", str(folder / output)) == 0
    return folder


@pytest.fixture
def bag(bundled: Path, here: Path) -> Path:
    """A copy of the folder, where the test stands."""
    shutil.copytree(bundled / "bag", here / "bag")
    return here / "bag"


@pytest.fixture
def tar(bundled: Path, here: Path) -> Path:
    """A copy of the tar."""
    return Path(shutil.copy(bundled / "bag.tar", here / "bag.tar"))


def main_in(folder: Path, *arguments: str) -> int:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return main(arguments)
    finally:
        os.chdir(before)


def bundle(*options: Any, output: str = "out", log: str = f"parity/{LOG}") -> int:
    return main(["bundle", log, "--output", output, *map(str, options)])


def bagit_says(folder: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).parent / "bagit.py"), "--validate", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stderr


def sha256sum_says(folder: Path) -> tuple[int, str]:
    command = ["sha256sum", "-c", "--quiet", *MANIFESTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    return done.returncode, done.stdout + done.stderr


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".d0parity")]


# --- making one ----------------------------------------------------------------------------------


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


# --- one from somebody ---------------------------------------------------------------------------


def test_each_flipped_byte_in_a_folder_is_found(bag: Path, verify: Any) -> None:
    """In every file, with bagit and sha256sum as witnesses."""
    for path in sorted(path for path in bag.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        name = str(path.relative_to(bag))
        for place in (0, len(whole) // 2, len(whole) - 1):
            data = bytearray(whole)
            data[place] ^= 0x41
            path.write_bytes(data)
            code, said, receipt = verify(log="bag")
            assert code != 0, (name, place)
            if name not in MANIFESTS:
                assert outcomes(receipt)[name] in ("changed", "damaged"), said
                assert sha256sum_says(bag)[0] != 0
                assert bagit_says(bag)[0] != 0 or place != len(whole) // 2
        path.write_bytes(whole)
    assert verify(log="bag")[0] == 0


def test_each_flipped_byte_in_a_tar_is_found(tar: Path, verify: Any) -> None:
    whole = tar.read_bytes()
    with tarfile.open(tar) as archive:
        members = archive.getmembers()
    end = members[-1].offset_data + -(-members[-1].size // 512) * 512
    places = [member.offset for member in members]  # the first letter of each name
    places += [member.offset + 148 for member in members]  # the checksum of each header
    places += [member.offset_data + member.size // 2 for member in members if member.isreg()]
    places += [end, end + 600, len(whole) - 1]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 0x01
        tar.write_bytes(data)
        code, said, _ = verify(log="bag.tar")
        assert code in (1, 3), (place, said)
    tar.write_bytes(whole)
    assert verify(log="bag.tar")[0] == 0


def test_a_truncated_tar_is_found_and_named(tar: Path, verify: Any) -> None:
    whole = tar.read_bytes()
    with tarfile.open(tar) as archive:
        members = archive.getmembers()
    end = members[-1].offset_data + -(-members[-1].size // 512) * 512
    middle = next(member for member in members if member.name.endswith("data_p1e6.npz"))
    for length in (1, 300, 512, 1000, middle.offset_data + 7, middle.offset + 100, end - 1, end, end + 512, end + 1023):
        tar.write_bytes(whole[:length])
        code, said, _ = verify(log="bag.tar")
        assert code in (1, 3), (length, said)
        assert "bag.tar" in said
        assert "truncated" in said or "no tar that can be read" in said or "no bundle" in said, said
    tar.write_bytes(whole[: middle.offset_data + 7])
    _, _, receipt = verify(log="bag.tar")
    assert f"the tar ends after 7 of its {middle.size:,} bytes" in remark(receipt, "data/datasets/data_p1e6.npz")
    assert outcomes(receipt)["data/datasets/data_p1e4.npz"] == "same"
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        documents = archive.getmember(f"{BASE}/data/{LOG}").offset
    tar.write_bytes(whole[:documents])
    _, _, receipt = verify(log="bag.tar")
    assert outcomes(receipt)["data/datasets/data_p1e4.npz"] == "not_checked"
    assert receipt["verdict"] == "incomplete"
    tar.write_bytes(whole + b"more")
    assert verify(log="bag.tar")[0] == 1


def test_missing_extra_and_swapped(bag: Path, verify: Any) -> None:
    datasets = bag / "data" / "datasets"
    (datasets / "data_p1e4.npz").rename(datasets / "between")
    (datasets / "data_p1e6.npz").rename(datasets / "data_p1e4.npz")
    (datasets / "between").rename(datasets / "data_p1e6.npz")
    (bag / "data" / "params.dill").unlink()
    (bag / "data" / "more").mkdir()
    (bag / "data" / "more" / "file").touch()
    (bag / "hidden").symlink_to("/")
    code, _, receipt = verify(log="bag")
    found = {name: outcome for name, outcome in outcomes(receipt).items() if outcome != "same"}
    assert code == 3
    assert found == {
        "data/datasets/data_p1e4.npz": "changed",
        "data/datasets/data_p1e6.npz": "changed",
        "data/params.dill": "missing",
        "data/more/file": "extra",
        "hidden": "extra",
    }
    assert remark(receipt, "data/datasets/data_p1e4.npz") == "it is the file that should be data/datasets/data_p1e6.npz"


@pytest.mark.parametrize("name", ["bagit.txt", "bag-info.txt", "README.md", *MANIFESTS, f"data/{LOG}"])
def test_no_part_of_a_bag_can_be_left_out(bag: Path, verify: Any, name: str) -> None:
    (bag / name).unlink()
    code, said, _ = verify(log="bag")
    assert code == 3
    assert f"{name} " in said
    assert "twice" not in said


def test_a_log_edited_by_hand_and_manifests_made_anew(bag: Path, verify: Any) -> None:
    edit(bag / "data" / LOG, lambda log: log["datasets"][0]["stats"]["raw"].update(max=1e9))
    code, _, receipt = verify(log="bag")
    assert (code, outcomes(receipt)[f"data/{LOG}"]) == (3, "changed")
    # Whoever makes the manifests anew is found by a look at the values.
    bagit.Bag(str(bag)).save(manifests=True)
    assert bagit_says(bag)[0] == 0
    assert verify(log="bag")[0] == 0
    code, _, receipt = verify("--measure", log="bag")
    assert (code, outcomes(receipt)["data/datasets/data_p1e4.npz"]) == (3, "contradicted")
    # A hash in it is found without.
    edit(bag / "data" / LOG, lambda log: log["datasets"][0].update(sha256="0" * 64))
    bagit.Bag(str(bag)).save(manifests=True)
    code, _, receipt = verify(log="bag")
    assert code == 3
    assert outcomes(receipt)["data/datasets/data_p1e4.npz"] != "same"


def test_repacked_is_not_the_same_in_a_bundle(bag: Path, verify: Any) -> None:
    path = bag / "data" / "datasets" / "data_p1e4.npz"
    with np.load(path) as npz:
        content = dict(npz)
    np.savez(path, **content)
    code, _, receipt = verify(log="bag")
    assert (code, outcomes(receipt)["data/datasets/data_p1e4.npz"]) == (3, "changed")
    assert "every array is the same" in remark(receipt, "data/datasets/data_p1e4.npz")


def test_a_log_that_cannot_be_read_costs_nothing_else(bag: Path, verify: Any) -> None:
    (bag / "data" / LOG).write_text("{")
    for measure in ((), ("--measure",)):
        code, said, receipt = verify(*measure, log="bag")
        assert (code, receipt["measured"]) == (3, False)
        assert outcomes(receipt)["data/datasets/data_p1e4.npz"] == "same"
        assert outcomes(receipt)[f"data/{LOG}"] == "changed"
        assert "it is no JSON" in said


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{'0' * 64}  ../outside", "its path leaves the bundle"),
        (f"{'0' * 64}  data/../../outside", "its path leaves the bundle"),
        (f"{'0' * 64}  /etc/passwd", "its path leaves the bundle"),
        (f"{'0' * 64}  ~/outside", "its path leaves the bundle"),
        (f"{'0' * 64}  data//x", "or is not written plainly"),
        (f"{'0' * 64}  README.md", "the manifests list README.md twice"),
        ("no line of a manifest", "line {}, is not a SHA-256 and a path"),
        ("\x00", "line {}, is not a SHA-256 and a path"),
    ],
)
def test_a_manifest_is_data(bag: Path, verify: Any, line: str, why: str) -> None:
    manifest = bag / "manifest-sha256.txt"
    manifest.write_text(f"{manifest.read_text()}{line}\n")
    bagit_tag_manifest(bag)
    code, said, _ = verify(log="bag")
    assert code == 1
    assert why.format(len(manifest.read_text().splitlines())) in said


def test_a_manifest_in_capitals(bag: Path, verify: Any) -> None:
    """RFC 8493 allows them, and bagit takes them as well."""
    for name in MANIFESTS:
        lines = [line.split("  ", 1) for line in (bag / name).read_text().splitlines()]
        (bag / name).write_text("".join(f"{sha256.upper()}  {path}\n" for sha256, path in lines))
        if name == MANIFESTS[0]:
            bagit_tag_manifest(bag)
    assert bagit_says(bag)[0] == 0
    code, said, receipt = verify(log="bag")
    assert (code, set(outcomes(receipt).values())) == (0, {"same"}), said
    with (bag / "README.md").open("a") as file:
        file.write("more")
    code, _, receipt = verify(log="bag")
    assert (code, outcomes(receipt)["README.md"]) == (3, "changed")


def bagit_tag_manifest(bag: Path) -> None:
    """Make the manifest of the tag files anew, so that only what is in them can be wrong."""
    tags = ("README.md", "bag-info.txt", "bagit.txt", "manifest-sha256.txt")
    names = [name for name in tags if (bag / name).exists()]
    lines = [f"{hashlib.sha256((bag / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (bag / "tagmanifest-sha256.txt").write_text("".join(lines))


def test_a_file_that_no_manifest_lists(bag: Path, verify: Any) -> None:
    manifest = bag / "manifest-sha256.txt"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if "data_p1e4" not in line))
    bagit_tag_manifest(bag)
    code, said, _ = verify(log="bag")
    assert (code, bagit_says(bag)[0]) == (1, 1)
    assert "manifest-sha256.txt does not list data/datasets/data_p1e4.npz" in said


@pytest.mark.parametrize("log", ["whole", "junk"])
def test_files_of_its_own_that_no_manifest_lists(bag: Path, verify: Any, log: str) -> None:
    (bag / "manifest-sha256.txt").unlink()
    tags = (bag / "tagmanifest-sha256.txt").read_text().splitlines(keepends=True)
    (bag / "tagmanifest-sha256.txt").write_text("".join(line for line in tags if "README.md" not in line))
    (bag / "data" / "notes.txt").write_text("mine")
    if log == "junk":
        (bag / "data" / LOG).write_text("{")
    code, _, receipt = verify(log="bag")
    extra = {each["name"]: each["remark"] for each in receipt["files"] if each["outcome"] == "extra"}
    assert code == 3
    for name in ("README.md", f"data/{LOG}", "data/SHA256SUMS", f"data/{PAGE}"):
        assert extra.pop(name) == "no manifest lists it"
    # Without the log, nobody knows of what it tells.
    said = "the log does not tell of it" if log == "whole" else "no manifest lists it"
    assert extra["data/notes.txt"] == said


@pytest.mark.parametrize("output", ["bag", "bag.tar"])
def test_sums_that_are_not_those_of_the_log(bag: Path, tar: Path, verify: Any, output: str) -> None:
    sums = bag / "data" / "SHA256SUMS"
    (first, four), (second, six) = (line.split("  ") for line in sums.read_text().splitlines())
    for text in (f"{'0' * 64}  {four}\n{second}  {six}\n", f"{first}  {six}\n{second}  {four}\n", f"{first}  {four}\n"):
        sums.write_text(text)
        bagit.Bag(str(bag)).save(manifests=True)
        tar.unlink()
        subprocess.run(["tar", "cf", "bag.tar", "bag"], check=True, timeout=120)
        code, said, receipt = verify(log=output)
        assert (code, outcomes(receipt)["data/SHA256SUMS"]) == (3, "same")
        assert receipt["problems"] == ["data/SHA256SUMS tells of other files than the log"]
        assert said.startswith("drift: the whole contradicts itself (")


@pytest.mark.parametrize("verdict", ["incomplete", "drift", "match"])
def test_a_log_that_shows_no_parity(here: Path, verify: Any, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    edit(here / "parity" / LOG, lambda log: log.update(verdict=verdict))
    assert bundle("-q") == 0
    warning = f"note: the log's own verdict is {verdict}, so that the bundle hands over no proof of parity\n"
    assert (warning in capsys.readouterr().err) == (verdict != "match")
    for log in ("out", f"parity/{LOG}"):
        code, said, receipt = verify(log=log)
        assert (code, receipt["verdict"]) == (0, "match")
        assert said.splitlines()[0].endswith(f"; the log's own verdict is {verdict}") == (verdict != "match")
        text = (here / "receipt" / "dose_parity_receipt.md").read_text(encoding="utf-8")
        assert (f"own verdict is {verdict}." in text) == (verdict != "match")


def test_params_that_were_cut_off_on_the_way(bag: Path, verify: Any) -> None:
    path = bag / "data" / "params.dill"
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b""):
        path.write_bytes(data)
        code, _, receipt = verify(log="bag")
        assert (code, outcomes(receipt)["data/params.dill"]) == (3, "damaged")
        assert remark(receipt, "data/params.dill").startswith("it was damaged on the way: ask for it again (")


def test_params_in_a_tar_are_told_of_without_the_folder_for_a_look(tar: Path, bag: Path, verify: Any) -> None:
    (bag / "data" / "params.dill").write_bytes(b"\x80\x04")
    tar.unlink()
    subprocess.run(["tar", "cf", "bag.tar", "bag"], check=True, timeout=120)
    _, _, receipt = verify(log="bag.tar")
    assert "(params file params.dill cannot be read: " in remark(receipt, "data/params.dill")


def test_a_payload_in_the_manifest_of_the_tag_files(bag: Path, verify: Any) -> None:
    manifest, tags = (bag / name for name in MANIFESTS)
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if "log.md" not in line))
    bagit_tag_manifest(bag)
    tags.write_text(tags.read_text() + next(line for line in lines if "log.md" in line))
    code, said, _ = verify(log="bag")
    assert code == 1
    assert "it does not belong into tagmanifest-sha256.txt" in said


@pytest.mark.parametrize("text", ["", "garbage", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-16\n", None])
def test_a_bag_that_does_not_say_what_it_is(bag: Path, verify: Any, text: str | None) -> None:
    if text is None:
        (bag / "bagit.txt").unlink()
    else:
        (bag / "bagit.txt").write_text(text)
    bagit_tag_manifest(bag)
    code, said, _ = verify(log="bag")
    assert (code, bagit_says(bag)[0]) == (3 if text is None else 1, 1)
    assert "bagit.txt" in said


@pytest.mark.parametrize("oxum", ["1.1", "64.5"])
def test_a_payload_of_another_size(bag: Path, verify: Any, oxum: str) -> None:
    info = bag / "bag-info.txt"
    others = [line for line in info.read_text().splitlines() if "Oxum" not in line]
    info.write_text("\n".join([*others, f"Payload-Oxum: {oxum}", ""]))
    bagit_tag_manifest(bag)
    code, said, _ = verify(log="bag")
    assert (code, bagit_says(bag)[0]) == (3, 1)
    assert said.startswith("drift: the whole contradicts itself (")
    assert "bag-info.txt tells of" in said


def test_a_file_without_any_hash_is_not_the_same(bag: Path, verify: Any) -> None:
    edit(bag / "data" / LOG, lambda log: log.update(reference={"path": "x", "sha256": None, "left_out": []}))
    bagit.Bag(str(bag)).save(manifests=True)
    (bag / "data" / "reference.json").write_text("{}")
    code, _, receipt = verify(log="bag")
    assert (code, outcomes(receipt)["data/reference.json"]) == (3, "not_checked")
    assert any("bag-info.txt tells of" in each for each in receipt["problems"])


def test_links_that_leave_the_bundle(bag: Path, here: Path, verify: Any) -> None:
    path = bag / "data" / "datasets" / "data_p1e4.npz"
    path.rename(here / "outside.npz")
    path.symlink_to(here / "outside.npz")
    code, _, receipt = verify(log="bag")
    assert (code, outcomes(receipt)["data/datasets/data_p1e4.npz"]) == (1, "not_checked")
    assert "it is a link that leaves bag" in remark(receipt, "data/datasets/data_p1e4.npz")


@pytest.mark.parametrize("what", [["."], ["README.md", "bag-info.txt", "bagit.txt", *MANIFESTS, "data"]])
def test_a_tar_without_a_folder(bag: Path, verify: Any, what: list[str]) -> None:
    subprocess.run(["tar", "cf", "flat.tar", "-C", "bag", *what], check=True, timeout=120)
    code, said, _ = verify(log="flat.tar")
    assert code == 1
    assert "tar cf FILE.tar FOLDER" in said


def test_a_receipt_does_not_become_a_part_of_it(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "bag", "--output", "bag/receipt"]) == 2
    assert "name another --output" in capsys.readouterr().err
    assert main(["verify", "bag", "--dataset-root", "sweep", "--output", "receipt"]) == 2
    assert bagit_says(bag)[0] == 0


def test_what_is_no_bundle(here: Path, verify: Any) -> None:
    code, said, _ = verify(log="parity")
    assert code == 1
    assert f"is it parity/{LOG} that you mean?" in said
    subprocess.run(["tar", "cJf", "bag.tar.xz", "sweep"], check=True, timeout=120)
    assert "unpack it first" in verify(log="bag.tar.xz")[1]
    subprocess.run(["tar", "czf", "bag.tar.gz", "sweep"], check=True, timeout=120)
    assert "bag.tar.gz is no bundle" in verify(log="bag.tar.gz")[1]
    subprocess.run(["tar", "cf", "sweep.tar", "sweep"], check=True, timeout=120)
    subprocess.run(["tar", "cf", "flat.tar", "-C", "parity", "."], check=True, timeout=120)
    assert "is it" not in verify(log="flat.tar")[1]
    assert "is no bundle" in verify(log="sweep.tar")[1]
    (here / "empty.tar").touch()
    assert verify(log="empty.tar")[0] == 1


# --- tars that mean harm -------------------------------------------------------------------------


def member(name: str, data: bytes = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data if info.type in (tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE) else b""


def sized(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", **fields)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (member("../outside"), "its path leaves the folder of the tar"),
        (member(f"{BASE}/../outside"), "its path leaves the folder of the tar"),
        (member("/tmp/outside"), "its path leaves the folder of the tar"),
        (member(f"{BASE}/a\\..\\outside"), "its path leaves the folder of the tar"),
        (member("outside"), "it lies beside the folder of the tar"),
        (sized(f"{BASE}/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "it is no regular file"),
        (sized(f"{BASE}/link", type=tarfile.LNKTYPE, linkname=f"{BASE}/README.md"), "it is no regular file"),
        (sized(f"{BASE}/device", type=tarfile.CHRTYPE), "it is no regular file"),
        (sized(f"{BASE}/fifo", type=tarfile.FIFOTYPE), "it is no regular file"),
        (member(f"{BASE}/README.md"), "the tar holds it twice"),
        (member("other/file"), "more than the one folder"),
        (member(f"{BASE}/data/datasets/more.npz"), "extra"),
        (member(f"{BASE}/name\udcff"), "extra"),
    ],
)
@pytest.mark.parametrize("measure", [(), ("--measure",)])
def test_nothing_outside_is_written_or_believed(
    tar: Path, here: Path, verify: Any, extra: Any, why: str, measure: tuple[str, ...]
) -> None:
    before = {path for path in here.rglob("*") if "receipt" not in path.parts}
    with tarfile.open(tar, "a") as archive:
        info, data = extra
        archive.addfile(info, io.BytesIO(data))
    code, said, _ = verify(*measure, log="bag.tar")
    assert code in (1, 3), said
    assert why in said
    assert {path for path in here.rglob("*") if "receipt" not in path.parts} == before
    assert not Path("/tmp/outside").exists()


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 12,  # -1
        b"\xff" * 10 + b"\xfe\0",  # -512: the next header is this one
        b"\x80" + b"\x7f" * 11,  # more than any disk holds
    ],
)
@pytest.mark.parametrize("kind", [b"0", b"5", b"x", b"g", b"L", b"S"])
def test_headers_that_announce_what_cannot_be(tar: Path, verify: Any, size: bytes, kind: bytes) -> None:
    header = tarfile.TarInfo("x").tobuf()
    header = header[:124] + size + header[136:]
    header = header[:156] + kind + header[157:]
    blank = header[:148] + b" " * 8 + header[156:]
    header = blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]
    whole = tar.read_bytes()
    for place in (0, 512):
        tar.write_bytes(whole[:place] + header + whole[place:])
        code, said, _ = verify(log="bag.tar")
        assert code in (0, 1, 3)  # a header that says nothing of any file may be passed over
        assert "bag.tar" in said


@pytest.mark.timeout(60)  # it was hours
def test_a_header_that_would_take_for_ever(tar: Path, verify: Any) -> None:
    digits = b"1" * 60_000
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(digits)
    record = header.tobuf() + digits + bytes(-len(digits) % 512)
    tar.write_bytes(record * 200 + tar.read_bytes())
    code, said, _ = verify(log="bag.tar")
    assert (code, "more than 255 digits" in said) == (1, True)


@pytest.mark.parametrize("number", [1, -1])
def test_a_damaged_header_of_digits(tar: Path, verify: Any, number: int) -> None:
    """What stands where the tar seems to end is no header, and no harm."""
    with tarfile.open(tar) as archive:
        place = archive.getmembers()[number].offset
    data = bytearray(tar.read_bytes())
    data[place : place + 1024] = b"x" * 512 + b"1" * 512
    tar.write_bytes(data)
    code, said, _ = verify(log="bag.tar")
    assert code in (1, 3)
    assert "truncated or damaged" in said


def test_a_header_that_wants_all_memory(tar: Path, verify: Any) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    tar.write_bytes(header.tobuf() + tar.read_bytes())
    os.truncate(tar, 2 << 30)
    code, said, _ = verify(log="bag.tar")
    assert (code, "a header announces 1073741824 bytes" in said) == (1, True)


def test_a_tar_is_cleaned_up_after_also_when_the_check_is_ended(tar: Path, here: Path) -> None:
    (here / "tmp").mkdir()
    for name in (signal.SIGTERM, signal.SIGINT):
        command = [*COMMAND, "verify", "bag.tar", "--measure", "--output", "receipt"]
        environment = os.environ | {"TMPDIR": str(here / "tmp")}
        with started(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here, env=environment
        ) as process:
            wait_for(lambda: leftovers(here / "tmp"), "the tar is unpacked")
            for _ in range(3):
                process.send_signal(name)
            out, err = process.communicate(timeout=60)
        assert process.returncode in (128 + name, -name)
        assert "Traceback" not in err
        assert out.startswith("incomplete: ")
        assert list((here / "tmp").iterdir()) == []


def test_no_room_to_look_into_a_tar(tar: Path, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 0, 10))  # type: ignore[attr-defined]
    assert verify(log="bag.tar")[0] == 0  # which unpacks nothing
    code, said, _ = verify("--measure", log="bag.tar")
    assert code == 1
    assert "set TMPDIR to a folder with more room" in said


def test_a_look_into_a_tar_leaves_nothing(tar: Path, here: Path, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(here / "tmp"))
    assert verify("--measure", log="bag.tar")[0] == 0
    assert list((here / "tmp").iterdir()) == []


def test_the_real_sweep(photon_grid: Path, here: Path, verify: Any) -> None:
    options = ("--dataset-root", photon_grid, "--baseline-params", photon_grid / "params.dill")
    assert d0parity("log", *options, "--output", "real", cwd=here).returncode == 0
    for output in ("out", "out.tar"):
        assert bundle(*options, log=f"real/{LOG}", output=output) == 0
        assert verify(log=output)[0] == 0
    assert bagit_says(here / "out")[0] == 0
    assert sha256sum_says(here / "out") == (0, "")
