"""What is given to CI systems and pre-commit: checked against their own schemas, and its shell steps run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.support.command import d0parity

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "parity" / "action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.M | re.S)

# A GitHub of two comments, one of which may be ours; it keeps what it is asked, and the text that it is sent.
GH = """#!{python}
import json, os, sys
from pathlib import Path
asked = sys.argv[1:]
here = Path(__file__).parent
(here / "asked.txt").open("a").write(json.dumps(asked) + "\\n")
if (here / "forbidden").exists():
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
if "--jq" in asked:
    comments = json.loads((here / "comments.json").read_text())
    assert asked[asked.index("--jq") + 1] == ".[] | select(.body | startswith(env.MARK)) | .id"
    print("\\n".join(str(each["id"]) for each in comments if each["body"].startswith(os.environ["MARK"])))
else:
    body = asked[asked.index("--field") + 1].removeprefix("body=@")
    (here / "told.md").write_bytes(Path(body).read_bytes())
"""


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("github-actions", ACTION.read_text(encoding="utf-8")),
        ("github-workflows", EXAMPLES[0]),
        ("github-workflows", f"on: pull_request\n{EXAMPLES[1]}"),
        ("gitlab-ci", EXAMPLES[2]),
        ("azure-pipelines", EXAMPLES[3]),
    ],
)
def test_the_systems_own_schemas_accept_what_we_give(schema: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "given.yml"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", file],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hook_verifies_a_reference(pair: Path, tmp_path: Path) -> None:
    """What pre-commit would run: the entry of the hook with the arguments that docs/ci.md gives."""
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    (repository,) = yaml.safe_load(EXAMPLES[4])["repos"]
    (used,) = repository["hooks"]
    assert used["id"] == hook["id"]
    (tmp_path / "photon_grid_study").symlink_to(pair)
    params = pair / "params.dill"
    done = d0parity("log", "--dataset-root", pair, "--baseline-params", params, "--output", tmp_path / "log")
    assert done.returncode == 0
    (tmp_path / "parity").mkdir()
    (tmp_path / "log" / "dose_parity_log.json").rename(tmp_path / "parity" / "reference.json")
    program, *command = hook["entry"].split()
    assert program == "d0parity"
    done = d0parity(*command, *used["args"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


# For which files it runs: as it is, and with the `files` that docs/ci.md shows.
HOOKED = {
    "photon_grid_study/data_p1e3.npz": (True, True),
    "photon_grid_study/params.dill": (True, True),
    "parity/reference.json": (True, True),
    "package.json": (True, False),
    "photon_grid_study/wts.h5": (False, True),
    "README.md": (False, False),
}


def test_the_docs_say_for_which_files_the_hook_runs() -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    (repository,) = yaml.safe_load(EXAMPLES[4])["repos"]
    (used,) = repository["hooks"]
    runs_for = {name: (bool(re.search(hook["files"], name)), bool(re.search(used["files"], name))) for name in HOOKED}
    assert runs_for == HOOKED


class Workflow:
    """A job of GitHub with our action, of which the steps that are shell are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        gh = folder / "bin" / "gh"
        gh.write_text(GH.format(python=sys.executable), encoding="utf-8")
        gh.chmod(0o755)
        self.comments([])
        self.steps: dict[str, dict[str, Any]] = {
            step["name"]: step for step in yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
        }

    def comments(self, comments: list[dict[str, Any]]) -> None:
        (self.folder / "bin" / "comments.json").write_text(json.dumps(comments), encoding="utf-8")

    @property
    def asked(self) -> list[list[str]]:
        file = self.folder / "bin" / "asked.txt"
        asked = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        file.unlink()
        return asked

    @property
    def told(self) -> str:
        return (self.folder / "bin" / "told.md").read_bytes().decode()

    def run(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        given = {"inputs.scenario": "DEMO", "inputs.output": "parity-evidence", "inputs.arguments": ""}
        given |= {"github.token": "T", "github.repository": "o/r", "github.event.pull_request.number": "7"}
        given |= {f"inputs.{key}": value for key, value in inputs.items()}
        step = self.steps[name]
        assert "${{" not in step["run"]  # what is put into a script could be a script
        added = {
            key: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: given[found[1]], value)
            for key, value in step["env"].items()
        } | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(self.folder / "outputs.txt"),
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.example",
        }
        path = os.pathsep.join([str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", step["run"]],
            cwd=self.folder, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | added | {"PATH": path, "RUNNER_TEMP": str(self.folder)},
        )  # fmt: skip


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow(tmp_path)


TELL = "Tell the outcome"
RUN = "Log and evidence: [this run of the workflow](https://github.example/o/r/actions/runs/42)."

# A pytest that prints the arguments that it is given.
ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", []),
        (" \n", []),
        ("-q  -x\n-n 2\n", ["-q", "-x", "-n", "2"]),
        ('-k "p1e5 and photon"', ["-k", "p1e5 and photon"]),
        ("--parity-threshold '*:5sigma' ''", ["--parity-threshold", "*:5sigma", ""]),
        ("* $HOME `date` größe", ["*", "$HOME", "`date`", "größe"]),
        ("'two\nlines' don\\'t", ["two\nlines", "don't"]),
    ],
)
def test_arguments_are_split_as_in_a_shell(workflow: Workflow, arguments: str, words: list[str]) -> None:
    (workflow.folder / "pytest.py").write_text(ECHO, encoding="utf-8")
    done = workflow.run("Check", arguments=arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["--parity-scenario=DEMO", "--parity-output=parity-evidence", *words]


@pytest.mark.parametrize("arguments", ['-k "p1e5', "-k don't", "-q \\"])
def test_arguments_that_cannot_be_split_are_a_sentence(workflow: Workflow, arguments: str) -> None:
    (workflow.folder / "pytest.py").write_text(ECHO, encoding="utf-8")
    done = workflow.run("Check", arguments=arguments)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("::error title=d0parity::The arguments cannot be split into words, so no check ran: No ")


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("parity-evidence", "parity-evidence"),
        ("out/linux 3.12", "out_linux 3.12"),
        ('C:\\a*b?"c"<d>|e', "C__a_b__c__d__e"),
        ("two\r\nlines=1", "two__lines=1"),
    ],
)
def test_the_artifact_has_a_name_that_is_allowed(workflow: Workflow, output: str, name: str) -> None:
    assert workflow.run("Name the evidence", output=output).returncode == 0
    assert (workflow.folder / "outputs.txt").read_text(encoding="utf-8") == f"name={name}\n"
    step = workflow.steps["Name the evidence"]
    assert workflow.steps["Keep the evidence"]["with"]["name"] == f"${{{{ steps.{step['id']}.outputs.name }}}}"


