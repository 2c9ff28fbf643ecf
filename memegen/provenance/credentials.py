"""Content Credentials (C2PA): a signed statement in the file about how it was made, without any network access."""

from __future__ import annotations

import json
import logging
import mmap
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from memegen.base.errors import InputError, OutputError, UnavailableError
from memegen.base.files import whole_file
from memegen.base.version import __version__
from memegen.provenance.consent import config_dir
from memegen.provenance.metadata import Marks, has_countless_boxes, write_metadata

MEDIA_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".jpg": "image/jpeg"}
MEDIA_TYPES |= {f".{kind}": f"image/{kind}" for kind in ("jpeg", "png", "gif", "webp")}
MEDIA_TYPES |= {".apng": "image/png"}
LOCAL_SIGNER = "memegen local signer"
MAX_CHECKED = 2**31  # bytes of the largest file whose signature is checked: all of it has to be read
YEARS = 10  # that a local certificate is valid

# Movies are signed piece by piece, and by way of a temporary file: else twice their size would be held in memory.
_SMALL = {"merkle_tree_chunk_size_in_kb": 1024, "backing_store_memory_threshold_in_mb": 1}
_OFFLINE = {"ocsp_fetch": False, "remote_manifest_fetch": False}
_FILES = ("chain.pem", "key.pem")  # where the parts of a signer are kept
_STORE = bytes.fromhex("6332706100110010800000aa00389b71")  # marks the box of manifests, in every file format
_SEARCHED = 2**28  # first bytes of an unreadable file that are searched for it
_INSTALL = 'Content Credentials need c2pa-python: run pip install "memegen-sings[signing]".'
_UNFIT = (
    "The file can't be signed with this certificate ({}): it must come first in its chain, belong to the key, be valid "
    "today, and allow digital signatures and e-mail protection; leave it out to use a local one."
)
_log = logging.getLogger(__name__)


class Signer(NamedTuple):
    """A certificate chain, leaf first, and the leaf's private key, both PEM."""

    chain: bytes
    key: bytes


def available() -> bool:
    """Return whether files can be signed here."""
    return find_spec("c2pa") is not None


class Marking(TypedDict):
    """What `write_video` needs to mark a clip."""

    comment: str
    finish: Callable[[Path], None]


def marking(marks: Marks) -> Marking:
    """Return the marks of a clip as keywords for `write_video`.

    A signer that can't be read raises here, before the work begins.
    """
    if available():
        with suppress(UnavailableError):  # the clip stays unsigned, with a warning
            find_signer()
    return {"comment": marks.sentence, "finish": partial(seal, marks=marks)}


def seal(path: Path, marks: Marks) -> None:
    """Write the marks into a finished file, in place, and sign it if that is possible: C2PA has no place in WebM.

    Raises:
        MemegenError: The file or its signature can't be written.
    """
    write_metadata(path, marks)
    if available() and path.suffix.lower() in MEDIA_TYPES:
        try:
            sign(path, marks)
        except UnavailableError as error:
            _log.warning("The clip is not signed: %s", error)


def sign(path: Path, marks: Marks, *, signer: Signer | None = None) -> None:
    """Sign a finished file in place; any later change to the file breaks the signature.

    Args:
        path: A movie, GIF, WebP, PNG or JPEG.
        marks: What to say.
        signer: The certificate and key to sign with; `find_signer()` when None.

    Raises:
        InputError: The certificate or the file can't be used; the file is unchanged.
        OutputError: The file can't be written.
        UnavailableError: c2pa-python is not installed, or does not run here.
    """
    kind = MEDIA_TYPES.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path.name} can't be signed: give one of {', '.join(MEDIA_TYPES)}.")
    with _c2pa() as (c2pa, context):
        signer = signer or find_signer()
        try:
            with (
                whole_file(path) as signed,
                path.open("rb") as source,
                signed.open("w+b") as target,
                _c2pa_signer(c2pa, signer) as c2pa_signer,
                c2pa.Builder(json.dumps(_manifest(marks)), context) as builder,
            ):
                builder.sign(c2pa_signer, kind, source, target)
        except c2pa.C2paError.Signature as error:
            raise InputError(_UNFIT.format(error)) from error
        except c2pa.C2paError as error:
            raise InputError(f"{path.name} can't be signed ({error}): it is not a complete {kind} file.") from error
        except OSError as error:
            raise OutputError(f"The signed file can't be written ({error}): write to another folder.") from error


