"""Bundles, made: a log and its files as a BagIt bag, hashed while they are copied."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tarfile
from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from isal import igzip

from ..attest.attestation import signer_of
from ..util.files import describe_os_error, open_hashed
from ..util.markdown import escape
from ..util.progress import NO_LISTENER, Listener
from ..util.provenance import TOOL
from ..util.runtime import quiet_logger
from ..util.temporary import scratch_folder
from ..util.text import printable, text_as_name
from .bundle_plan import BundleError, Item, Plan
from .bundle_reader import (
    ATTESTATION_FILE,
    BAGIT,
    DIGEST_FILE,
    ENDINGS,
    LOG_FILE,
    MANIFEST,
    PAGE_FILE,
    PAYLOAD,
    README,
    TAG_MANIFEST,
)
from .files.file_tree import ByteRange, FolderTree

_PIECE = 1 << 20

_README = """\
# {title}

Somebody hands this folder over to you. It holds diffraction patterns of one sample, recorded or simulated with
different numbers of photons (a *photon-dose sweep*), and a record of every number in them, the *evidence log*. With
both, you can be sure that your copy is the same as the sender's, down to the last bit.

1. **Look at it.** Open `{page}` in a browser. It needs no network.
2. **Check it.** In this folder, run

       d0parity verify .{key_option} --output ../receipt

   Its first word is `match` where all is well, `drift` where something is not, and `incomplete` where nothing is known
   to be wrong and not all could be looked at. `d0parity` is the command of pytest-d0parity, which is free and
   needs Python 3.11 or newer: whoever sent you this can say where to get it{extra}.
{key}   Where nothing can be installed, run in its place

       sha256sum -c --quiet {manifest} {tag_manifest}

   (on a Mac, `shasum -a 256` in place of `sha256sum`; on Windows, the same in a terminal of Git or WSL). It says
   nothing if all is well. It does not see files that are too many{unseen}, and writes nothing that you could send back.
3. **Send back** `../receipt/dose_parity_receipt.json`{contact}. It names the files that lie in this folder, also such
   as you have put there yourself, what was found of each, and when; no file that lies elsewhere.

The SHA-256 of the log, by which the sender knows it again: `{sha256}`
{signature}
## What lies here

| file | what |
| --- | --- |
{files}
| `bagit.txt`, `bag-info.txt`, `{manifest}`, `{tag_manifest}` | lists of all files with their SHA-256: a BagIt \
bag, RFC 8493, which `bagit.py --validate .` checks too |

Made by {tool}.
"""
_SIGNED = """
The log is signed (`{attestation}`), by a key with the fingerprint

    {fingerprint}

The signature covers the log, and the datasets, params and attachments by their hashes in it; not this README, the page
and the tables. Whoever made this bundle can tell you the fingerprint on another way, and give you the public key, of
which `openssl pkey -pubin -in public.pem -outform DER | sha256sum` prints it.
"""
_KEY = """\
   `public.pem` is the sender's public key, which does not come with the bundle: get it from where you can trust it, and
   put it beside this folder, not into it. Without it, leave `--public-key ../public.pem` out: then all but the
   signature is checked.
"""


def make_bundle(plan: Plan, target: str, listener: Listener = NO_LISTENER, *, contact: str | None = None) -> None:
    """Make a bundle, as a whole or not at all.

    Parameters
    ----------
    target : str
        A folder, or a file that ends in ``.tar`` or ``.tar.gz``. It must not be there yet.
    listener : Listener
        Told of progress.
    contact : str, optional
        To whom the receipt is to be sent.

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
            _bag_documents(plan, bag, contact, listener)
            if target.lower().endswith((".tar", *ENDINGS)):
                packed = os.path.join(folder, "bundle.tar")
                with _archive(plan, packed, target) as file:
                    _pack(plan, bag, file, listener)
                _publish(packed, target)
            else:
                _copy_data(plan, bag, listener)
                _rename(bag, target)
    except OSError as error:
        raise BundleError(f"{printable(target)} cannot be made: {describe_os_error(error)}") from None


def _check_hash(item: Item, sha256: str) -> None:
    if item.sha256 not in (None, sha256):
        raise BundleError(
            f"{printable(item.path)} is not the file of the log: its SHA-256 is {sha256}, "
            f"and the log says {item.sha256}"
        )


