"""A bundle made: the log and all that it tells of, hashed against the log on the way, as a BagIt bag."""

from __future__ import annotations

import datetime
import errno
import os
import re
import shutil
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from .artifacts import ATTESTATION, DIGEST, PAGE, PROBES
from .attestation import is_about
from .bundle import (
    BAGIT,
    DATASETS,
    LOG_FILE,
    MANIFEST,
    PARAMS_FILE,
    PAYLOAD,
    REFERENCE_FILE,
    TAG_MANIFEST,
)
from .claims import Claim, claims_of_log, claims_of_params, claims_of_reference
from .files import describe_os_error, open_hashed, open_regular
from .listener import NOBODY, Listener
from .logfile import LogFile
from .markup import escape
from .provenance import TOOL
from .recorded import recorded_file
from .scratch import scratch_folder
from .silence import silent
from .text import printable
from .tree import Folder, Span

__all__ = ["BundleError", "Plan", "make_bundle", "plan_bundle"]

_BESIDE = (DIGEST, PAGE, PROBES)
_ROOM = 1 << 20  # bytes for what the bag and its README say
_TAR_ROOM = 2048  # and for what a tar adds to each file
_MAX_NAME = 100
_PIECE = 1 << 20

_README = """\
# {title}

A photon-dose sweep, and the evidence log that tells of it: a bag (BagIt, RFC 8493) made by {tool}.

| file | what |
| --- | --- |
{files}
| `bagit.txt`, `bag-info.txt`, `{manifest}`, `{tag_manifest}` | of the bag |

SHA-256 of the log: `{sha256}`. Compare it with the one that you were told on another way.

## Check it

In this folder, each of these by itself:

    sha256sum -c --quiet {manifest} {tag_manifest}
    bagit.py --validate .
    d0parity verify . --output ../receipt

The first one needs nothing but coreutils, and does not see files that are too many; `bagit.py` comes with
`pip install bagit`, `d0parity` with `pip install pytest-d0parity`. The last one also checks the files against the log,
and writes the receipt to send back; with `--measure` it measures every value again.
"""


class BundleError(Exception):
    """A bundle that could not be made; nothing of it is left. Each argument is a sentence for the maintainer."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file of a bundle: its name in there, where it comes from, and the SHA-256 that it must have, if any."""

    name: str
    path: str
    sha256: str | None
    size: int
    about: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes into a bundle.

    Attributes
    ----------
    log : LogFile
    items : tuple of Item
        By name.
    missing : tuple of str
        Artifacts that would be welcome, and do not lie beside the log.
    """

    log: LogFile
    items: tuple[Item, ...]
    missing: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is about."""
        return printable(str(self.log.metadata.get("scenario_id")))

    @property
    def base(self) -> str:
        """Name of the folder at the top of a tar."""
        return f"d0parity-{re.sub('[^A-Za-z0-9._-]+', '-', self.title).strip('.-')[:_MAX_NAME] or 'bundle'}"

    @property
    def time(self) -> datetime.datetime:
        """When the log was made: the one time that depends on nothing else."""
        try:
            time = datetime.datetime.fromisoformat(str(self.log.metadata.get("timestamp")))
            return time.astimezone(datetime.UTC) if time.tzinfo else time.replace(tzinfo=datetime.UTC)
        except (ValueError, OverflowError):
            return datetime.datetime.fromtimestamp(0, datetime.UTC)

    @property
    def datasets(self) -> tuple[Item, ...]:
        """The large ones."""
        return tuple(item for item in self.items if item.name.startswith(DATASETS))

    @property
    def documents(self) -> tuple[Item, ...]:
        """All others."""
        return tuple(item for item in self.items if not item.name.startswith(DATASETS))

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(item.size for item in self.items)

    @property
    def room(self) -> int:
        """Bytes that it takes to make the bundle; documents lie there twice when they go into a tar."""
        return self.size + sum(item.size for item in self.documents) + _TAR_ROOM * len(self.items) + _ROOM


