"""Attachments, and the way of a bundle from the sender to the receiver and back as a receipt."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import bagit
import numpy as np
import pytest

from pytest_d0parity.cli import main
from tests.support.command import LOG, d0parity
from tests.support.handover import Verify, edit, outcomes, remark

FILES = {"baseline_model.h5": b"\x89HDF model" * 100, "train/recon.dill": b"cos\nsystem\n", "test/recon.dill": b"other"}


@pytest.fixture
def attached(here: Path) -> Path:
    """A log with three attachments, two of which have the same last part."""
    for name, content in FILES.items():
        (here / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "run" / name).write_bytes(content)
    assert log("--output", "parity") == 0
    return here


def log(*options: str) -> int:
    files = ["model=run/baseline_model.h5", "run/train/recon.dill", "run/test/recon.dill"]
    attach = [word for file in files for word in ("--attach", file)]
    params = ["--baseline-params", "sweep/params.dill"]
    return main(["log", "--dataset-root", "sweep", "--scenario-id", "T", *params, *attach, *options, "-q"])


def make_keys_and_sign() -> None:
    for command in ("genpkey -algorithm ed25519 -out key.pem", "pkey -in key.pem -pubout -out public.pem"):
        subprocess.run(["openssl", *command.split()], check=True, timeout=120)
    assert main(["attest", f"parity/{LOG}", "--key", "key.pem"]) == 0


@pytest.fixture
def signed_bag(attached: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A signed bundle with attachments, and beside it the public key."""
    make_keys_and_sign()
    assert main(["bundle", f"parity/{LOG}", "--output", "bag", "-q"]) == 0
    capsys.readouterr()
    return attached / "bag"


def content_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_log_holds_what_is_attached(attached: Path) -> None:
    assert content_of(attached / "parity" / LOG)["attachments"] == [
        {
            "name": name,
            "role": role,
            "path": f"run/{name}",
            "size_bytes": len(FILES[name]),
            "sha256": hashlib.sha256(FILES[name]).hexdigest(),
        }
        for name, role in (("baseline_model.h5", "model"), ("train/recon.dill", None), ("test/recon.dill", None))
    ]


@pytest.mark.parametrize("level", ["bytes", "statistics"])
def test_another_file_is_drift_at_both_levels(attached: Path, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    (attached / "run" / "test" / "recon.dill").write_bytes(b"Other")
    options = ("--reference", f"parity/{LOG}", "--compare", level, "--output", "again")
    assert log(*options) == 3
    written = content_of(attached / "again" / LOG)
    assert [each["where"] for each in written["drift"]] == ["attachments.test/recon.dill.sha256"]
    assert written["findings"][0]["sentence"] == "1 attachment differs: test/recon.dill is another file"
    assert log(*options, "--threshold", "attachments.test/recon.dill:ignore") == 0
    assert content_of(attached / "again" / LOG)["verdict"] == "within_thresholds"
    capsys.readouterr()


def test_one_that_is_not_attached_is_missed(attached: Path) -> None:
    options = ["--dataset-root", "sweep", "--baseline-params", "sweep/params.dill", "--attach", "run/baseline_model.h5"]
    assert main(["log", *options, "--reference", f"parity/{LOG}", "--output", "again", "-q"]) == 3
    (finding,) = content_of(attached / "again" / LOG)["findings"]
    assert "train/recon.dill is not attached here, test/recon.dill is not attached here" in finding["sentence"]
    assert "--attach" in finding["advice"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--attach", "run/a.h5", "--attach", "./run/a.h5"], "./run/a.h5 is attached twice; name it once"),
        (["--attach", "model="], "names no file"),
        (["--attach", "run/"], "names no file"),
    ],
)
def test_what_is_no_attachment(here: Path, given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "--dataset-root", "sweep", *given, "--output", "out"]) == 2
    assert said in capsys.readouterr().err.replace("'model='", "model=")
    assert not (here / "out").exists()


def test_one_that_cannot_be_read_is_an_error_of_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "--dataset-root", "sweep", "--attach", "nowhere.h5", "--output", "out"]) == 1
    said = capsys.readouterr().err
    assert "attachments:nowhere.h5: the attachment nowhere.h5 cannot be read: there is no such file" in said
    assert len(content_of(here / "out" / LOG)["datasets"]) == 2


