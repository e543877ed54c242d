"""Signed envelopes (DSSE), made and verified by securesystemslib.

Source: Dead Simple Signing Envelope (DSSE) 1.0.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..util.errors import ParityError
from ..util.files import describe_os_error, open_regular
from ..util.text import printable

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey


PAYLOAD_TYPE = "application/vnd.in-toto+json"

_MAX_KEY = 1 << 16  # bytes
_MAKE = "openssl genpkey -algorithm ed25519 -out key.pem"
_PUBLISH = "openssl pkey -in key.pem -pubout -out public.pem"

K = TypeVar("K")


class KeyFileError(ParityError, ValueError):
    """A key that cannot be used. The message names its file, and quotes nothing of its content."""


class SignatureError(ParityError, ValueError):
    """An envelope whose signature is not valid, for a reason that follows its name in messages."""


class _RefusalError(ValueError):
    """Why a key is refused, in our own words: a library's message could quote a part of the key."""


def load_signer(path: str) -> CryptoSigner:
    """Read a private key.

    Parameters
    ----------
    path : str
        PEM, not encrypted: Ed25519, or ECDSA on one of the curves P-256, P-384 and P-521.

    Raises
    ------
    KeyFileError
        If it is no such key.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    def load(data: bytes) -> CryptoSigner:
        if b"PUBLIC KEY-----" in data:
            raise _RefusalError("it is a public key; a signature is made with the private one")
        if b"ENCRYPTED" in data:
            raise _RefusalError("it is encrypted, and no password is asked for; give a key without one")
        private: Any = load_pem_private_key(data, None)
        return CryptoSigner(private, _public_key(private.public_key()))

    return _load(path, load, f"a private key is expected, in PEM, Ed25519 or ECDSA; one is made by: {_MAKE}")


def load_public_key(path: str) -> SSlibKey:
    """Read a public key: see `load_signer`.

    Raises
    ------
    KeyFileError
        If it is no such key.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    def load(data: bytes) -> SSlibKey:
        if b"PRIVATE KEY-----" in data:
            raise _RefusalError(f"it is a private key, which its owner alone should have; he publishes by: {_PUBLISH}")
        return _public_key(load_pem_public_key(data))

    return _load(path, load, f"a public key is expected, in PEM, Ed25519 or ECDSA; its owner makes it by: {_PUBLISH}")


def _public_key(public: Any) -> SSlibKey:
    """Return a public key that is called by its fingerprint: the SHA-256 of its DER form, as OpenSSL writes it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import SSlibKey

    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = SSlibKey.from_crypto(public, hashlib.sha256(der).hexdigest())
    if key.keytype not in ("ed25519", "ecdsa"):
        raise _RefusalError(f"it is a key of the kind {key.keytype}; Ed25519 or ECDSA is expected, made by: {_MAKE}")
    return key


def _load(path: str, load: Callable[[bytes], K], expected: str) -> K:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        with open_regular(path) as file:
            data = file.read(_MAX_KEY) or b""
        return load(data)
    except OSError as error:
        reason = describe_os_error(error)
    except _RefusalError as refusal:
        reason = str(refusal)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        reason = expected
    raise KeyFileError(f"key {printable(path)} cannot be used: {reason}")


def sign(payload: bytes, signer: CryptoSigner) -> dict[str, Any]:
    """Put a statement into an envelope, and sign it.

    Parameters
    ----------
    payload : bytes
        The JSON of an in-toto Statement.

    Returns
    -------
    dict
        The envelope, as it is written in JSON.
    """
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    content: dict[str, Any] = envelope.to_dict()
    return content


def open_envelope(content: dict[str, Any], key: SSlibKey) -> bytes:
    """Verify an envelope and return its payload.

    Parameters
    ----------
    content : dict
        The envelope, parsed.
    key : SSlibKey
        Whose signature it should bear.

    Returns
    -------
    bytes
        The payload.

    Raises
    ------
    SignatureError
        If it is no envelope as DSSE writes them, holds something else, or is not signed by this key.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import UnverifiedSignatureError

    try:
        texts = [content["payload"], *(signature["sig"] for signature in content["signatures"])]
        plain = all(_is_plain(text) for text in texts)
        kind = content["payloadType"]
        envelope = Envelope.from_dict(content)
        payload: bytes = envelope.payload
    except (LookupError, TypeError, ValueError, AttributeError):
        raise SignatureError("it is no DSSE envelope, or a damaged one") from None
    if not plain:  # unused bits would let somebody change the file without breaking the signature
        raise SignatureError("its base64 is not as an encoder writes it: somebody has changed it")
    if kind != PAYLOAD_TYPE:
        raise SignatureError(f"it holds {printable(str(kind))}; {PAYLOAD_TYPE} is expected")
    try:
        envelope.verify([key], 1)
    except (UnverifiedSignatureError, ValueError):
        raise SignatureError(
            f"no signature in it is that of the key {key.keyid}: it was signed with another one, or changed since"
        ) from None
    return payload


def _is_plain(text: str) -> bool:
    """Whether a base64 text is the canonical one of its bytes: unused bits of its last letter must be zero."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except binascii.Error:
        return False
