"""Bundles, made: a log and its files as a BagIt bag, hashed while they are copied."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
from collections.abc import Iterator
from functools import partial

from ..util.files import describe_os_error, open_hashed
from ..util.markdown import escape
from ..util.progress import NO_LISTENER, Listener
from ..util.provenance import TOOL
from ..util.runtime import quiet_logger
from ..util.temporary import scratch_folder
from ..util.text import printable, text_as_name
from .bundle_plan import BundleError, Item, Plan
from .bundle_reader import BAGIT, DATASETS, MANIFEST, PAYLOAD, TAG_MANIFEST
from .file_tree import ByteRange, FolderTree

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


def make_bundle(plan: Plan, target: str, listener: Listener = NO_LISTENER) -> None:
    """Make a bundle, as a whole or not at all.

    Parameters
    ----------
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
        if free < plan.space:
            raise BundleError(
                f"{printable(target)} needs {plan.space:,} bytes, and {free:,} are left there; nothing was copied"
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


def _check_hash(item: Item, sha256: str) -> None:
    if item.sha256 not in (None, sha256):
        raise BundleError(
            f"{printable(item.path)} is not the file of the log: its SHA-256 is {sha256}, "
            f"and the log says {item.sha256}"
        )


def _bag_documents(plan: Plan, folder: str, listener: Listener) -> None:
    """Make a bag of all but the datasets, and add these to its manifest; they are copied later, and once."""
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
        sha256, copied = ByteRange(item.path).copy(place, partial(listener.progress, item.name))
        _check_hash(item, sha256)
        size += copied
    try:
        with quiet_logger("bagit"):
            bag = bagit.make_bag(folder, info, checksums=["sha256"])
            lines = {f"{item.sha256}  {item.name}\n" for item in plan.datasets}
            _write_manifest(folder, MANIFEST, lines | _lines(folder, MANIFEST))
            # The library writes the version of the draft, which differs in nothing else that is used here.
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
    """Write a manifest sorted by name, in the form of ``sha256sum``."""
    _write(folder, name, "".join(sorted(lines, key=lambda line: line.partition("  ")[2])))


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _copy_datasets(plan: Plan, bag: str, listener: Listener) -> None:
    for item in plan.datasets:
        place = os.path.join(bag, *text_as_name(item.name).split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        sha256, _ = ByteRange(item.path).copy(place, partial(listener.progress, item.name))
        _check_hash(item, sha256)


def _readme(plan: Plan) -> str:
    files = "\n".join(f"| {escape(item.name)} | {item.about} |" for item in plan.items)
    return _README.format(
        title=escape(plan.title),
        tool=TOOL,
        files=files,
        manifest=MANIFEST,
        tag_manifest=TAG_MANIFEST,
        sha256=plan.file.sha256,
    )


def _pack(plan: Plan, bag: str, target: str, listener: Listener) -> None:
    """Write a bag and its datasets as a tar; the same contents give the same bytes."""
    datasets = {item.name: item for item in plan.datasets}
    folders = {PAYLOAD.rstrip("/"), *(folder for name in datasets for folder in _folders_above(name))}
    names = [*folders, *datasets, *FolderTree(bag, deep=True).names]
    with open(target, "xb") as file:
        with tarfile.TarFile(
            fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", copybufsize=_PIECE
        ) as archive:
            archive.addfile(_member(plan, plan.base, tarfile.DIRTYPE))
            # Manifests come first: from a truncated tar, one still learns what should be there.
            for name in sorted(names, key=lambda name: (name.startswith(DATASETS), name.startswith(PAYLOAD), name)):
                if name in folders:
                    archive.addfile(_member(plan, f"{plan.base}/{name}", tarfile.DIRTYPE))
                    continue
                item = datasets.get(name)
                with open_hashed(os.path.join(bag, text_as_name(name)) if item is None else item.path) as source:
                    source.follows = True
                    member = _member(plan, f"{plan.base}/{name}", tarfile.REGTYPE)
                    member.size = os.fstat(source.fileno()).st_size if item is None else item.size
                    archive.addfile(member, source)
                    if item is not None:
                        _check_hash(item, source.sha256())
                        listener.progress(name, 1.0)
        file.flush()
        os.fsync(file.fileno())


def _folders_above(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def _member(plan: Plan, name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    member.mtime = int(plan.time.timestamp())
    return member


def _publish(source: str, target: str) -> None:
    """Move a finished file to its name, unless a file of that name has appeared meanwhile."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # not every file system knows hard links
        _rename(source, target)


def _rename(source: str, target: str) -> None:
    # os.rename would replace a file or an empty folder that has appeared meanwhile.
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(source, target)