def test_verify_looks_at_those_that_are_there(attached: Path, verify: Verify) -> None:
    code, said, receipt = verify()
    assert (code, outcomes(receipt)["attachments/train/recon.dill"]) == (0, "same")
    (attached / "run" / "train" / "recon.dill").unlink()
    code, said, receipt = verify()
    assert code == 0
    assert "not looked at: 1 attachment: train/recon.dill; name them by --attach FILE" in said
    (attached / "train").mkdir()
    (attached / "train" / "recon.dill").write_bytes(b"cos")
    code, said, receipt = verify("--attach", "train/recon.dill")
    assert (code, outcomes(receipt)["attachments/train/recon.dill"]) == (3, "damaged")
    assert remark(receipt, "attachments/train/recon.dill").startswith(
        "3 of 11 bytes: cut off on the way, or another file: ask"
    )
    code, said, receipt = verify("--attach", "elsewhere/model.h5")
    assert code == 2
    assert "the log tells of no attachment elsewhere/model.h5; it tells of baseline_model.h5" in said


def test_a_log_cannot_lead_to_any_file_by_its_attachments(attached: Path, verify: Verify) -> None:
    def lead(log: Any) -> None:
        log["attachments"][0].update(path="/etc/passwd")
        log["attachments"][1].update(name="../outside")

    edit(attached / "parity" / LOG, lead)
    code, said, receipt = verify()
    assert (code, outcomes(receipt)["attachments/../outside"]) == (1, "not_checked")
    assert "not looked at: 1 attachment: baseline_model.h5; name them by --attach FILE" in said
    assert main(["bundle", f"parity/{LOG}", "--output", "out"]) == 1