def test_the_action_checks_and_tells(workflow: Workflow, pair: Path) -> None:
    root = workflow.folder / "sweep"
    root.mkdir()
    for file in pair.iterdir():
        (root / file.name).write_bytes(file.read_bytes())
    table = '[tool.d0parity.scenarios.DEMO]\ndataset_root = "sweep"\nreference = "reference.json"\n'
    (workflow.folder / "pyproject.toml").write_text(table, encoding="utf-8")
    assert workflow.run("Check", arguments="--parity-update-reference -p no:cacheprovider").returncode == 0
    done = workflow.run("Check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert workflow.run(TELL).returncode == 0
    assert workflow.asked[-1][:3] == ["api", "--silent", "repos/o/r/issues/7/comments"]
    mark, told = workflow.told.split("\n", 1)
    assert mark == "<!-- d0parity DEMO parity-evidence -->"
    digest = (workflow.folder / "parity-evidence" / "dose_parity_log.md").read_text(encoding="utf-8")
    digest = digest.replace("[dose_parity_log.json](dose_parity_log.json)", "dose_parity_log.json")
    assert told == f"{RUN}\n\n{digest.replace('[the page](dose_parity_report.html)', 'the page')}"
    assert re.findall(r"\]\((.*?)\)", told) == ["https://github.example/o/r/actions/runs/42"]

    with np.load(root / "data_p1e4.npz") as npz:
        arrays = dict(npz)
    np.savez(root / "data_p1e4.npz", **arrays | {"diff3d": arrays["diff3d"] * np.float32(1.5)})
    done = workflow.run("Check")
    assert done.returncode == 1
    assert "::error title=d0parity" in done.stdout
    workflow.comments([{"id": 3, "body": "Well done!"}, {"id": 4, "body": workflow.told}, {"id": 5, "body": mark}])
    assert workflow.run(TELL).returncode == 0
    assert workflow.asked[-1][:5] == ["api", "--silent", "--method", "PATCH", "repos/o/r/issues/comments/4"]
    assert "every statistic of raw is the reference's times 1.5000" in workflow.told


def test_a_long_digest_is_cut_at_a_line(workflow: Workflow) -> None:
    digest = workflow.folder / "parity-evidence" / "dose_parity_log.md"
    digest.parent.mkdir()
    link = "[the page](dose_parity_report.html)\n"
    digest.write_text(link + "".join(f"| Größe {number} | é |\n" for number in range(5000)), encoding="utf-8")
    assert workflow.run(TELL).returncode == 0
    told = workflow.told.splitlines()
    assert 59_000 < len(workflow.told.encode()) < 65_536
    assert told[-1] == "The rest is in dose_parity_log.md, which is among the artifacts of the run."
    assert told[1:4] == [RUN, "", "the page"]
    assert told[4:-2] == digest.read_text(encoding="utf-8").splitlines()[1 : len(told) - 5]


def test_what_a_file_says_is_no_link_that_is_made_plain(workflow: Workflow) -> None:
    """The brackets of texts from files are escaped: without them, the text could become markup."""
    digest = workflow.folder / "parity-evidence" / "dose_parity_log.md"
    digest.parent.mkdir()
    digest.write_text(r"\[x\](dose_parity_log.json)\*bold\*" + "\n", encoding="utf-8")
    assert workflow.run(TELL).returncode == 0
    assert workflow.told.endswith(digest.read_text(encoding="utf-8"))


def test_no_digest_and_no_permission_are_told(workflow: Workflow) -> None:
    done = workflow.run(TELL)
    assert done.returncode == 0
    assert "pytest ended before the checks: see the log of the run." in workflow.told
    assert RUN in workflow.told.splitlines()
    (workflow.folder / "parity-evidence").mkdir()
    (workflow.folder / "parity-evidence" / "dose_parity_log.md").write_text("# D0\n", encoding="utf-8")
    (workflow.folder / "bin" / "forbidden").touch()
    done = workflow.run(TELL)
    assert done.returncode == 0
    assert "::warning title=d0parity::No comment" in done.stdout