def plan_bundle(log: LogFile, root: str, params: str | None, reference: str | None) -> Plan:
    """Find everything that a log tells of.

    Parameters
    ----------
    log : LogFile
        Its path is where it lies.
    root : str
        Folder of the datasets.
    params, reference : str or None
        The params file and the reference; None where the log was made without.

    Returns
    -------
    Plan

    Raises
    ------
    BundleError
        If something is not there, or is not what the log says at a glance; it tells of all such things at once.
    LogError
        If it is no evidence log.
    """
    found = _Found()
    found.add(Claim(name=LOG_FILE, hashes={"": log.sha256}), log.path, "the evidence log")
    folder = os.path.dirname(log.path)
    missing = [name for name in _BESIDE if not os.path.lexists(os.path.join(folder, name))]
    abouts = {
        DIGEST: "its digest for people",
        PAGE: "its page",
        PROBES: "the probes on the page",
        ATTESTATION: "its signed attestation",
    }
    for name in abouts:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            if not _is_of(log, path):
                found.problems.append(f"{printable(path)} is not of this log; make it again, or remove it")
            found.add(Claim(name=PAYLOAD + name), path, abouts[name])
    claims = claims_of_log(log, DATASETS)
    if not claims:
        found.problems.append(f"log {printable(log.path)} tells of no dataset, so that there is nothing to hand over")
    for claim in claims:
        name = claim.name.removeprefix(DATASETS)
        trouble = claim.trouble or _unportable(name)
        if trouble:
            found.problems.append(f"{printable(name)}: {trouble}")
        else:
            found.add(claim, os.path.join(root, name), "a dataset")
    found.problems += _look_alikes(item.name for item in found.items)
    if params is not None:
        for claim in claims_of_params(log, PARAMS_FILE):
            found.add(claim, params, "the params of the baseline run; a pickle: do not load it")
    if reference is not None:
        for claim in claims_of_reference(log, REFERENCE_FILE):
            found.add(claim, reference, "the log that this one was compared with")
    if found.problems:
        raise BundleError(*found.problems)
    return Plan(log=log, items=tuple(sorted(found.items, key=lambda item: item.name)), missing=tuple(missing))


class _Found:
    """What was found, and what was not."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.problems: list[str] = []

    def add(self, claim: Claim, path: str, about: str) -> None:
        sha256 = next(iter(claim.hashes.values()), None)
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
        except OSError as error:
            self.problems.append(f"{printable(path)} cannot be bundled: {describe_os_error(error)}")
            return
        if claim.size_bytes not in (None, size):
            self.problems.append(
                f"{printable(path)} is not the file of the log: it is {size:,} bytes long, and the log says "
                f"{claim.size_bytes:,}"
            )
        self.items.append(Item(name=claim.name, path=path, sha256=sha256, size=size, about=about))


def _is_of(log: LogFile, path: str) -> bool:
    """Whether what lies beside a log is about this log: digest and page say when it was made."""
    try:
        data = Span(path).read()
    except (OSError, ValueError):
        return True  # which is told when it is copied
    match os.path.basename(path):
        case name if name == ATTESTATION:
            return is_about(data, log)
        case name if name == PROBES:
            return _holds_probes_of(log, path)
    return str(log.metadata.get("timestamp", "")).encode() in data


def _holds_probes_of(log: LogFile, path: str) -> bool:
    """Whether an archive holds nothing but probes that a log tells of."""
    known = {dataset.probe for dataset in recorded_file(log).datasets.values()}
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()} <= known
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _unportable(name: str) -> str:
    """Say why a name cannot be written in a manifest that every tool reads."""
    plain = name.isprintable() and name == name.strip() and not any(mark in name for mark in "\\%")
    return "" if plain else "no manifest can name it so that every tool understands it; rename it, and record again"


def _look_alikes(names: Iterable[str]) -> Iterator[str]:
    """Tell of names that some file system, or bagit, takes for one and the same."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            yield f"{printable(name)} and {printable(other)} are the same name to many a system; rename one of them"


def make_bundle(plan: Plan, target: str, listener: Listener = NOBODY) -> None:
    """Make a bundle: whole, or not at all.

    Parameters
    ----------
    plan : Plan
    target : str
        A folder, or a file that ends in ``.tar``. It must not be there yet.
    listener : Listener
        Told of progress.

    Raises
    ------
    BundleError
        If it cannot be made; nothing is left behind then.
    """
    if os.path.lexists(target):
        raise BundleError(f"{printable(target)} is there already, and is left as it is; name another")
    parent = os.path.dirname(os.path.abspath(target))
    if not os.path.isdir(parent):
        raise BundleError(f"{printable(target)} cannot be made: {printable(parent)} is no folder; make it first")
    try:
        free = shutil.disk_usage(parent).free
        if free < plan.room:
            raise BundleError(
                f"{printable(target)} needs {plan.room:,} bytes, and {free:,} are left there; nothing was copied"
            )
        with scratch_folder(parent) as folder:
            listener.planned([(item.name, item.size) for item in plan.items])
            bag = os.path.join(folder, "bag")
            _bag_documents(plan, bag, listener)
            if target.lower().endswith(".tar"):
                packed = os.path.join(folder, "bundle.tar")
                _pack(plan, bag, packed, listener)
                _publish(packed, target)
            else:
                _copy_datasets(plan, bag, listener)
                _rename(bag, target)
    except OSError as error:
        raise BundleError(f"{printable(target)} cannot be made: {describe_os_error(error)}") from None


