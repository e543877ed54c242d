"""``d0parity verify BUNDLE``: bags from somebody else."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import bagit
import numpy as np
import pytest

from pytest_d0parity.cli import main
from tests.support.bundles import BASE, MANIFESTS, bagit_says, bundle, sha256sum_says
from tests.support.command import LOG
from tests.support.handover import edit, outcomes, remark
from tests.support.parity import PAGE


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