def test_from_the_sender_to_the_receiver_and_back(
    attached: Path, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed, with attachments, compressed: and with a flipped byte."""
    make_keys_and_sign()
    assert main(["bundle", f"parity/{LOG}", "--output", "b.tar.gz", "--contact", "d0@example.org"]) == 0
    assert "Check it: d0parity verify b.tar.gz --public-key public.pem" in capsys.readouterr().out
    with tarfile.open("b.tar.gz") as archive:
        archive.extractall("received", filter="data")
    readme = Path("received/d0parity-T/README.md").read_text(encoding="utf-8")
    to_der = ["openssl", "pkey", "-pubin", "-in", "public.pem", "-outform", "DER"]
    der = subprocess.run(to_der, capture_output=True, check=True, timeout=120)
    assert f"    {hashlib.sha256(der.stdout).hexdigest()}" in readme
    assert "to `d0@example.org`. It names the files that lie in this folder, also such\n" in readme
    assert "no file that lies elsewhere." in readme
    assert "no other files of yours" not in readme
    assert "a file of the baseline run: model |" in readme
    assert (
        "| data/attachments/train/recon.dill | a file of the baseline run; it may be a pickle: do not load it |"
        in readme
    )
    # As the receiver does it who follows the README to the letter.
    (command,) = [line.strip() for line in readme.splitlines() if line.strip().startswith("d0parity verify")]
    shutil.copy("public.pem", "received/public.pem")
    done = d0parity(*command.split()[1:], cwd="received/d0parity-T")
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "match"), done.stdout + done.stderr
    assert (
        "the signature covers the log, and what that holds the SHA-256 of; all else is as the manifest" in done.stdout
    )
    (command,) = [line.strip() for line in readme.splitlines() if line.strip().startswith("sha256sum -c")]
    assert subprocess.run(command, shell=True, cwd="received/d0parity-T", check=False, timeout=120).returncode == 0
    sums = Path("received/d0parity-T/data/SHA256SUMS").resolve()
    done = subprocess.run(["sha256sum", "-c", "--quiet", sums], cwd=sums.parent / "datasets", check=False, timeout=120)
    assert done.returncode == 0

    code, said, receipt = verify(log="b.tar.gz")
    assert code == 0
    assert said.splitlines()[0].endswith("; a signature is there, and was not checked")
    code, said, receipt = verify("--public-key", "public.pem", log="b.tar.gz")
    assert (code, receipt["has_unchecked_signature"]) == (0, False)
    assert outcomes(receipt)["data/attachments/train/recon.dill"] == "same"
    lists = ", 11 of them by the bundle's own lists, which --log BUNDLE holds against yours"
    for sent, key, how in (("parity/" + LOG, (), lists), ("b.tar.gz", ("--public-key", "public.pem"), "")):
        code = main(["verify", "receipt/dose_parity_receipt.json", "--log", sent, *key])
        said = capsys.readouterr().out
        assert code == 0
        assert said.splitlines()[0] == f"match: 18 of 18 files are as they were sent{how} (sizes and SHA-256 compared)"
        assert "the receipt is about this very log, " in said
    subprocess.run("openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out other.pem", shell=True, check=True)
    receipt_of = ["verify", "receipt/dose_parity_receipt.json", "--log", f"parity/{LOG}"]
    assert main([*receipt_of, "--public-key", "other.pem"]) == 1
    assert "the signature was checked by the key " in capsys.readouterr().out
    whole = content_of(Path("receipt/dose_parity_receipt.json"))
    for change, doubt in (
        (lambda content: content["files"].pop(), "it says nothing of"),
        (lambda content: content.update(attestation=None), "the signature was not checked; it should hold for the key"),
        (lambda content: content["attestation"].update(result="FAILED"), "of an attestation that does not hold"),
        (lambda content: content["attestation"].update(faults=["x"], key_id=None), "the signature did not hold"),
        (lambda content: content.update(files=[*content["files"], content["files"][0]]), "it tells twice of"),
        (lambda content: content.update(differences=[{"verdict": "drift"}]), "lists values that drift"),
    ):
        edited = json.loads(json.dumps(whole))
        edited["files"] = [each for each in edited["files"] if "attachments" not in each["name"]] + [
            each for each in edited["files"] if "attachments" in each["name"]
        ]
        change(edited)
        Path("receipt/dose_parity_receipt.json").write_text(json.dumps(edited), encoding="utf-8")
        assert main([*receipt_of, "--public-key", "public.pem"]) == 1
        assert doubt in capsys.readouterr().out
    edited = whole | {"verdict": "drift", "attestation": None}
    Path("receipt/dose_parity_receipt.json").write_text(json.dumps(edited), encoding="utf-8")
    assert main([*receipt_of, "--public-key", "public.pem"]) == 3
    assert "the signature was not checked" in capsys.readouterr().out
    Path("receipt/dose_parity_receipt.json").write_text(json.dumps(whole), encoding="utf-8")
    assert main([*receipt_of, "--measure"]) == 2
    assert "--measure: a receipt is only read" in capsys.readouterr().err
    assert main(receipt_of) == 0
    said = capsys.readouterr().out
    assert f"signed by the key {hashlib.sha256(der.stdout).hexdigest()}" in said

    packed = gzip.decompress(Path("b.tar.gz").read_bytes())
    place = packed.index(b"\x89HDF model") + 500
    Path("b.tar.gz").write_bytes(gzip.compress(packed[:place] + b"!" + packed[place + 1 :]))
    code, said, receipt = verify("--public-key", "public.pem", log="b.tar.gz")
    assert (code, outcomes(receipt)["data/attachments/baseline_model.h5"]) == (3, "changed")
    assert "damaged on the way, or changed by somebody: ask for it again" in said
    code = main(["verify", "receipt/dose_parity_receipt.json", "--log", f"parity/{LOG}"])
    said = capsys.readouterr().out
    assert code == 3
    assert said.startswith("drift: 17 of 18 files are as they were sent")
    assert "1 changed: data/attachments/baseline_model.h5 (damaged on the way" in said


def test_a_compressed_bundle_is_the_same_each_time_and_unpacked_by_tar(attached: Path) -> None:
    for name in ("one.tgz", "two.tar.gz"):
        assert main(["bundle", f"parity/{LOG}", "--output", name, "-q"]) == 0
    assert Path("one.tgz").read_bytes() == Path("two.tar.gz").read_bytes()
    subprocess.run(["tar", "xzf", "one.tgz"], check=True, timeout=120)
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "manifest-sha256.txt", "tagmanifest-sha256.txt"],
        check=False,
        cwd="d0parity-T",
        timeout=120,
    )
    assert done.returncode == 0


@pytest.mark.parametrize("share", [0.05, 0.5, 0.999])
def test_a_compressed_bundle_that_is_cut_off(attached: Path, verify: Verify, share: float) -> None:
    assert main(["bundle", f"parity/{LOG}", "--output", "b.tar.gz", "-q"]) == 0
    data = Path("b.tar.gz").read_bytes()
    Path("b.tar.gz").write_bytes(data[: int(len(data) * share)])
    code, said, _ = verify(log="b.tar.gz")
    assert code in (1, 3)
    assert "b.tar.gz" in said
    assert "is truncated or damaged (" in said
    assert "ask for it again" in said
    assert "Traceback" not in said


def test_a_compressed_bundle_that_is_made_to_fill_the_disk(here: Path, verify: Verify) -> None:
    with gzip.open("bomb.tar.gz", "wb", compresslevel=9) as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    code, said, _ = verify(log="bomb.tar.gz")
    assert code == 1
    assert "expands to more than 200 times its size, and is not read" in said


def test_an_attachment_that_is_not_where_the_log_says(attached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (attached / "run").rename(attached / "elsewhere")
    assert main(["bundle", f"parity/{LOG}", "--output", "out"]) == 1
    assert "run/baseline_model.h5 cannot be bundled: there is no such file" in capsys.readouterr().err
    files = [word for name in FILES for word in ("--attach", f"elsewhere/{name}")]
    assert main(["bundle", f"parity/{LOG}", "--output", "out", *files]) == 0


def test_attachments_are_subjects_of_the_statement(attached: Path) -> None:
    assert main(["attest", f"parity/{LOG}"]) == 0
    statement = content_of(attached / "parity" / "dose_parity_statement.json")
    assert [each["name"] for each in statement["subject"]][-3:] == [
        *("attachments/baseline_model.h5", "attachments/train/recon.dill", "attachments/test/recon.dill"),
    ]


# --- what strangers meet -------------------------------------------------------------------------


@pytest.fixture
def bag(here: Path) -> Path:
    assert main(["bundle", f"parity/{LOG}", "--output", "bag", "-q"]) == 0
    return here / "bag"


def test_what_systems_strew_is_named_and_no_drift(bag: Path, verify: Verify) -> None:
    for name in (".DS_Store", "data/datasets/._data_p1e4.npz", "data/Thumbs.db", "__MACOSX/data/x"):
        (bag / name).parent.mkdir(parents=True, exist_ok=True)
        (bag / name).write_bytes(b"litter")
    code, said, receipt = verify(log="bag")
    assert (code, receipt["verdict"]) == (0, "match")
    assert sorted(receipt["litter"]) == [
        *(".DS_Store", "__MACOSX/data/x", "data/Thumbs.db", "data/datasets/._data_p1e4.npz"),
    ]
    assert "left aside, for systems strew such files: " in said
    (bag / "data" / "notes.txt").write_text("mine")
    assert verify(log="bag")[0] == 3


def manifests_anew(bag: Path) -> None:
    """Make the manifests of a bag as anybody can."""
    for manifest, names in (
        ("manifest-sha256.txt", [path for path in bag.rglob("*") if "data" in path.relative_to(bag).parts]),
        ("tagmanifest-sha256.txt", [path for path in bag.iterdir() if path.name != "tagmanifest-sha256.txt"]),
    ):
        files = [str(path.relative_to(bag)) for path in sorted(names) if path.is_file()]
        done = subprocess.run(["sha256sum", *files], cwd=bag, capture_output=True, check=True, timeout=120)
        (bag / manifest).write_bytes(done.stdout)
    info = re.sub("(?m)^Payload-Oxum.*\n", "", (bag / "bag-info.txt").read_text())
    (bag / "bag-info.txt").write_text(info)


def test_what_the_log_does_not_tell_of_is_too_many_whatever_the_manifests_list(bag: Path, verify: Verify) -> None:
    shutil.copy(bag / "data" / "datasets" / "data_p1e4.npz", bag / "data" / "datasets" / "data_p2e5.npz")
    (bag / "data" / "attachments").mkdir()
    (bag / "data" / "attachments" / "setup.exe").write_bytes(b"MZ")
    for _ in range(2):  # the second one lists the first, and what became of the bag's own description
        manifests_anew(bag)
    code, said, receipt = verify(log="bag")
    found = outcomes(receipt)
    assert code == 3
    assert {name for name, outcome in found.items() if outcome != "same"} == {
        *("data/attachments/setup.exe", "data/datasets/data_p2e5.npz"),
    }
    assert set(found.values()) == {"same", "extra"}
    assert "extra         the log does not tell of it" in said


def test_a_signature_that_was_taken_away(signed_bag: Path, verify: Verify) -> None:
    (signed_bag / "data" / "dose_parity_attestation.json").unlink()
    for _ in range(2):
        manifests_anew(signed_bag)
    code, said, receipt = verify("--public-key", "public.pem", log="bag")
    assert (code, receipt["verdict"]) == (3, "drift")
    assert said.startswith("drift: the attestation does not hold")
    assert "it is not there, and a signature was asked for" in said


def test_an_attestation_that_is_none_is_told_once(signed_bag: Path, verify: Verify) -> None:
    attestation = signed_bag / "data" / "dose_parity_attestation.json"
    whole = attestation.read_bytes()
    envelope = json.loads(whole)
    other = base64.b64encode(b'{"_type": "https://in-toto.io/Statement/v1"}').decode()
    for data, fault in (
        (b"hello", "cannot be read as an attestation"),
        (b'{"payload": "aGVsbG8="}', "cannot be read as an attestation"),
        (json.dumps(envelope | {"payload": other}).encode(), "is about another log than the one beside it"),
    ):
        attestation.write_bytes(data)
        for _ in range(2):
            manifests_anew(signed_bag)
        code, _, receipt = verify(log="bag")
        contradiction = f"data/dose_parity_attestation.json {fault}"
        assert (code, receipt["problems"]) == (3, [contradiction])
        code, said, receipt = verify("--public-key", "public.pem", log="bag")
        assert (code, receipt["problems"], len(receipt["attestation"]["faults"])) == (3, [], 1)
        assert said.count("data/dose_parity_attestation.json: ") == 1
        # Another attestation says nothing of the one in the bundle.
        options = ("--public-key", "public.pem", "--attestation", "parity/dose_parity_attestation.json")
        code, _, receipt = verify(*options, log="bag")
        assert (code, receipt["problems"], receipt["attestation"]["faults"]) == (3, [contradiction], [])


def test_a_signature_that_cannot_be_checked_for_lack_of_a_log(signed_bag: Path, verify: Verify) -> None:
    (signed_bag / "data" / LOG).write_text("{")
    _, said, _ = verify("--public-key", "public.pem", log="bag")
    assert said.splitlines()[0].endswith("; a signature is there, and could not be checked, for the log cannot be read")


def test_a_damaged_log_is_told_as_that(signed_bag: Path, verify: Verify) -> None:
    log = signed_bag / "data" / LOG
    whole = log.read_bytes()
    for damaged in (whole.replace(b'"T"', b'"U"', 1), b"\x00" + whole[1:]):
        assert damaged != whole
        log.write_bytes(damaged)
        code, said, _ = verify("--public-key", "public.pem", log="bag")
        assert code == 3
        assert said.startswith("drift: the log itself was damaged or changed on the way: ask for it again")


def test_a_file_that_was_renamed_on_the_way(here: Path, bag: Path, verify: Verify) -> None:
    for folder, log in (("sweep", f"parity/{LOG}"), ("bag/data/datasets", "bag")):
        (here / folder / "data_p1e4.npz").rename(here / folder / "data_p1e4 (1).npz")
        code, said, receipt = verify(log=log)
        name = "data_p1e4.npz" if log != "bag" else "data/datasets/data_p1e4.npz"
        assert (code, outcomes(receipt)[name]) == (3, "missing")
        assert "data_p1e4 (1).npz has its bytes: rename it" in remark(receipt, name)
    assert "it has the bytes of data/datasets/data_p1e4.npz" in said


def test_a_bag_whose_folders_were_lost(bag: Path, verify: Verify) -> None:
    for path in [*bag.rglob("*")]:
        if path.is_file():
            path.rename(bag / path.name)
    (bag / "data").mkdir(exist_ok=True)
    (bag / LOG).rename(bag / "data" / LOG)
    code, _, receipt = verify(log="bag")
    assert code == 3
    assert remark(receipt, "data/datasets/data_p1e4.npz") == "data_p1e4.npz has its bytes: rename it"


def test_a_folder_in_which_nothing_is(here: Path, verify: Verify) -> None:
    (here / "up").mkdir()
    code, said, _ = verify("--dataset-root", "up")
    assert code == 3
    assert "none of the datasets is in up; name their folder by --dataset-root\n" in said
    shutil.copytree("sweep", "up/his")
    _, said, _ = verify("--dataset-root", "up")
    assert "none of the datasets is in up; name their folder by --dataset-root: they are in up/his\n" in said


def test_what_is_within_thresholds_is_not_called_the_same(here: Path, verify: Verify, capsys: Any) -> None:
    with np.load("sweep/data_p1e4.npz") as npz:
        arrays = dict(npz)
    np.savez("sweep/data_p1e4.npz", **arrays | {"diff3d": arrays["diff3d"] * np.float32(1.02)})
    code, said, receipt = verify("--compare", "statistics")
    assert (code, outcomes(receipt)["data_p1e4.npz"]) == (3, "changed")
    assert remark(receipt, "data_p1e4.npz").startswith("not as in the log: raw.")
    for limit in ("*:50%", "*:ignore"):
        code, said, receipt = verify("--compare", "statistics", "--threshold", limit)
        if limit == "*:50%":
            assert (code, receipt["verdict"], outcomes(receipt)["data_p1e4.npz"]) == (0, "within_thresholds", "agrees")
        assert "array" not in remark(receipt, "data_p1e4.npz")
        code = main(["verify", "receipt/dose_parity_receipt.json", "--log", f"parity/{LOG}"])
        said = capsys.readouterr().out
        assert "1 of 2 files are as they were sent (every value measured again)" in said
        assert f"compared at the level statistics, thresholds: {limit}" in said


def test_values_within_thresholds_of_a_bundle_are_not_called_the_same(bag: Path, verify: Verify) -> None:
    dataset = bag / "data" / "datasets" / "data_p1e4.npz"
    with np.load(dataset) as npz:
        arrays = dict(npz)
    np.savez(dataset, **arrays | {"diff3d": arrays["diff3d"] * np.float32(1.02)})
    for _ in range(2):
        manifests_anew(bag)
    code, _, receipt = verify("--compare", "statistics", "--threshold", "*:5%", log="bag")
    assert (code, outcomes(receipt)["data/datasets/data_p1e4.npz"]) == (3, "changed")
    assert remark(receipt, "data/datasets/data_p1e4.npz").endswith("; the values are within their thresholds")


def test_a_manifest_that_is_wrong_about_a_dataset(bag: Path, verify: Verify) -> None:
    manifest = bag / "manifest-sha256.txt"
    lines = manifest.read_text().splitlines()
    changed = ["0" * 64 + line[64:] if line.endswith("data_p1e4.npz") else line for line in lines]
    manifest.write_text("\n".join(changed) + "\n")
    code, _, receipt = verify(log="bag")
    assert (code, outcomes(receipt)["data/datasets/data_p1e4.npz"]) == (3, "contradicted")
    said = "its bytes are those of the log, and manifest-sha256.txt was changed or damaged"
    assert remark(receipt, "data/datasets/data_p1e4.npz") == said


def test_quiet_names_what_is_wrong_alone(here: Path, capsys: Any) -> None:
    (here / "sweep" / "data_p1e4.npz").unlink()
    assert main(["verify", f"parity/{LOG}", "--dataset-root", "sweep", "-q"]) == 3
    said = capsys.readouterr().err
    assert "data_p1e4.npz  missing" in said
    assert "data_p1e6.npz" not in said


def test_a_receipt_keeps_the_folders_of_the_receiver_to_itself(here: Path, verify: Verify) -> None:
    code, _, receipt = verify("--dataset-root", str(here / "sweep"), log=str(here / "parity" / LOG))
    assert code == 0
    assert (receipt["checked"], receipt["log"]["path"]) == ("sweep", LOG)
    assert str(here) not in json.dumps(receipt)


def test_a_receipt_keeps_no_folder_in_any_of_its_words(signed_bag: Path, verify: Verify) -> None:
    here = signed_bag.parent
    (signed_bag / "data" / LOG).write_text("{")
    (signed_bag / "data" / "datasets" / "data_p1e4.npz").unlink()
    (signed_bag / "data" / "datasets" / "data_p1e4.npz").symlink_to("/etc/passwd")
    _, said, bundled = verify(log=f"{signed_bag}/")
    assert f"log {signed_bag}" in said
    assert any(
        "log bag/" in problem and problem.endswith("column 2: Expecting property name enclosed in double quotes)")
        for problem in bundled["problems"]
    ), bundled["problems"]
    assert "it is a link that leaves bag" in remark(bundled, "data/datasets/data_p1e4.npz")
    written = [path.read_text(encoding="utf-8") for path in (here / "receipt").iterdir()]

    (here / "other.json").write_text("hello")
    (here / "sweep" / "params.dill").write_bytes(b"\x80\x04")
    (here / "away").mkdir()
    options = ["--dataset-root", here / "away", "--baseline-params", here / "sweep" / "params.dill"]
    options += ["--attach", here / "run" / "baseline_model.h5", "--attestation", here / "other.json"]
    code, said, receipt = verify(*options, "--public-key", "public.pem", log=here / "parity" / LOG)
    assert code == 3
    assert f"{here}/other.json: " in said
    assert receipt["problems"] == ["none of the datasets is in away; name their folder by --dataset-root"]
    assert (receipt["attestation"]["path"], receipt["log"]["path"], receipt["checked"]) == ("other.json", LOG, "away")
    assert outcomes(receipt)["params.dill"] == "damaged"
    written += [path.read_text(encoding="utf-8") for path in (here / "receipt").iterdir()]
    assert len(written) == 4
    assert not [text for text in written if str(here) in text.replace("\\", "")]


def test_the_attestation_beside_a_log_keeps_its_folder_to_itself(signed_bag: Path, verify: Verify) -> None:
    _, _, receipt = verify("--public-key", "public.pem", log=signed_bag.parent / "parity" / LOG)
    assert receipt["attestation"]["path"] == "dose_parity_attestation.json"
    assert str(signed_bag.parent) not in json.dumps(receipt)


def test_what_only_looks_like_a_path_that_was_given(here: Path, verify: Verify) -> None:
    """The end of a relative path, and the beginning of a longer name."""
    root = here / "sweep"
    (here / "parity" / "s").mkdir()
    edit(here / "parity" / LOG, lambda log: log["datasets"][0].update(filename=f"a{root}", size_bytes="x"))
    edit(here / "parity" / LOG, lambda log: log["datasets"][1].update(filename=f"b {root}.npz", size_bytes="x"))
    _, _, receipt = verify("--dataset-root", root)
    assert {f"a{root}", f"b {root}.npz"} <= outcomes(receipt).keys()


def test_a_log_in_a_bag_means_the_bag(bag: Path, verify: Verify) -> None:
    code, said, receipt = verify(log=f"bag/data/{LOG}")
    assert code == 0
    assert outcomes(receipt)["manifest-sha256.txt"] == "same"
    assert f"bag/data/{LOG} lies in a bundle, so that the bundle is checked: bag" in said


def test_a_part_of_the_datasets(here: Path, bag: Path, verify: Verify) -> None:
    for place, where, options in (("sweep", f"parity/{LOG}", ()), ("bag/data/datasets", "bag", ())):
        (here / place / "data_p1e6.npz").unlink()
        code, said, receipt = verify(*options, log=where)
        assert code == 3, said
        code, said, receipt = verify(*options, "--limit-datasets", "data_p1e4.npz", log=where)
        assert (code, receipt["verdict"]) == (0, "match"), said
        assert "1 dataset left out by --limit-datasets: data_p1e6.npz" in said
        code, said, _ = verify("--limit-datasets", "data_p1e5.npz", log=where)
        assert code == 2
        assert "the log tells of no data_p1e5.npz; it tells of data_p1e4.npz, data_p1e6.npz" in said


def test_a_receipt_of_another_log_and_one_that_lies(here: Path, verify: Verify, capsys: Any) -> None:
    verify()
    path = here / "receipt" / "dose_parity_receipt.json"
    assert main(["verify", str(path)]) == 2
    assert "is a receipt: name the log that you sent, by --log LOG" in capsys.readouterr().err
    whole = content_of(path)
    shutil.copytree("parity", "other")
    edit(here / "other" / LOG, lambda log: log["metadata"].update(scenario_id="U"))
    assert main(["verify", str(path), "--log", f"other/{LOG}"]) == 1
    assert "incomplete: the receipt is about the log " in capsys.readouterr().out
    for change in (
        lambda receipt: receipt.update(files=receipt["files"][:1]),
        lambda receipt: receipt.update(problems=["it burns"]),
        lambda receipt: receipt.update(attestation={"faults": ["it does not hold"]}),
        lambda receipt: receipt["files"][0].update(outcome="agrees"),
        lambda receipt: receipt["files"][0].update(observed_sha256="0" * 64),
        lambda receipt: receipt["files"][0].update(outcome="changed"),
        lambda receipt: receipt.update(verdict="splendid"),
        lambda receipt: receipt.update(files=[]),
        lambda receipt: receipt["files"].append({"name": "evil.npz", "outcome": "same", "observed_sha256": "1" * 64}),
    ):
        receipt = json.loads(json.dumps(whole))
        change(receipt)
        path.write_text(json.dumps(receipt), encoding="utf-8")
        assert main(["verify", str(path), "--log", f"parity/{LOG}"]) == 1
        said = capsys.readouterr().out
        assert said.startswith(
            "incomplete: the receipt does not show what it should, or contradicts the log or itself\n"
        )
    receipt = {**whole, "files": whole["files"][:1]}
    path.write_text(json.dumps(receipt), encoding="utf-8")
    part = ["verify", str(path), "--log", f"parity/{LOG}", "--limit-datasets", receipt["files"][0]["name"]]
    assert main(part) == 0
    assert capsys.readouterr().out.startswith("match: 1 of 1 file are")
    for files in ("none", [1]):
        path.write_text(json.dumps({**whole, "files": files}), encoding="utf-8")
        assert main(part) == 1
        assert "is damaged, for it does not tell of files: ask for it again" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:100])
    assert main(part) == 1
    assert "is no dose_parity_receipt.json, or a damaged one" in capsys.readouterr().err
    path.write_text(json.dumps({**whole, "receipt_version": 2}), encoding="utf-8")
    assert main(["verify", str(path), "--log", f"parity/{LOG}"]) == 1
    assert "has version 2" in capsys.readouterr().err
    assert main(["verify", f"parity/{LOG}", "--log", f"parity/{LOG}"]) == 2


def test_the_bundle_that_was_sent_knows_every_file_of_it(bag: Path, verify: Verify, capsys: Any) -> None:
    assert main(["bundle", f"parity/{LOG}", "--output", "sent.tar", "-q"]) == 0
    page = bag / "data" / "dose_parity_report.html"
    page.write_bytes(page.read_bytes().replace(b"D0 parity", b"D1 parity"))
    bagit.Bag(str(bag)).save(manifests=True)
    code, _, receipt = verify(log="bag")
    assert (code, receipt["verdict"]) == (0, "match")  # anybody can write a page, and its manifests
    back = ["verify", "receipt/dose_parity_receipt.json", "--log"]
    assert main([*back, "sent.tar"]) == 1
    said = capsys.readouterr().out
    assert "it calls data/dose_parity_report.html the same, with another SHA-256 than what was sent" in said
    assert main([*back, f"parity/{LOG}"]) == 0
    assert "by the bundle's own lists, which --log BUNDLE holds against yours" in capsys.readouterr().out


def test_a_receipt_with_invented_hashes_and_files(bag: Path, verify: Verify, capsys: Any) -> None:
    assert main(["bundle", f"parity/{LOG}", "--output", "sent.tar", "-q"]) == 0
    _, _, whole = verify("--baseline-params", "sweep/params.dill")
    _, _, bundled = verify(log="bag")
    for sent in ("sent.tar", f"parity/{LOG}"):
        for receipt, name in ((bundled, "data/params.dill"), (bundled, "data/evil.npz"), (whole, "sweep/params.dill")):
            edited = json.loads(json.dumps(receipt))
            files = [each for each in edited["files"] if each["name"] != name]
            evil = {"name": name, "outcome": "same", "expected_sha256": "1" * 64, "observed_sha256": "1" * 64}
            Path("edited.json").write_text(json.dumps({**edited, "files": [*files, evil]}), encoding="utf-8")
            assert main(["verify", "edited.json", "--log", sent]) == 1, (sent, name)
            assert f"it calls {name} the same, " in capsys.readouterr().out


def test_the_sender_learns_what_the_receiver_saw(bag: Path, verify: Verify, capsys: Any) -> None:
    path = bag / "data" / LOG
    path.write_bytes(path.read_bytes().replace(b'"T"', b'"U"'))
    code, said, _ = verify(log="bag")
    assert code == 3
    assert "the log itself was damaged or changed on the way: ask for it again" in said
    assert main(["verify", "receipt/dose_parity_receipt.json", "--log", f"parity/{LOG}"]) == 3
    said = capsys.readouterr().out
    assert said.startswith("drift: the receipt is about the log ")
    assert " files are as that other log and its lists say (sizes and SHA-256 compared)" in said
    assert "as they were sent" not in said
    assert f"1 changed: data/{LOG} (it or manifest-sha256.txt was damaged on the way, or changed by " in said


def test_a_receipt_that_leaves_out_files_of_the_bundle(bag: Path, verify: Verify, capsys: Any) -> None:
    assert main(["bundle", f"parity/{LOG}", "--output", "sent.tar", "-q"]) == 0
    _, _, whole = verify(log="bag")
    back = ["verify", "edited.json", "--log", "sent.tar"]

    def read_back(names: set[str], *options: str) -> tuple[int, str]:
        files = [each for each in whole["files"] if each["name"] in names]
        Path("edited.json").write_text(json.dumps({**whole, "files": files}), encoding="utf-8")
        return main([*back, *options]), capsys.readouterr().out

    names = {*outcomes(whole)}
    assert read_back(names)[0] == 0
    for name in names:
        code, said = read_back(names - {name})
        assert (code, f"\nit says nothing of {name}" in said) == (1, True), said
        assert ("by --limit-datasets" in said) == ("datasets/" in name)
    dataset = "data/datasets/data_p1e6.npz"
    part = ("--limit-datasets", "data_p1e4.npz")
    assert read_back(names - {dataset}, *part)[0] == 0
    code, said = read_back(names - {dataset, "README.md"}, *part)
    assert (code, "it says nothing of README.md\n" in said) == (1, True)
    # Whoever checked the files beside a log has not checked the bundle.
    verify("--baseline-params", "sweep/params.dill")
    capsys.readouterr()
    assert main(["verify", "receipt/dose_parity_receipt.json", "--log", "sent.tar"]) == 1
    said = capsys.readouterr().out
    assert "it says nothing of " in said
    assert "data_p1e4.npz" not in said.partition("it says nothing of ")[2].splitlines()[0]
    assert "name the log alone by --log LOG" in said


# --- in pytest -----------------------------------------------------------------------------------


def test_a_check_for_each_attachment(pytester: pytest.Pytester, attached: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(attached)
    Path("pyproject.toml").write_text(
        "[tool.d0parity.scenarios.T]\n"
        'dataset_root = "sweep"\nbaseline_params = "sweep/params.dill"\n'
        'attachments = ["model=run/baseline_model.h5", "run/train/recon.dill", "run/test/recon.dill"]\n'
        f'reference = "parity/{LOG}"\n',
        encoding="utf-8",
    )

    def run(*options: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--parity-scenario=T", *options, "-v"]
        done = subprocess.run(
            [*command, "--parity-output=out"], capture_output=True, text=True, check=False, timeout=300
        )
        return done.returncode, done.stdout

    code, said = run()
    assert code == 0, said
    assert "d0parity::test_attachment[train/recon.dill] PASSED" in said
    Path("run/baseline_model.h5").write_bytes(b"retrained")
    code, said = run("-k", "attachment")
    assert code == 1
    assert "d0parity::test_attachment[baseline_model.h5] FAILED" in said
    assert "test_attachment[test/recon.dill] PASSED" in said
    code, said = run("--parity-update-reference")
    assert code == 0, said
    code, said = run()
    assert code == 0, said
    # Without any, there is no such check.
    Path("pyproject.toml").unlink()
    code, said = run("--parity-dataset-root=sweep", "--collect-only")
    assert "test_attachment" not in said