def _bag_documents(plan: Plan, folder: str, contact: str | None, listener: Listener) -> None:
    """Make a bag of all but datasets and attachments; add these to its manifest. They are copied later, and once."""
    import bagit

    info = {
        "Bag-Software-Agent": TOOL,
        "Bagging-Date": f"{plan.time:%Y-%m-%d}",
        "External-Description": "Photon-dose sweep with its evidence log",
        "External-Identifier": plan.title,
        **({"Contact-Email" if "@" in contact else "Contact-Name": printable(contact)} if contact else {}),
    }
    os.mkdir(folder)
    size = sum(item.size for item in plan.data)
    for item in plan.documents:
        place = os.path.join(folder, item.name.removeprefix(PAYLOAD))
        sha256, copied = ByteRange(item.path).copy(place, partial(listener.progress, item.name))
        _check_hash(item, sha256)
        size += copied
    try:
        with quiet_logger("bagit"):
            bag = bagit.make_bag(folder, info, checksums=["sha256"])
            lines = {f"{item.sha256}  {item.name}\n" for item in plan.data}
            _write_manifest(folder, MANIFEST, lines | _lines(folder, MANIFEST))
            # The library writes the version of the draft, which differs in nothing else that is used here.
            _write(folder, BAGIT, "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
            _write(folder, README, _readme(plan, contact))
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


def _copy_data(plan: Plan, bag: str, listener: Listener) -> None:
    for item in plan.data:
        place = os.path.join(bag, *text_as_name(item.name).split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        sha256, _ = ByteRange(item.path).copy(place, partial(listener.progress, item.name))
        _check_hash(item, sha256)


def _readme(plan: Plan, contact: str | None) -> str:
    """Return the README of a bundle, for somebody who has never heard of any of this."""
    files = "\n".join(f"| {escape(item.name)} | {item.about} |" for item in plan.items)
    names = {item.name: item for item in plan.items}
    attestation = names.get(ATTESTATION_FILE)
    signature = ""
    if attestation is not None:
        fingerprint = signer_of(ByteRange(attestation.path).read()) or "(which the signature does not tell)"
        signature = _SIGNED.format(attestation=ATTESTATION_FILE, fingerprint=printable(fingerprint))
    return _README.format(
        title=escape(plan.title),
        tool=TOOL,
        files=files,
        page=next((name for name in (PAGE_FILE, DIGEST_FILE) if name in names), LOG_FILE),
        key_option=" --public-key ../public.pem" if attestation is not None else "",
        key=_KEY if attestation is not None else "",
        extra=", with its extra `attest`, which checks signatures" if attestation is not None else "",
        unseen=", nor the signature" if attestation is not None else "",
        contact=f" to {_as_code(contact)}" if contact else " to whoever sent you this",
        signature=signature,
        manifest=MANIFEST,
        tag_manifest=TAG_MANIFEST,
        sha256=plan.file.sha256,
    )


def _as_code(text: str) -> str:
    """Return a text as it stands, for who reads Markdown and for who reads plain text."""
    text = printable(text)
    return escape(text) if "`" in text else f"`{text}`"


@contextlib.contextmanager
def _archive(plan: Plan, packed: str, target: str) -> Iterator[IO[bytes]]:
    """Open the file that becomes the tar, compressed if its target is called so."""
    with open(packed, "xb") as file:
        if target.lower().endswith(ENDINGS):
            time = int(plan.time.timestamp())
            pack: Any = igzip.IGzipFile  # which has no types
            with pack("", "wb", compresslevel=1, fileobj=file, mtime=time) as archive:  # 0 makes it larger
                yield archive
        else:
            yield file
        file.flush()
        os.fsync(file.fileno())


def _pack(plan: Plan, bag: str, file: IO[bytes], listener: Listener) -> None:
    """Write a bag and its datasets as a tar; the same contents give the same bytes."""
    datasets = {item.name: item for item in plan.data}
    folders = {PAYLOAD.rstrip("/"), *(folder for name in datasets for folder in _folders_above(name))}
    names = [*folders, *datasets, *FolderTree(bag, deep=True).names]
    with tarfile.TarFile(
        fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", copybufsize=_PIECE
    ) as archive:
        archive.addfile(_member(plan, plan.base, tarfile.DIRTYPE))
        # Manifests come first: from a truncated tar, one still learns what should be there.
        for name in sorted(names, key=lambda name: (name in datasets, name.startswith(PAYLOAD), name)):
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