def _expect(item: Item, sha256: str) -> None:
    if item.sha256 not in (None, sha256):
        raise BundleError(
            f"{printable(item.path)} is not the file of the log: its SHA-256 is {sha256}, "
            f"and the log says {item.sha256}"
        )


def _bag_documents(plan: Plan, folder: str, listener: Listener) -> None:
    """Make a bag of all but the datasets, and list those: they are copied once, to where they belong."""
    import bagit

    info = {
        "Bag-Software-Agent": TOOL,
        "Bagging-Date": f"{plan.time:%Y-%m-%d}",
        "External-Description": "Photon-dose sweep with its evidence log",
        "External-Identifier": plan.title,
    }
    os.mkdir(folder)
    size = sum(item.size for item in plan.datasets)
    for item in plan.documents:
        place = os.path.join(folder, item.name.removeprefix(PAYLOAD))
        sha256, copied = Span(item.path).copy(place, partial(listener.progress, item.name))
        _expect(item, sha256)
        size += copied
    try:
        with silent("bagit"):
            bag = bagit.make_bag(folder, info, checksums=["sha256"])
            lines = {f"{item.sha256}  {item.name}\n" for item in plan.datasets}
            _write_manifest(folder, MANIFEST, lines | _lines(folder, MANIFEST))
            # The library writes the draft before the standard, which differs in nothing else that is used here.
            _write(folder, BAGIT, "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
            _write(folder, "README.md", _readme(plan))
            bag.info["Payload-Oxum"] = f"{size}.{len(plan.items)}"
            bag.save()
            _write_manifest(folder, TAG_MANIFEST, _lines(folder, TAG_MANIFEST))
    except (bagit.BagError, RuntimeError) as error:
        raise BundleError(f"bagit refuses to make the bundle: {printable(str(error))}") from None


def _lines(folder: str, manifest: str) -> set[str]:
    with open(os.path.join(folder, manifest), encoding="utf-8") as file:
        return {"  ".join(line.split(maxsplit=1)) for line in file}


def _write_manifest(folder: str, name: str, lines: set[str]) -> None:
    """Write a manifest in an order that depends on nothing, and in the form that ``sha256sum`` writes."""
    _write(folder, name, "".join(sorted(lines, key=lambda line: line.partition("  ")[2])))


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _copy_datasets(plan: Plan, bag: str, listener: Listener) -> None:
    os.mkdir(os.path.join(bag, *DATASETS.rstrip("/").split("/")))
    for item in plan.datasets:
        place = os.path.join(bag, *item.name.split("/"))
        sha256, _ = Span(item.path).copy(place, partial(listener.progress, item.name))
        _expect(item, sha256)


def _readme(plan: Plan) -> str:
    files = "\n".join(f"| {escape(item.name)} | {item.about} |" for item in plan.items)
    return _README.format(
        title=escape(plan.title),
        tool=TOOL,
        files=files,
        manifest=MANIFEST,
        tag_manifest=TAG_MANIFEST,
        sha256=plan.log.sha256,
    )


def _pack(plan: Plan, bag: str, target: str, listener: Listener) -> None:
    """Write a bag, with its datasets, as a tar whose bytes depend on what is in it, and on nothing else."""
    datasets = {item.name: item for item in plan.datasets}
    folders = [PAYLOAD.rstrip("/"), DATASETS.rstrip("/")]
    names = [*folders, *datasets, *Folder(bag, deep=True).names]
    with open(target, "xb") as file:
        with tarfile.TarFile(
            fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", copybufsize=_PIECE
        ) as archive:
            archive.addfile(_member(plan, plan.base, tarfile.DIRTYPE))
            # Manifests before what they list: of a tar that is cut off somewhere, all is known that should be there.
            for name in sorted(names, key=lambda name: (name.startswith(DATASETS), name.startswith(PAYLOAD), name)):
                if name in folders:
                    archive.addfile(_member(plan, f"{plan.base}/{name}", tarfile.DIRTYPE))
                    continue
                item = datasets.get(name)
                with open_hashed(os.path.join(bag, name) if item is None else item.path) as source:
                    source.follows = True
                    member = _member(plan, f"{plan.base}/{name}", tarfile.REGTYPE)
                    member.size = os.fstat(source.fileno()).st_size if item is None else item.size
                    archive.addfile(member, source)
                    if item is not None:
                        _expect(item, source.sha256())
                        listener.progress(name, 1.0)
        file.flush()
        os.fsync(file.fileno())


def _member(plan: Plan, name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    member.mtime = int(plan.time.timestamp())
    return member


def _publish(source: str, target: str) -> None:
    """Give a finished file its name, unless somebody else has taken it meanwhile."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # not every file system knows hard links
        _rename(source, target)


def _rename(source: str, target: str) -> None:
    # It would take the place of a file, and of an empty folder, that somebody has made since.
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(source, target)
