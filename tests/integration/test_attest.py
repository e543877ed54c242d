"""Attestations: what is attested, by whom, and whether it holds."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from pytest_d0parity.attest.attestation import check_attestation
from pytest_d0parity.attest.signature import load_public_key
from pytest_d0parity.cli import main
from pytest_d0parity.evidence.file import read_log
from tests.support.command import COMMAND, LOG
from tests.support.handover import edit
from tests.support.parity import Parity

STATEMENT = "dose_parity_statement.json"
ATTESTATION = "dose_parity_attestation.json"

KEYS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


def write_keys(folder: Path, kind: str) -> tuple[Path, Path]:
    private = KEYS[kind]()
    secret, public = folder / f"{kind}.pem", folder / f"{kind}.pub"
    secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return secret, public


@pytest.fixture
def signed(here: Path) -> Path:
    """An attestation that is signed by ``ed25519.pem``, beside the log."""
    secret, _ = write_keys(here, "ed25519")
    assert main(["attest", f"parity/{LOG}", "--key", str(secret)]) == 0
    return here / "parity" / ATTESTATION


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- what is attested ----------------------------------------------------------------------------


def test_the_statement(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attest", f"parity/{LOG}"]) == 0
    assert capsys.readouterr().out == f"PASSED: attested in parity/{STATEMENT}, not signed\n"
    text = (here / "parity" / STATEMENT).read_text(encoding="utf-8")
    content = json.loads(text)
    # As the framework's own package reads it.
    message = json_format.Parse(text, StatementMessage())
    Statement.copy_from_pb(message).validate()
    result = json_format.ParseDict(content["predicate"], test_result_pb2.TestResult())
    assert message.type == "https://in-toto.io/Statement/v1"
    assert message.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert {subject.name: subject.digest["sha256"] for subject in message.subject} == {
        LOG: sha256(here / "parity" / LOG),
        "data_p1e4.npz": sha256(here / "sweep" / "data_p1e4.npz"),
        "data_p1e6.npz": sha256(here / "sweep" / "data_p1e6.npz"),
    }
    (params,) = result.configuration
    assert (params.name, params.digest["sha256"]) == ("params.dill", sha256(here / "sweep" / "params.dill"))
    assert result.result == "PASSED"
    assert list(result.passed_tests) == ["datasets", "data_p1e4.npz", "data_p1e6.npz", "baseline_run"]
    # The same log gives the same.
    assert main(["attest", f"parity/{LOG}", "--output", "again"]) == 0
    assert (here / "again" / STATEMENT).read_text(encoding="utf-8") == text


def predicate(here: Path, folder: str = "parity") -> Any:
    assert main(["attest", f"{folder}/{LOG}"]) == 0
    return json.loads((here / folder / STATEMENT).read_text(encoding="utf-8"))["predicate"]


def test_what_failed_and_what_is_warned_of(here: Path) -> None:
    (here / "sweep" / "data_p1e6.npz").rename(here / "sweep" / "data_p1e5.npz")  # mislabelled
    (here / "sweep" / "data_p1e4.npz").write_bytes(b"broken")
    common = ["log", "--dataset-root", "sweep", "--baseline-params", "sweep/params.dill", "-q"]
    assert main([*common, "--output", "warned"]) == 1
    found = predicate(here, "warned")
    assert found["result"] == "FAILED"
    assert found["failedTests"] == ["data_p1e4.npz"]
    assert found["warnedTests"] == ["data_p1e5.npz"]
    assert found["passedTests"] == ["datasets", "baseline_run"]
    (here / "sweep" / "data_p1e4.npz").unlink()
    assert main([*common, "--output", "warned"]) == 0
    assert predicate(here, "warned")["result"] == "WARNED"

    assert main([*common, "--output", "drift", "--reference", f"parity/{LOG}"]) == 3
    found = predicate(here, "drift")
    assert found["result"] == "FAILED"
    assert found["failedTests"] == ["datasets"]
    assert found["configuration"][1] == {
        "name": "reference.json",
        "digest": {"sha256": sha256(here / "parity" / LOG)},
    }


def test_a_warning_that_is_accepted_is_no_blemish(here: Path) -> None:
    known = {
        "severity": "warning",
        "name": "saturated",
        "where": "data_p1e4.npz:diff3d",
        "message": "m",
        "accepted": True,
    }
    edit(here / "parity" / LOG, lambda log: log["datasets"][0]["problems"].append(known))
    found = predicate(here, "parity")
    assert (found["result"], found["warnedTests"]) == ("PASSED", [])


def test_drift_of_the_baseline_run(here: Path) -> None:
    edit(here / "parity" / LOG, lambda log: log["params"].update(N=1))
    common = ["log", "--dataset-root", "sweep", "--baseline-params", "sweep/params.dill", "-q"]
    assert main([*common, "--output", "drift", "--reference", f"parity/{LOG}"]) == 3
    assert predicate(here, "drift")["failedTests"] == ["baseline_run"]


def test_a_log_without_the_hash_of_its_params(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(here / "parity" / LOG, lambda log: (log["metadata"].pop("params_sha256"), log.update(schema_version=2)))
    assert main(["attest", f"parity/{LOG}"]) == 1
    assert "record the sweep again" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 99, "datasets": []}', '{"datasets": 7}'])
def test_what_is_no_log(here: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.json").write_text(content)
    assert main(["attest", "bad.json"]) == 1
    assert capsys.readouterr().err.startswith("error: log bad.json ")


# --- signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_that_the_library_and_openssl_verify(
    here: Path, kind: str, verify: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, public = write_keys(here, kind)
    before = {path: path.read_bytes() for path in (secret, public)}
    assert main(["attest", f"parity/{LOG}", "--key", str(secret)]) == 0
    said = capsys.readouterr()
    assert {path: path.read_bytes() for path in (secret, public)} == before
    content = json.loads((here / "parity" / ATTESTATION).read_text(encoding="utf-8"))

    envelope = Envelope.from_dict(json.loads(json.dumps(content)))
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"], capture_output=True, check=True, timeout=120
    ).stdout
    fingerprint = hashlib.sha256(der).hexdigest()
    key = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes()), fingerprint)  # type: ignore[arg-type]
    assert list(envelope.verify([key], 1)) == [key.keyid]
    assert key.keyid in said.out
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert main(["attest", f"parity/{LOG}"]) == 0
    assert envelope.payload == (here / "parity" / STATEMENT).read_bytes()

    # By the definition of the envelope: openssl, over the bytes that are signed.
    (here / "pae").write_bytes(
        b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(envelope.payload), envelope.payload)
    )
    (here / "sig").write_bytes(base64.b64decode(content["signatures"][0]["sig"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", "pae", "-sigfile", "sig"]
    if kind == "p384":
        command += ["-digest", "sha384"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here, timeout=120)
    assert "Signature Verified Successfully" in done.stdout, done.stderr

    code, text, receipt = verify("--attestation", f"parity/{ATTESTATION}", "--public-key", public)
    assert code == 0
    assert f"attested: PASSED, signed by the key {key.keyid}" in text
    assert receipt["attestation"] == {
        "path": f"parity/{ATTESTATION}",
        "sha256": sha256(here / "parity" / ATTESTATION),
        "key_id": key.keyid,
        "result": "PASSED",
        "faults": [],
    }
    # Nothing of the key is anywhere.
    secret_text = b"".join(secret.read_bytes().splitlines()[1:-1])
    everything = b"".join(path.read_bytes() for path in here.rglob("*") if path.is_file() and path != secret)
    for part in (secret_text, base64.b64decode(secret_text)[-32:], base64.b64decode(secret_text)[-32:].hex().encode()):
        assert part not in everything
        assert part not in (said.out + said.err + text).encode()


def test_any_flipped_bit_is_found(signed: Path, here: Path) -> None:
    log, key = read_log(f"parity/{LOG}"), load_public_key("ed25519.pub")
    whole = signed.read_bytes()
    assert check_attestation(whole, "", log, key).faults == ()
    for place in range(len(whole)):
        # Each bit of what is around the payload, and of the end of it; one bit of each of its other letters.
        around = place < 40 or place > whole.index(b'"payloadType"') - 20
        for bit in range(8) if around else (place % 8,):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            assert check_attestation(bytes(data), "", log, key).faults, (place, bit)


def test_the_library_finds_a_change_as_well(signed: Path, here: Path) -> None:
    content = json.loads(signed.read_text(encoding="utf-8"))
    payload = base64.b64decode(content["payload"]).replace(b"PASSED", b"FAILED")
    content["payload"] = base64.b64encode(payload).decode()
    key = SSlibKey.from_crypto(load_pem_public_key((here / "ed25519.pub").read_bytes()))  # type: ignore[arg-type]
    with pytest.raises(VerificationError):
        Envelope.from_dict(content).verify([key], 1)


def test_an_envelope_of_something_else(here: Path, verify: Any) -> None:
    secret, public = write_keys(here, "ed25519")
    assert main(["attest", f"parity/{LOG}"]) == 0
    envelope = Envelope((here / "parity" / STATEMENT).read_bytes(), "text/plain", {})
    envelope.sign(CryptoSigner(load_pem_private_key(secret.read_bytes(), None)))  # type: ignore[arg-type]
    (here / "envelope.json").write_text(json.dumps(envelope.to_dict()))
    code, said, _ = verify("--attestation", "envelope.json", "--public-key", public)
    assert (code, "it holds text/plain; application/vnd.in-toto+json is expected" in said) == (3, True)


def test_any_other_log_or_data_is_found(signed: Path, here: Path, verify: Any) -> None:
    options = ("--attestation", f"parity/{ATTESTATION}", "--public-key", "ed25519.pub")
    assert verify(*options)[0] == 0
    path = here / "parity" / LOG
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"scenario_id": "T"', b'"scenario_id": "U"'))
    code, said, receipt = verify(*options)
    assert (code, receipt["verdict"]) == (3, "drift")
    assert said.startswith("drift: the attestation does not hold")
    assert f"it is about another {LOG}" in said
    path.write_bytes(whole)
    (here / "sweep" / "data_p1e4.npz").write_bytes(b"other")
    code, _, receipt = verify(*options)
    assert (code, receipt["attestation"]["faults"]) == (3, [])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: s["subject"].pop(1), "says nothing of data_p1e4.npz"),
        (lambda s: s["subject"].append({"name": "x", "digest": {"sha256": "0" * 64}}), "does not hold: x"),
        (lambda s: s["subject"].append(s["subject"][0]), "does not hold: subject 3"),
        (lambda s: s["subject"][2]["digest"].update(sha256="0" * 64), "is about another data_p1e6.npz"),
        (lambda s: s["predicate"].update(result="FAILED"), "states another result"),
        (lambda s: s["predicate"].update(configuration=[]), "states another params and reference"),
        (lambda s: s["predicate"]["passedTests"].pop(), "lists other tests"),
        (lambda s: s.update(predicate=None), "states no result"),
        (lambda s: s.update(subject=7), "says nothing of"),
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "no in-toto Statement v1"),
        (lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"), "no in-toto Statement v1"),
    ],
)
def test_a_statement_that_says_something_else(here: Path, verify: Any, change: Any, why: str) -> None:
    assert main(["attest", f"parity/{LOG}"]) == 0
    options = ("--attestation", f"parity/{STATEMENT}")
    code, said, receipt = verify(*options)
    assert (code, receipt["attestation"]["key_id"]) == (0, None)
    assert "not signed, so anybody can have written it" in said
    edit(here / "parity" / STATEMENT, change)
    code, said, receipt = verify(*options)
    assert code == 3
    assert why in said


def test_a_failed_result_does_not_verify(here: Path, verify: Any) -> None:
    edit(here / "parity" / LOG, lambda log: log.update(verdict="drift"))
    assert main(["attest", f"parity/{LOG}"]) == 0
    code, said, _ = verify("--attestation", f"parity/{STATEMENT}")
    assert code == 3
    assert "it attests that parity is not shown: FAILED" in said


def test_keys_and_files_that_do_not_go_together(signed: Path, here: Path, verify: Any) -> None:
    assert main(["attest", f"parity/{LOG}"]) == 0
    write_keys(here, "p256")
    code, said, _ = verify("--attestation", f"parity/{ATTESTATION}")
    assert (code, "by --public-key" in said) == (2, True)
    code, said, _ = verify("--public-key", "ed25519.pub")  # the one that lies beside the log
    assert (code, "attested: PASSED, signed by the key" in said) == (0, True)
    (here / "parity" / ATTESTATION).rename(here / "moved.json")
    code, said, _ = verify("--public-key", "ed25519.pub")
    assert (code, "name it by --attestation" in said) == (2, True)
    (here / "moved.json").rename(here / "parity" / ATTESTATION)
    code, said, _ = verify("--attestation", f"parity/{STATEMENT}", "--public-key", "ed25519.pub")
    assert (code, "it is not signed" in said) == (3, True)
    code, said, _ = verify("--attestation", f"parity/{ATTESTATION}", "--public-key", "p256.pub")
    assert (code, "no signature in it is that of the key" in said) == (3, True)
    code, said, _ = verify("--attestation", "nowhere.json", "--public-key", "ed25519.pub")
    assert (code, "attestation nowhere.json cannot be read" in said) == (1, True)
    (here / "bad.json").write_text("{")
    code, said, _ = verify("--attestation", "bad.json", "--public-key", "ed25519.pub")
    assert (code, "it cannot be read: it is no JSON" in said) == (3, True)
    (here / "odd.json").write_text('{"payload": 7, "payloadType": [], "signatures": {}}')
    code, said, _ = verify("--attestation", "odd.json", "--public-key", "ed25519.pub")
    assert (code, "it is no DSSE envelope" in said) == (3, True)


def test_keys_that_cannot_be_used(here: Path, verify: Any, capsys: pytest.CaptureFixture[str]) -> None:
    secret, public = write_keys(here, "ed25519")
    key = ed25519.Ed25519PrivateKey.generate()
    large = rsa.generate_private_key(65537, 2048)
    (here / "rsa.pem").write_bytes(large.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (here / "rsa.pub").write_bytes(large.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (here / "448.pem").write_bytes(
        ed448.Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (here / "locked.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    (here / "ssh.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (here / "cut.pem").write_bytes(secret.read_bytes()[:80])
    (here / "empty.pem").touch()
    for name, why in {
        "rsa.pem": "it is a key of the kind rsa",
        "448.pem": "a private key is expected",
        "locked.pem": "it is encrypted",
        "ssh.pem": "a private key is expected",
        "cut.pem": "a private key is expected",
        "empty.pem": "a private key is expected",
        str(public): "it is a public key",
        "nowhere.pem": "there is no such file",
    }.items():
        assert main(["attest", f"parity/{LOG}", "--key", name]) == 1, name
        said = capsys.readouterr()
        assert said.err.startswith(f"error: key {name} cannot be used: "), said.err
        assert why in said.err, name
    assert not (here / "parity" / ATTESTATION).exists()
    assert main(["attest", f"parity/{LOG}", "--key", str(secret)]) == 0
    for name, why in {
        str(secret): "it is a private key",
        "rsa.pub": "it is a key of the kind rsa",
        "empty.pem": "a public key is expected",
    }.items():
        code, text, _ = verify("--attestation", f"parity/{ATTESTATION}", "--public-key", name)
        assert (code, why in text) == (1, True), text


def test_without_the_extra(here: Path, signed: Path) -> None:
    for command in (
        ["attest", f"parity/{LOG}", "--key", "ed25519.pem"],
        ["verify", f"parity/{LOG}", "--attestation", f"parity/{ATTESTATION}", "--public-key", "ed25519.pub"],
    ):
        code = (
            "import sys\nsys.modules['securesystemslib'] = None\nfrom pytest_d0parity.cli import main\n"
            f"sys.exit(main({command!r}))"
        )
        done = subprocess.run(
            [COMMAND[0], "-c", code], capture_output=True, text=True, check=False, cwd=here, timeout=120
        )
        assert done.returncode == 1, done.stderr
        assert "python -m pip install 'securesystemslib[crypto]'" in done.stderr


def test_the_attestation_goes_into_the_bundle(
    signed: Path, here: Path, verify: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for output in ("out", "out.tar"):
        assert main(["bundle", f"parity/{LOG}", "--output", output]) == 0
        code, _, receipt = verify("--public-key", "ed25519.pub", log=output)
        assert (code, receipt["attestation"]["path"]) == (0, f"data/{ATTESTATION}")
        assert receipt["not_looked_at"] == []
        _, _, receipt = verify(log=output)
        assert "--public-key" in receipt["not_looked_at"][0]
    # An attestation of another log is none of this one's business.
    edit(here / "parity" / LOG, lambda log: log.update(verdict="match"))
    assert main(["bundle", f"parity/{LOG}", "--output", "again"]) == 1
    assert f"parity/{ATTESTATION} is not of this log" in capsys.readouterr().err


# --- the plugin ----------------------------------------------------------------------------------


@pytest.fixture
def parity(pytester: pytest.Pytester, pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    return Parity(pytester, pair, tmp_path_factory.mktemp("root"))


def test_the_plugin_attests_its_checks(parity: Parity) -> None:
    result = parity.run("--parity-attest")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"Attested, not signed: out/{STATEMENT}."])
    log = parity.log()
    content = json.loads((parity.pytester.path / "out" / STATEMENT).read_text(encoding="utf-8"))
    assert content["predicate"]["result"] == "PASSED"
    assert content["predicate"]["passedTests"] == [check["id"] for check in log["checks"]]
    assert content["subject"][0]["digest"]["sha256"] == sha256(parity.pytester.path / "out" / LOG)
    # A later session that does not attest leaves no statement about a log that is gone.
    assert parity.run().ret == 0
    assert not (parity.pytester.path / "out" / STATEMENT).exists()


def test_the_plugin_attests_a_failure(parity: Parity) -> None:
    reference = parity.reference(lambda log: log["datasets"][0]["stats"]["raw"].update(mean=1.0))
    assert parity.run("--parity-attest", reference, "-k", "not grouped").ret == 1
    outcomes = parity.outcomes()
    content = json.loads((parity.pytester.path / "out" / STATEMENT).read_text(encoding="utf-8"))
    assert content["predicate"]["result"] == "FAILED"
    by_outcome = {
        "passedTests": ("passed",),
        "warnedTests": ("skipped",),
        "failedTests": ("failed", "error", "not_run"),
    }
    for key, these in by_outcome.items():
        assert content["predicate"][key] == [name for name, outcome in outcomes.items() if outcome in these]
    assert content["predicate"]["configuration"][1]["name"] == "reference.json"


def test_the_plugin_attests_with_workers(parity: Parity) -> None:
    assert parity.run("--parity-attest", "-n", "2", inprocess=False).ret == 0
    content = json.loads((parity.pytester.path / "out" / STATEMENT).read_text(encoding="utf-8"))
    assert content["predicate"]["passedTests"] == [check["id"] for check in parity.log()["checks"]]


def test_attesting_nothing(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--parity-attest")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--parity-attest has no effect without --parity-scenario*"])


# --- a session that failed -----------------------------------------------------------------------


WORKER_ENDS_BADLY = """
    import pytest
    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(session):
        result = yield
        session.testsfailed += hasattr(session.config, "workerinput")  # as pytest-cov does
        return result
