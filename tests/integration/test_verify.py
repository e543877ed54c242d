"""``d0parity verify LOG``: what it says of files, and the receipt that it leaves."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_d0parity.cli import main
from pytest_d0parity.handover.files.file_tree import ByteRange
from tests.support.command import COMMAND, LOG, d0parity
from tests.support.handover import Verify, edit, outcomes, remark
from tests.support.processes import reads, started, wait_for


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as npz:
        return dict(npz)


# --- files as they should be ---------------------------------------------------------------------


def test_the_same_files(verify: Verify, here: Path) -> None:
    code, said, receipt = verify()
    assert code == 0
    assert said.startswith("match: everything that was checked is as the log says (2 files of sweep: 2 same)")
    assert "Send back receipt/dose_parity_receipt.json." in said
    assert receipt["verdict"] == "match"
    assert not receipt["measured"]
    assert receipt["checked"] == "sweep"
    log = (here / "parity" / LOG).read_bytes()
    assert receipt["log"]["sha256"] == hashlib.sha256(log).hexdigest()
    assert receipt["log"]["path"] == f"parity/{LOG}"
    assert receipt["log"]["scenario_id"] == "T"
    assert receipt["log"]["timestamp"] == json.loads(log)["metadata"]["timestamp"]
    sums = subprocess.run(
        ["sha256sum", *outcomes(receipt)], cwd="sweep", capture_output=True, text=True, check=True, timeout=120
    )
    assert {each["name"]: each["observed_sha256"] for each in receipt["files"]} == {
        line.split("  ")[1]: line.split("  ")[0] for line in sums.stdout.splitlines()
    }
    assert receipt["not_looked_at"] == ["the params of the baseline run; name them by --baseline-params"]


def test_the_receipt_for_people(verify: Verify, here: Path) -> None:
    (here / "sweep" / "data_p1e4.npz").write_bytes(b"|")
    (here / "sweep" / "data_p1e9|<b>\n.npz").touch()
    _, _, receipt = verify("--dataset-root", "sweep")
    text = (here / "receipt" / "dose_parity_receipt.md").read_text(encoding="utf-8")
    assert text.startswith("# D0 Parity Receipt\n\n**drift**: not everything is as the log says")
    assert receipt["log"]["sha256"] in text
    assert receipt["timestamp"] in text
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert not [token for token in tokens if token.type == "html_block"]
    rows = [
        [tokens[i + 1].content for i in range(start, len(tokens)) if tokens[i].type == "td_open"][:4]
        for start, token in enumerate(tokens)
        if token.type == "tr_open"
    ]
    assert ["data_p1e4.npz", "damaged"] in [row[:2] for row in rows]
    assert sum("data_p1e9" in "".join(row[:1]) for row in rows) == 1


def test_another_folder_than_the_one_in_the_log(verify: Verify, here: Path) -> None:
    (here / "sweep").rename(here / "copy")
    assert verify("--dataset-root", "copy")[0] == 0
    code, said, receipt = verify()
    assert (code, receipt) == (1, None)
    assert said.startswith("error: sweep does not exist")
    assert "--dataset-root names another" in said


def test_params_are_checked_where_they_are_named(verify: Verify, here: Path) -> None:
    code, _, receipt = verify("--baseline-params", "sweep/params.dill")
    assert (code, receipt["not_looked_at"]) == (0, [])
    assert outcomes(receipt)["sweep/params.dill"] == "same"

    # Other bytes, and the same values.
    with (here / "sweep" / "params.dill").open("rb") as file:
        params = dill.load(file)
    (here / "sweep" / "params.dill").write_bytes(dill.dumps(params, protocol=2))
    code, _, receipt = verify("--baseline-params", "sweep/params.dill")
    assert (code, outcomes(receipt)["sweep/params.dill"]) == (0, "repacked")

    (here / "sweep" / "params.dill").write_bytes(dill.dumps({**params, "N": 65}))
    code, _, receipt = verify("--baseline-params", "sweep/params.dill")
    assert (code, outcomes(receipt)["sweep/params.dill"]) == (3, "changed")
    assert remark(receipt, "sweep/params.dill") == "params.N is 65, and the log says 64"

    (here / "sweep" / "params.dill").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    code, _, receipt = verify("--baseline-params", "sweep/params.dill")
    assert (code, outcomes(receipt)["sweep/params.dill"]) == (3, "damaged")
    assert not (here / "owned").exists()

    code, _, receipt = verify("--baseline-params", "nowhere.dill")
    assert (code, outcomes(receipt)["nowhere.dill"]) == (1, "not_checked")


def test_params_that_lie_among_the_datasets(verify: Verify, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "sweep")
    options = ("--dataset-root", ".", "--output", "../receipt")
    assert main(["verify", f"../parity/{LOG}", *options, "--baseline-params", "params.dill"]) == 0
    # Somebody takes a dataset for the params.
    assert main(["verify", f"../parity/{LOG}", *options, "--baseline-params", "data_p1e4.npz"]) == 3
    receipt = json.loads((here / "receipt" / "dose_parity_receipt.json").read_text(encoding="utf-8"))
    assert outcomes(receipt) == {"data_p1e4.npz": "same", "data_p1e6.npz": "same", "./data_p1e4.npz": "changed"}
    assert remark(receipt, "./data_p1e4.npz") == "it is the file that should be data_p1e4.npz"


def test_params_that_the_log_does_not_know(verify: Verify, here: Path) -> None:
    edit(here / "parity" / LOG, lambda log: log["metadata"].update(baseline_params=None))
    code, said, receipt = verify("--baseline-params", "sweep/params.dill")
    assert (code, receipt) == (1, None)
    assert "was made without params" in said
    assert verify()[2]["not_looked_at"] == []


def test_params_of_a_log_without_their_hash(verify: Verify, here: Path) -> None:
    edit(here / "parity" / LOG, lambda log: log["metadata"].pop("params_sha256"))
    _, _, receipt = verify("--baseline-params", "sweep/params.dill")
    assert outcomes(receipt)["sweep/params.dill"] == "same"
    assert "every parameter and metric" in remark(receipt, "sweep/params.dill")


# --- files as they should not be -----------------------------------------------------------------


@pytest.mark.parametrize("measure", [(), ("--measure",)])
def test_a_flipped_byte_is_found_wherever_it_is(verify: Verify, here: Path, measure: tuple[str, ...]) -> None:
    path = here / "sweep" / "data_p1e6.npz"
    whole = path.read_bytes()
    for place in (0, 40, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        data = bytearray(whole)
        data[place] ^= 0x10
        path.write_bytes(data)
        code, said, receipt = verify(*measure)
        found = outcomes(receipt)["data_p1e6.npz"]
        # What stands in the zip's own fields (a time, say) leaves every array the same.
        assert found in ("changed", "damaged") or (found == "repacked" and code == 0), (place, said)
        assert outcomes(receipt)["data_p1e4.npz"] == "same"
        assert code == (0 if found == "repacked" else 3)


@pytest.mark.parametrize("measure", [(), ("--measure",)])
def test_repacked_and_changed_and_which_arrays(verify: Verify, here: Path, measure: tuple[str, ...]) -> None:
    path = here / "sweep" / "data_p1e4.npz"
    content = arrays(path)
    np.savez(path, **content)
    code, _, receipt = verify(*measure)
    assert (code, receipt["verdict"]) == (0, "match")
    assert outcomes(receipt) == {"data_p1e4.npz": "repacked", "data_p1e6.npz": "same"}
    code, _, receipt = verify(*measure, "--threshold", "sha256:exact")
    assert (code, outcomes(receipt)["data_p1e4.npz"]) == (3, "changed")

    content["probeGuess"] = content["probeGuess"] * 2
    content["new"] = np.arange(3)
    del content["scan_index"]
    np.savez(path, **content)
    code, said, receipt = verify(*measure)
    assert code == 3
    (entry,) = [each for each in receipt["files"] if each["name"] == "data_p1e4.npz"]
    assert entry["outcome"] == "changed"
    assert sorted(entry["arrays"]) == ["new", "probeGuess", "scan_index"]
    assert "data_p1e4.npz  changed       not as in the log: " in said


def test_repacked_is_not_believed_without_a_look(verify: Verify, here: Path) -> None:
    path = here / "sweep" / "data_p1e4.npz"
    np.savez(path, **arrays(path))
    data = bytearray(path.read_bytes())
    data[data.index(b"probeGuess.npy") + 1000] ^= 1  # in stored data, with its CRC-32 left as it was
    path.write_bytes(data)
    code, _, receipt = verify()
    assert (code, outcomes(receipt)["data_p1e4.npz"]) == (3, "damaged")
    assert "it was damaged on the way: ask for it again (probeGuess: " in remark(receipt, "data_p1e4.npz")
    assert "CRC-32" in remark(receipt, "data_p1e4.npz")


def test_missing_and_extra(verify: Verify, here: Path) -> None:
    (here / "sweep" / "data_p1e4.npz").rename(here / "sweep" / "data_p1e5.npz")
    (here / "sweep" / "notes.txt").write_text("nobody's business")
    code, said, receipt = verify()
    assert code == 3
    assert outcomes(receipt) == {"data_p1e4.npz": "missing", "data_p1e6.npz": "same", "data_p1e5.npz": "extra"}
    assert "1 missing, 1 same, 1 extra" in said
    assert "notes" not in said


def test_a_swapped_pair_is_named(verify: Verify, here: Path) -> None:
    four, six = here / "sweep" / "data_p1e4.npz", here / "sweep" / "data_p1e6.npz"
    four.rename(here / "between")
    six.rename(four)
    (here / "between").rename(six)
    code, _, receipt = verify()
    assert (code, set(outcomes(receipt).values())) == (3, {"changed"})
    assert remark(receipt, "data_p1e4.npz") == "it is the file that should be data_p1e6.npz"
    assert remark(receipt, "data_p1e6.npz") == "it is the file that should be data_p1e4.npz"


def test_a_truncated_copy_and_a_pointer(verify: Verify, here: Path) -> None:
    path = here / "sweep" / "data_p1e4.npz"
    path.write_bytes(path.read_bytes()[:-5000])
    params = here / "sweep" / "params.dill"
    for pointer in (here / "sweep" / "data_p1e6.npz", params):
        pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    code, _, receipt = verify("--baseline-params", "sweep/params.dill")
    assert code == 3
    assert "truncated or damaged; copy it again" in remark(receipt, "data_p1e4.npz")
    # What to do about a pointer is told, and nothing of a way on which it was damaged.
    assert remark(receipt, "data_p1e6.npz") == "it is a Git LFS pointer, not the data: run 'git lfs pull'"
    assert "not the data: run 'git lfs pull'" in remark(receipt, "sweep/params.dill")
    assert "damaged on the way" not in remark(receipt, "sweep/params.dill")


def test_a_file_that_is_written_to_meanwhile(here: Path) -> None:
    path = here / "sweep" / "data_p1e4.npz"
    with pytest.raises(OSError, match="somebody wrote to it while it was read"):
        ByteRange(str(path)).sha256(lambda _: path.write_bytes(b"other"))


def test_what_is_no_file(verify: Verify, here: Path) -> None:
    four, six = here / "sweep" / "data_p1e4.npz", here / "sweep" / "data_p1e6.npz"
    four.unlink()
    four.mkdir()
    six.unlink()
    os.mkfifo(six)
    code, _, receipt = verify()
    assert (code, receipt["verdict"]) == (1, "incomplete")
    assert set(outcomes(receipt).values()) == {"not_checked"}
    assert "not a regular file" in remark(receipt, "data_p1e6.npz")


def test_links_that_leave_the_root_are_refused(verify: Verify, here: Path) -> None:
    four, six = here / "sweep" / "data_p1e4.npz", here / "sweep" / "data_p1e6.npz"
    four.rename(here / "outside.npz")
    four.symlink_to(here / "outside.npz")
    six.rename(here / "sweep" / "inside")
    six.symlink_to("inside")
    code, _, receipt = verify()
    assert code == 1
    assert outcomes(receipt) == {"data_p1e4.npz": "not_checked", "data_p1e6.npz": "same"}
    assert "it is a link that leaves sweep" in remark(receipt, "data_p1e4.npz")
    # The root itself may be a link: the user has named it.
    (here / "linked").symlink_to("sweep")
    assert outcomes(verify("--dataset-root", "linked")[2])["data_p1e6.npz"] == "same"


# --- logs that are data --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../outside.npz", "/etc/passwd", "sub/../../outside.npz", "..", "", "a\0b"])
def test_paths_in_a_log_are_never_followed(verify: Verify, here: Path, name: str) -> None:
    shutil.copy(here / "sweep" / "data_p1e4.npz", here / "outside.npz")
    (here / "sweep" / "sub").mkdir()
    shutil.copy(here / "sweep" / "data_p1e4.npz", here / "sweep" / "sub")
    edit(here / "parity" / LOG, lambda log: log["datasets"][0].update(filename=name))
    code, _, receipt = verify()
    assert code == 3  # for data_p1e4.npz is there, and the log does not speak of it
    assert outcomes(receipt)[name] == "not_checked"
    assert outcomes(receipt)["data_p1e4.npz"] == "extra"
    assert "such a path is not followed" in remark(receipt, name)
    assert outcomes(receipt)["data_p1e6.npz"] == "same"


@pytest.mark.parametrize("root", ["linked", "/etc", "../here/sweep", "sweep/../sweep", "a\\..\\..", None, 7, "", "\0"])
def test_nor_is_the_root_that_it_names(verify: Verify, here: Path, root: Any) -> None:
    (here / "linked").symlink_to("..")
    edit(here / "parity" / LOG, lambda log: log["metadata"].update(dataset_root=root))
    code, said, receipt = verify()
    assert (code, receipt) == (1, None)
    assert "--dataset-root" in said
    assert verify("--dataset-root", "sweep")[0] == 0


def test_a_dataset_without_a_hash(verify: Verify, here: Path) -> None:
    edit(here / "parity" / LOG, lambda log: log["datasets"][0].update(sha256=None))
    code, _, receipt = verify()
    assert (code, outcomes(receipt)["data_p1e4.npz"]) == (1, "not_checked")
    assert remark(receipt, "data_p1e4.npz").startswith("the log holds no SHA-256 of it")


def test_a_log_of_nothing_shows_nothing(verify: Verify, here: Path) -> None:
    for path in (here / "sweep").glob("*.npz"):
        path.unlink()
    edit(here / "parity" / LOG, lambda log: log.update(datasets=[]))
    for options in ((), ("--baseline-params", "sweep/params.dill")):
        code, said, receipt = verify(*options)
        assert (code, receipt["verdict"]) == (1, "incomplete")
        assert "no dataset is spoken of, so that nothing is shown" in said


@pytest.mark.parametrize("size", ["x", 1.5, True])
def test_a_size_that_is_none(verify: Verify, here: Path, size: Any) -> None:
    edit(here / "parity" / LOG, lambda log: log["datasets"][0].update(size_bytes=size))
    code, _, receipt = verify()
    assert (code, outcomes(receipt)["data_p1e4.npz"]) == (1, "not_checked")


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.update(datasets=None),
        lambda log: log.update(datasets=[1]),
        lambda log: log["datasets"][0].pop("filename"),
        lambda log: log["datasets"].append(copy.deepcopy(log["datasets"][0])),
        lambda log: log.update(schema_version=99),
    ],
)
def test_what_is_no_log(verify: Verify, here: Path, change: Any) -> None:
    edit(here / "parity" / LOG, change)
    code, said, receipt = verify()
    assert (code, receipt) == (1, None)
    assert said.startswith(f"error: log parity/{LOG} ")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    place=st.sampled_from(
        [("metadata",), ("datasets", 0), ("datasets", 0, "sha256"), ("datasets", 0, "size_bytes"), ("reference",)]
    ),
)
def test_any_edit_of_a_log_ends_in_words(verify: Verify, made: Path, here: Path, value: Any, place: Any) -> None:
    content = json.loads((made / "parity" / LOG).read_text(encoding="utf-8"))
    target = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    (here / "parity" / LOG).write_text(json.dumps(content), encoding="utf-8")
    code, said, _ = verify("--dataset-root", "sweep")
    assert code in (0, 1, 3)
    assert said
    if place[-1] in ("sha256", "size_bytes") and value is not None:
        assert code in (1, 3) or (place[-1] == "size_bytes" and type(value) is not int)


def test_an_older_log(verify: Verify, here: Path) -> None:
    def older(log: Any) -> None:
        del log["schema_version"]
        for dataset in log["datasets"]:
            for array in dataset["arrays"].values():
                del array["crc32"], array["size_bytes"]

    edit(here / "parity" / LOG, older)
    assert verify()[0] == 0
    path = here / "sweep" / "data_p1e4.npz"
    np.savez(path, **arrays(path))
    code, _, receipt = verify()
    assert code == 3
    assert remark(receipt, "data_p1e4.npz").endswith("which holds no checksums of them")


def test_names_that_are_not_utf8(here: Path, verify: Verify) -> None:
    os.rename(b"sweep/data_p1e4.npz", b"sweep/data_p1e4\xff.npz")
    assert d0parity("log", "--dataset-root", "sweep", "--output", "parity", cwd=here).returncode == 0
    code, _, receipt = verify()
    assert code == 0
    assert outcomes(receipt) == {"data_p1e6.npz": "same", "data_p1e4\\xff.npz": "same"}
    # Two that a log writes alike.
    shutil.copy(here / "sweep" / "data_p1e6.npz", here / "sweep" / "data_p1e4\\xff.npz")
    code, _, receipt = verify()
    assert (code, outcomes(receipt)["data_p1e4\\xff.npz"]) == (1, "not_checked")


# --- every value again ---------------------------------------------------------------------------


def test_every_value_again(verify: Verify) -> None:
    code, _, receipt = verify("--measure", "--baseline-params", "sweep/params.dill")
    assert (code, receipt["measured"], set(outcomes(receipt).values())) == (0, True, {"same"})
    assert receipt["differences"] == []


def test_a_log_that_was_edited_by_hand_is_found(verify: Verify, here: Path) -> None:
    def change(log: Any) -> None:
        log["datasets"][0]["stats"]["raw"]["mean"] *= 1.001
        log["params"]["N"] = 63

    edit(here / "parity" / LOG, change)
    assert verify()[0] == 0  # the bytes are those of the log, and nothing else was asked for
    options = ("--measure", "--baseline-params", "sweep/params.dill")
    code, said, receipt = verify(*options)
    assert code == 3
    assert outcomes(receipt) == {
        "data_p1e4.npz": "contradicted",
        "data_p1e6.npz": "same",
        "sweep/params.dill": "contradicted",
    }
    assert "which says other values: raw.mean" in remark(receipt, "data_p1e4.npz")
    assert "params.N" in remark(receipt, "sweep/params.dill")
    assert {each["where"] for each in receipt["differences"]} == {"data_p1e4.npz:raw.mean", "params.N"}
    assert "times allowed" in said
    text = (here / "receipt" / "dose_parity_receipt.md").read_text(encoding="utf-8")
    assert "## Values That Differ" in text

    code, _, receipt = verify("--measure", "--threshold", "raw.mean:1%")
    assert (code, receipt["verdict"], receipt["thresholds"]) == (0, "within_thresholds", ["raw.mean:1%"])
    assert outcomes(receipt)["data_p1e4.npz"] == "same"


def test_a_size_that_was_edited_by_hand(verify: Verify, here: Path) -> None:
    edit(here / "parity" / LOG, lambda log: log["datasets"][0].update(size_bytes=7))
    code, _, receipt = verify()
    assert (code, outcomes(receipt)["data_p1e4.npz"]) == (3, "contradicted")


def test_measuring_asks_no_cache(verify: Verify, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_d0parity.capture.cache.MeasurementCache.load", lambda *_: pytest.fail("asked"))
    assert verify("--measure")[0] == 0


def test_a_threshold_without_values_is_no_use(verify: Verify, here: Path) -> None:
    code, said, receipt = verify("--threshold", "raw.mean:1%")
    assert (code, receipt) == (2, None)
    assert "add --measure" in said
    assert verify("--threshold", "data_p1e4.npz:sha256:exact")[0] == 0
    # Those of the project count, and are in the receipt.
    (here / "pyproject.toml").write_text('[tool.d0parity.thresholds]\n"raw.mean" = "1%"\n')
    edit(here / "parity" / LOG, lambda log: log["datasets"][0]["stats"]["raw"].update(mean=0))
    assert verify("--measure")[0] == 3
    _, _, receipt = verify("--measure", "--threshold", "raw.mean:inf")
    assert (receipt["verdict"], receipt["thresholds"]) == ("within_thresholds", ["raw.mean:1%", "raw.mean:inf"])


def test_a_threshold_for_nothing_is_told(verify: Verify) -> None:
    code, said, _ = verify("--measure", "--threshold", "raw.maen:1%")
    assert code == 0
    assert "no value is called 'raw.maen'" in said


# --- telling, and ending -------------------------------------------------------------------------


def test_quiet(verify: Verify, here: Path) -> None:
    assert verify("-q")[:2] == (0, "")
    (here / "sweep" / "data_p1e4.npz").unlink()
    code, said, _ = verify("-q")
    assert code == 3
    assert "data_p1e4.npz  missing" in said


def test_a_receipt_that_cannot_be_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").touch()
    assert main(["verify", f"parity/{LOG}", "--output", "file"]) == 1
    assert "output file is a file; a folder is needed" in capsys.readouterr().err


def test_a_check_that_fails_leaves_no_earlier_receipt(here: Path) -> None:
    assert main(["verify", f"parity/{LOG}", "--output", "out"]) == 0
    assert main(["verify", "nowhere.json", "--output", "out"]) == 1
    assert list((here / "out").iterdir()) == []


def test_nothing_is_written_where_nobody_asks_for_a_receipt(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARTIFACT_DIR", "artifacts")
    before = sorted(here.rglob("*"))
    assert main(["verify", f"parity/{LOG}"]) == 0
    assert sorted(here.rglob("*")) == before
    assert "Send back" not in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs another user to be refused")
def test_a_file_that_may_not_be_read(here: Path) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*as_nobody, *COMMAND, "--help"], check=False, capture_output=True, timeout=120).returncode:
        pytest.skip("the other user cannot run this Python")
    with tempfile.TemporaryDirectory() as name:  # the folders around tmp_path are closed to others
        folder = Path(name)
        shutil.copytree(here, folder, dirs_exist_ok=True)
        for path in (folder, folder / "sweep", folder / "parity"):
            path.chmod(0o777)
        (folder / "sweep" / "data_p1e4.npz").chmod(0)
        command = [*as_nobody, *COMMAND, "verify", f"parity/{LOG}", "--output", "receipt"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")
    assert "data_p1e4.npz  not checked   it cannot be read: permission denied" in done.stdout
    assert "data_p1e6.npz  same" in done.stdout


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_what_ends_it_leaves_a_receipt(here: Path, name: str, code: int) -> None:
    # One file that takes minutes to hash.
    with (here / "sweep" / "data_p1e9.npz").open("wb") as file:
        file.truncate(300 << 30)
    edit(
        here / "parity" / LOG,
        lambda log: log["datasets"].append({"filename": "data_p1e9.npz", "sha256": "0" * 64, "size_bytes": 300 << 30}),
    )
    command = [*COMMAND, "verify", f"parity/{LOG}", "--output", "receipt"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here) as process:
        wait_for(lambda: reads(process.pid, "data_p1e9.npz"), "the last file is read")
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, f"note: interrupted by {'Ctrl-C' if name == 'SIGINT' else name}\n")
    assert out.startswith("incomplete: ")
    receipt = json.loads((here / "receipt" / "dose_parity_receipt.json").read_text(encoding="utf-8"))
    found = outcomes(receipt)
    assert found.pop("data_p1e9.npz") == "not_checked"
    assert set(found) == {"data_p1e4.npz", "data_p1e6.npz"}
    assert set(found.values()) <= {"same", "not_checked"}  # hashed at the same time as the large one


def test_the_real_sweep(photon_grid: Path, tmp_path: Path) -> None:
    options = ("--dataset-root", photon_grid, "--baseline-params", photon_grid / "params.dill")
    assert d0parity("log", *options, "--output", tmp_path / "parity").returncode == 0
    done = d0parity("verify", tmp_path / "parity" / LOG, *options, "--measure", "--output", tmp_path / "receipt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 same" in done.stdout


def test_a_log_that_lies_beside_its_files_means_these(
    here: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever one stands, and whatever folder it names."""
    shutil.copytree(here / "sweep", here / "theirs")
    shutil.copy(here / "parity" / LOG, here / "theirs" / LOG)
    (here / "away").mkdir()
    monkeypatch.chdir(here / "away")
    code, said, _ = verify(log=f"../theirs/{LOG}")
    assert code == 0, said
    assert said.startswith("match: ")
    assert "of ../theirs: " in said.splitlines()[0]
    next((here / "theirs").glob("*.npz")).unlink()
    assert verify(log=f"../theirs/{LOG}")[0] == 3


def test_why_values_that_were_measured_again_differ(verify: Verify, here: Path) -> None:
    path = here / "sweep" / "data_p1e4.npz"
    content = arrays(path)
    np.savez(path, **content | {"diff3d": content["diff3d"] * np.float32(2)})
    code, said, receipt = verify("--measure")
    assert code == 3
    assert "data_p1e4.npz: every statistic of raw is the reference's times 2.0000. Next: " in said
    assert [each["proof"] for each in receipt["findings"]] == ["factor"]
    code, said, receipt = verify()
    assert (code, receipt["findings"]) == (3, [])