def read_credentials(path: Path) -> dict[str, Any] | None:
    """Read and check the manifests in a file, whatever its format and name.

    Returns:
        C2PA's report with `manifests`, `active_manifest`, `validation_state` and `validation_status`; None if the file
        has no manifests.

    Raises:
        InputError: The file has manifests, but they can't be read.
        UnavailableError: c2pa-python is not installed, the file is larger than MAX_CHECKED or a movie with too many
            boxes, or the manifests are kept at an address, which is not fetched.
    """
    if path.stat().st_size > MAX_CHECKED:
        raise UnavailableError(f"files over {MAX_CHECKED >> 30} GB are not checked")
    if has_countless_boxes(path):
        raise UnavailableError("a movie with so many parts is not checked")
    kind = MEDIA_TYPES.get(path.suffix.lower(), "video/mp4")  # a hint: c2pa looks at the first bytes of the file
    with _c2pa() as (c2pa, context):
        try:
            with path.open("rb") as file, c2pa.Reader(kind, file, context=context) as reader:
                report: dict[str, Any] = json.loads(reader.json())
                return report
        except (c2pa.C2paError, OSError, ValueError) as error:
            if "must fetch remote" in str(error):
                raise UnavailableError(f"they are not in the file, and nothing is fetched ({error})") from error
            if _has_store(path):
                raise InputError(str(error)) from error
            return None


def _has_store(path: Path) -> bool:
    """Return whether a file holds manifests, or what is left of them."""
    if not path.stat().st_size:  # also files of the system, such as those in /proc
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(_STORE, 0, _SEARCHED) >= 0


def find_signer() -> Signer:
    """Return the signer that the variables MEMEGEN_CERTIFICATE and MEMEGEN_KEY name, or this machine's own.

    The machine's own is made at first use, names no person, and is kept in the folder of settings, where only its
    owner can read it.

    Raises:
        InputError: A file named by the variables can't be read, or only one of them is set.
        UnavailableError: cryptography is not installed.
    """
    names = ("MEMEGEN_CERTIFICATE", "MEMEGEN_KEY")
    given = [os.environ.get(name) for name in names]
    if any(given):
        if not all(given):
            raise InputError("Set both MEMEGEN_CERTIFICATE, the chain, and MEMEGEN_KEY, its private key, or neither.")
        try:
            return Signer(*(Path(str(file)).expanduser().read_bytes() for file in given))
        except OSError as error:
            raise InputError(f"The certificate or its key can't be read ({error}): check both variables.") from error
    folder = config_dir() / "credentials"
    return _kept(folder) or _keep(folder, _make_chain())


def _kept(folder: Path) -> Signer | None:
    """Return the kept signer if it can still be used; remove one that is damaged, incomplete or expired."""
    try:
        signer = Signer(*((folder / name).read_bytes() for name in _FILES))
        if _is_sound(signer):
            return signer
    except FileNotFoundError:
        pass
    except OSError:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _is_sound(signer: Signer) -> bool:
    """Return whether the chain is complete, belongs to the key, and is valid now and for another day."""
    x509, serialization = _cryptography("x509"), _cryptography("hazmat.primitives.serialization")
    faults = _cryptography("exceptions")
    try:
        leaf, root = x509.load_pem_x509_certificates(signer.chain)
        key = serialization.load_pem_private_key(signer.key, None)
        leaf.verify_directly_issued_by(root)
    except (ValueError, TypeError, faults.InvalidSignature, faults.UnsupportedAlgorithm):
        return False
    now = datetime.now(UTC)
    valid = leaf.not_valid_before_utc <= now and leaf.not_valid_after_utc > now + timedelta(days=1)
    return bool(valid and leaf.public_key() == key.public_key())