"""
WORKER_DIES_AT_ITS_END = """
    import os
    def pytest_sessionfinish(session):
        if getattr(session.config, "workerinput", {}).get("workerid") == "gw1":
            os._exit(7)
"""
UPDATE = ("--parity-reference=new.json", "--parity-update-reference")


@pytest.mark.parametrize(
    ("own", "conftest", "options", "says"),
    [
        ("def test_bad(): assert 0", "", [], "the session ended with exit code 1"),
        ("import os\ndef test_dies(): os._exit(7)", "", ["-n", "2"], "the worker gw? died"),
        ("", WORKER_ENDS_BADLY, ["-n", "2"], "the worker gw? ended with exit code 1"),
        ("", WORKER_DIES_AT_ITS_END, ["-n", "2"], "the worker gw? died"),
    ],
)
def test_a_session_that_failed_passes_nothing_on(
    parity: Parity, own: str, conftest: str, options: list[str], says: str
) -> None:
    parity.pytester.makepyfile(test_own=own)
    parity.pytester.makeconftest(conftest)
    result = parity.run("--parity-attest", *options, inprocess=not options)
    assert set(parity.outcomes().values()) == {"passed"}
    result.stdout.fnmatch_lines([f"warning: session: {says}, though no check failed"])
    content = json.loads((parity.pytester.path / "out" / STATEMENT).read_text(encoding="utf-8"))
    assert content["predicate"]["result"] == "WARNED"
    result = parity.run("--parity-attest", *UPDATE, *options, inprocess=not options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"ERROR: reference new.json is left as it was, for {says}", "ERROR: no statement is *"]
    )
    assert not (parity.pytester.path / "new.json").exists()
    assert not (parity.pytester.path / "out" / STATEMENT).exists()


def test_what_cannot_be_written_leaves_neither_reference_nor_statement(parity: Parity) -> None:
    (parity.pytester.path / "history.md").mkdir()
    result = parity.run("--parity-attest", "--parity-history=history.md", *UPDATE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: reference new.json is left as it was, for the session failed"])
    assert not (parity.pytester.path / "new.json").exists()
    assert not (parity.pytester.path / "out" / STATEMENT).exists()


def test_a_reference_that_cannot_be_written_leaves_no_statement(parity: Parity) -> None:
    (parity.pytester.path / "file").touch()
    result = parity.run("--parity-attest", "--parity-reference=file/new.json", "--parity-update-reference")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: reference file/new.json cannot be written: *", "ERROR: no statement is *"])
    assert not (parity.pytester.path / "out" / STATEMENT).exists()


def test_what_others_took_away_is_not_attested_nor_accepted(parity: Parity) -> None:
    parity.pytester.makeconftest("def pytest_collection_modifyitems(items): del items[3:5]")
    result = parity.run("--parity-attest", *UPDATE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: reference new.json is left as it was, for the session failed"])
    assert not (parity.pytester.path / "new.json").exists()
    content = json.loads((parity.pytester.path / "out" / STATEMENT).read_text(encoding="utf-8"))
    assert content["predicate"]["result"] == "FAILED"