def _keep(folder: Path, signer: Signer) -> Signer:
    """Keep a new signer as a whole and return it; if another program kept one first, return that one."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with whole_file(folder) as made:  # a folder that is not empty is never replaced: the first one stays
            made.mkdir(mode=0o700)
            for name, content in zip(_FILES, signer, strict=True):
                (made / name).touch(mode=0o600)
                (made / name).write_bytes(content)
    except OSError as error:
        kept = _kept(folder)
        if kept is None:
            _log.warning("The local certificate can't be kept in %s (%s): it signs this clip only.", folder, error)
        return kept or signer
    return signer


def _make_chain() -> Signer:
    """Make a root and a leaf certificate for P-256, as C2PA demands; the root's key is not kept.

    They are valid from the first day of the year, so that clips don't tell when memegen was first used.
    """
    x509, ec = _cryptography("x509"), _cryptography("hazmat.primitives.asymmetric.ec")
    hashes, serialization = _cryptography("hazmat.primitives.hashes"), _cryptography("hazmat.primitives.serialization")
    start = datetime((datetime.now(UTC) - timedelta(days=1)).year, 1, 1, tzinfo=UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificates = []
    for name, own in ((LOCAL_SIGNER, key), ("memegen local root", root_key)):
        made = x509.CertificateBuilder(
            issuer_name=x509.Name.from_rfc4514_string("CN=memegen local root,O=memegen"),
            subject_name=x509.Name.from_rfc4514_string(f"CN={name},O=memegen"),
            public_key=own.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=start,
            not_valid_after=start + timedelta(days=365 * YEARS),
        )
        for extension, critical in _extensions(x509, own.public_key(), root_key.public_key(), is_root=own is root_key):
            made = made.add_extension(extension, critical)
        certificates.append(made.sign(root_key, hashes.SHA256()).public_bytes(pem))
    return Signer(b"".join(certificates), key.private_bytes(pem, pkcs8, serialization.NoEncryption()))


def _cryptography(module: str) -> Any:
    """Import a part of cryptography, which is installed with c2pa-python."""
    try:
        return import_module(f"cryptography.{module}")
    except ImportError as error:
        raise UnavailableError(_INSTALL) from error


def _extensions(x509: Any, own: Any, root: Any, *, is_root: bool) -> Iterator[tuple[Any, bool]]:
    """Yield what the certificate may be used for, each with whether it is critical: readers must understand it."""
    others = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    uses = dict.fromkeys(others.split(), False)
    yield x509.BasicConstraints(ca=is_root, path_length=None), True
    yield x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **uses), True
    yield x509.SubjectKeyIdentifier.from_public_key(own), False
    if not is_root:
        yield x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), True
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(root), False


def _manifest(marks: Marks) -> dict[str, Any]:
    """Return the statement that is signed."""
    agent = {"name": "memegen", "version": __version__}
    made = {"action": "c2pa.created", "digitalSourceType": marks.source_type, "softwareAgent": agent}
    moved = {"action": "c2pa.edited", "description": marks.sentence, "softwareAgent": agent}
    return {
        "title": "Made with memegen",
        "claim_generator_info": [agent],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [made, moved]}}],
        "ingredients": [{"title": title, "relationship": "componentOf"} for title in marks.parts],
    }


@contextmanager
def _c2pa() -> Iterator[tuple[Any, Any]]:
    """Yield the module c2pa and a context with our settings and the authorities that MEMEGEN_TRUST names."""
    if not available():
        raise UnavailableError(_INSTALL)
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError) as error:  # its library is not made for this machine
        raise UnavailableError(f"c2pa-python does not run here ({error}).") from error
    settings: dict[str, Any] = {"core": _SMALL, "verify": _OFFLINE, "builder": {"thumbnail": {"enabled": False}}}
    if file := os.environ.get("MEMEGEN_TRUST"):
        try:
            settings["trust"] = {"trust_anchors": Path(file).expanduser().read_text("ascii")}
        except (OSError, ValueError) as error:
            raise InputError(f"The authorities in {file} can't be read ({error}): check MEMEGEN_TRUST.") from error
    with c2pa.Settings.from_dict(settings) as loaded, c2pa.Context(loaded) as context:
        yield c2pa, context


@contextmanager
def _c2pa_signer(c2pa: Any, signer: Signer) -> Iterator[Any]:
    """Yield a signer as c2pa wants it."""
    try:
        _cryptography("x509").load_pem_x509_certificates(signer.chain)
        info = c2pa.C2paSignerInfo(getattr(c2pa.C2paSigningAlg, _algorithm(signer.key)), signer.chain, signer.key, None)
        made = c2pa.Signer.from_info(info)
    except (c2pa.C2paError, ValueError, TypeError) as error:
        raise InputError(_UNFIT.format(error)) from error
    with made:
        yield made


def _algorithm(key: bytes) -> str:
    """Return C2PA's name of the algorithm that goes with a private key."""
    known = _cryptography("hazmat.primitives.serialization").load_pem_private_key(key, None)
    curves = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
    other = "ED25519" if type(known).__name__ == "Ed25519PrivateKey" else "PS256"
    return curves.get(getattr(getattr(known, "curve", None), "name", ""), other)
