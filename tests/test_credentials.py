"""Content Credentials: signed offline, of no person, with keys that stay at home."""

from __future__ import annotations

import getpass
import io
import json
import logging
import os
import platform
import re
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from media import make_clicks, noise, samples_of
from PIL import Image

from memegen.base.errors import InputError, OutputError, UnavailableError
from memegen.media.video import open_video, write_video
from memegen.provenance import credentials
from memegen.provenance.credentials import Signer, find_signer, read_credentials, seal, sign
from memegen.provenance.metadata import Marks, read_metadata

MARKS = Marks("mesh", "daisy-bell", "Sung by a program")
SUFFIXES = (".mp4", ".mov", ".m4v", ".gif", ".webp", ".apng", ".png")
PROVENANCE = Path(credentials.__file__).parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of settings, without the machine's own certificate; no test may reach a network."""

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("something asked for a network")

    for name in ("MEMEGEN_CERTIFICATE", "MEMEGEN_KEY", "MEMEGEN_TRUST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(socket.socket, "connect", refused)
    return tmp_path / "config" / "credentials"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny file of each kind."""
    place = tmp_path_factory.mktemp("plain")
    click = make_clicks(place / "click.wav", seconds=0.5, at=(0.2,))
    made = (write_video(place / f"a{suffix}", noise(4), fps=25, audio=click) for suffix in SUFFIXES)
    return {video.path.suffix: video.path for video in made}


@pytest.fixture
def still(plain: dict[str, Path], tmp_path: Path) -> Path:
    return copied(plain[".png"], tmp_path)


def copied(path: Path, folder: Path) -> Path:
    target = folder / path.name
    target.write_bytes(path.read_bytes())
    return target


def report_of(path: Path) -> dict[str, Any]:
    report = read_credentials(path)
    assert report is not None
    return report


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def named(name: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(f"CN={name},O=memegen")


def chain_for(key: Any, *, days: int = 365, years_ago: int = 0) -> Signer:
    """A chain for a key, as an authority would make it."""
    import datetime

    root_key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1 + 365 * years_ago)
    made = []
    for name, own in (("Some Authority", root_key), ("Ada", key)):
        builder = (
            x509.CertificateBuilder()
            .issuer_name(named("Some Authority"))
            .subject_name(named(name))
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=days))
        )
        extensions = credentials._extensions(x509, own.public_key(), root_key.public_key(), is_root=own is root_key)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        made.append(pem(builder.sign(root_key, hashes.SHA256())))
    return Signer(made[1] + made[0], private(key))


def private(key: Any, password: bytes | None = None) -> bytes:
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    done: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    return done


# Signed


def boxes(movie: bytes) -> list[bytes]:
    """What the boxes of a movie are called, in their order."""
    names, start = [], 0
    while start < len(movie):
        names.append(movie[start + 4 : start + 8])
        start += int.from_bytes(movie[start : start + 4], "big")
    return names


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_is_signed_and_plays_as_before(plain: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    path = copied(plain[suffix], tmp_path)
    seal(path, MARKS)
    report = report_of(path)
    assert report["validation_state"] == "Valid"
    assert [status["code"] for status in report["validation_status"]] == ["signingCredential.untrusted"]
    manifest = report["manifests"][report["active_manifest"]]
    actions = next(one["data"]["actions"] for one in manifest["assertions"] if "actions" in one["label"])
    assert [one["action"] for one in actions] == ["c2pa.created", "c2pa.edited"]
    assert actions[0]["digitalSourceType"] == MARKS.source_type
    assert manifest["claim_generator_info"][0]["name"] == "memegen"
    assert "thumbnail" not in json.dumps(report)
    assert read_metadata(path).description == MARKS.sentence
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, "config"]
    if suffix == ".png":
        assert np.array_equal(np.array(Image.open(path)), np.array(Image.open(plain[suffix])))
        return
    pairs = zip(open_video(path).frames(), open_video(plain[suffix]).frames(), strict=True)
    assert all(np.array_equal(mine, before) for mine, before in pairs)
    if suffix in (".mp4", ".mov", ".m4v"):
        assert np.array_equal(samples_of(path), samples_of(plain[suffix]))
        kinds = boxes(path.read_bytes())
        assert kinds.index(b"ftyp") < kinds.index(b"moov") < kinds.index(b"mdat")


def people() -> set[str]:
    """What this machine calls itself and whoever runs the tests; not what memegen's own statements are made of."""
    ours = set(re.findall(r"\w+", "".join(path.read_text("utf-8") for path in PROVENANCE.glob("*.py"))))
    found = {platform.node(), os.environ.get("HOME", "")}
    with suppress(KeyError, OSError):  # a user that is a number without a name
        found.add(getpass.getuser())
    return {name for name in found - ours - {"root"} if len(name) > 2}


def test_nothing_personal_is_in_it(still: Path, folder: Path) -> None:
    seal(still, Marks("/home/adalovelace/best.pth.tar", "own clip", "x"))
    told = still.read_bytes() + json.dumps(report_of(still)).encode()
    for name in people() | {str(still.parent), "adalovelace", "best.pth", "time"}:
        alone = rb"\b%s\b" if len(name) == 3 else rb"%s"  # random identifiers hold any three letters now and then
        assert not re.search(alone % re.escape(name.encode()), told), name
    for certificate in x509.load_pem_x509_certificates((folder / "chain.pem").read_bytes()):
        start = certificate.not_valid_before_utc
        assert (start.month, start.day, start.hour, start.minute) == (1, 1, 0, 0)  # not when memegen was first used


def test_a_file_beside_it_is_left_alone(still: Path) -> None:
    other = still.with_stem("a-signed")
    other.write_text("mine")
    sign(still, MARKS)
    assert other.read_text() == "mine"


@pytest.mark.parametrize("name", ["a.webm", "a.txt", "a"])
def test_what_cant_be_signed_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"can't be signed: give one of \.mp4"):
        sign(tmp_path / name, MARKS)


def test_a_damaged_or_missing_file_is_said(still: Path) -> None:
    still.write_bytes(still.read_bytes()[:-2000])
    before = still.read_bytes()
    with pytest.raises(InputError, match="it is not a complete image/png file"):
        sign(still, MARKS)
    assert still.read_bytes() == before
    with pytest.raises(OutputError, match="write to another folder"):
        sign(still.parent / "nowhere" / "a.png", MARKS)


# The machine's own certificate


def test_the_key_is_made_once_and_stays_private(folder: Path, still: Path) -> None:
    first = find_signer()
    assert find_signer() == first
    assert sorted(one.name for one in folder.iterdir()) == ["chain.pem", "key.pem"]
    assert [one.name for one in folder.parent.iterdir()] == ["credentials"]
    if os.name == "posix":
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
    sign(still, MARKS)
    assert first.key not in still.read_bytes()


def test_many_at_once_agree_on_one(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        threads = list(pool.map(lambda _: find_signer(), range(8)))
    assert [one.name for one in folder.parent.iterdir()] == ["credentials"]
    assert find_signer() in threads  # what is kept is one that was made, whole
    late = "from memegen.provenance.credentials import find_signer as f; import sys; sys.stdout.write(f().key.decode())"
    other = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, check=True)
    assert other.stdout.encode() == find_signer().key


def test_the_first_of_two_stays() -> None:
    mine, theirs = credentials._make_chain(), find_signer()
    assert credentials._keep(credentials.config_dir() / "credentials", mine) == theirs


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"another"])
def test_a_damaged_key_is_replaced(folder: Path, still: Path, damage: bytes) -> None:
    first = find_signer()
    (folder / "key.pem").write_bytes(credentials._make_chain().key if damage == b"another" else damage)
    sign(still, MARKS)
    assert find_signer() not in (first, None)
    assert report_of(still)["validation_state"] == "Valid"


def test_what_is_damaged_is_replaced_for_good(folder: Path, still: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = credentials._make_chain()
    leaf, root = map(pem, x509.load_pem_x509_certificates(whole.chain))
    other = pem(x509.load_pem_x509_certificates(credentials._make_chain().chain)[1])
    broken = root.replace(b"MII", b"MIJ", 1)
    find_signer()
    for chain in (leaf, leaf + broken, leaf + other, whole.chain + other, root + leaf, None):
        (folder / "key.pem").write_bytes(whole.key)
        (folder / "chain.pem").write_bytes(chain) if chain else (folder / "chain.pem").unlink()
        sign(still, MARKS)
        assert find_signer() == find_signer()
        assert sorted(one.name for one in folder.iterdir()) == ["chain.pem", "key.pem"]
    assert not caplog.text


@pytest.mark.parametrize(("days", "years_ago"), [(365, 2), (1, 0), (2, 0), (800, -1)])
def test_a_certificate_that_is_not_valid_for_a_day_is_replaced(folder: Path, days: int, years_ago: int) -> None:
    folder.mkdir(parents=True)  # too old, expired today, expires tomorrow, made while the clock was wrong
    old = chain_for(ec.generate_private_key(ec.SECP256R1()), days=days, years_ago=years_ago)
    (folder / "chain.pem").write_bytes(old.chain)
    (folder / "key.pem").write_bytes(old.key)
    assert find_signer() != old
    assert find_signer() == find_signer()


def test_where_nothing_can_be_kept_it_serves_once(
    tmp_path: Path, still: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        seal(still, MARKS)
    assert "can't be kept" in caplog.text
    assert report_of(still)["validation_state"] == "Valid"


# Somebody's own


def own(monkeypatch: pytest.MonkeyPatch, folder: Path, signer: Signer) -> None:
    for name, content in zip(("MEMEGEN_CERTIFICATE", "MEMEGEN_KEY"), signer, strict=True):
        (folder / name).write_bytes(content)
        monkeypatch.setenv(name, str(folder / name))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "ed25519", "rsa"],
)
def test_an_own_certificate_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, still: Path, key: Any) -> None:
    signer = chain_for(key)
    own(monkeypatch, tmp_path, signer)
    seal(still, MARKS)
    report = report_of(still)
    assert report["manifests"][report["active_manifest"]]["signature_info"]["common_name"] == "Ada"
    assert report["validation_state"] == "Valid"
    assert not (tmp_path / "config").exists()
    authority = x509.load_pem_x509_certificates(signer.chain)[1]
    (tmp_path / "authorities.pem").write_bytes(pem(authority))
    monkeypatch.setenv("MEMEGEN_TRUST", str(tmp_path / "authorities.pem"))
    assert report_of(still)["validation_state"] == "Trusted"


def unfit() -> dict[str, Signer]:
    one, other = (chain_for(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    leaf, root = map(pem, x509.load_pem_x509_certificates(one.chain))
    key = serialization.load_pem_private_key(one.key, None)
    return {
        "another's key": Signer(one.chain, other.key),
        "the root first": Signer(root + leaf, one.key),
        "no certificate": Signer(b"hello", one.key),
        "no key": Signer(one.chain, b"hello"),
        "nothing": Signer(b"", b""),
        "exchanged": Signer(one.key, one.chain),
        "a locked key": Signer(one.chain, private(key, b"password")),
        "too old": chain_for(ec.generate_private_key(ec.SECP256R1()), years_ago=2),
    }


@pytest.mark.parametrize("fault", unfit())
def test_an_unfit_certificate_is_said(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, still: Path) -> None:
    before = still.read_bytes()
    own(monkeypatch, tmp_path, unfit()[fault])
    with pytest.raises(InputError, match=r"with this certificate .* leave it out to use a local one\.$"):
        sign(still, MARKS)
    assert still.read_bytes() == before


def test_half_a_certificate_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_KEY", str(tmp_path / "key.pem"))
    with pytest.raises(InputError, match="Set both MEMEGEN_CERTIFICATE, the chain, and MEMEGEN_KEY"):
        find_signer()
    monkeypatch.setenv("MEMEGEN_CERTIFICATE", str(tmp_path / "chain.pem"))
    with pytest.raises(InputError, match=r"can't be read .*: check both variables"):
        find_signer()


def test_authorities_that_cant_be_read_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, still: Path) -> None:
    monkeypatch.setenv("MEMEGEN_TRUST", str(tmp_path / "nowhere.pem"))
    with pytest.raises(InputError, match="check MEMEGEN_TRUST"):
        read_credentials(still)


# Without


def test_without_c2pa_the_metadata_are_written_all_the_same(still: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    seal(still, MARKS)
    assert read_metadata(still).tool == MARKS.tool
    for call in (lambda: sign(still, MARKS), lambda: read_credentials(still)):
        with pytest.raises(UnavailableError, match=r"memegen-sings\[signing\]"):
            call()
    monkeypatch.undo()
    assert read_credentials(still) is None


@pytest.mark.parametrize("missing", ["c2pa", "cryptography.x509"])
def test_what_does_not_run_here_leaves_a_clip_unsigned(
    still: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    monkeypatch.setattr(credentials, "find_spec", lambda _: True)
    monkeypatch.setitem(sys.modules, missing, None)
    with caplog.at_level(logging.WARNING):
        seal(still, MARKS)
    assert "not signed" in caplog.text
    assert read_metadata(still).tool == MARKS.tool


# Of somebody hostile


@pytest.mark.parametrize("inside", [False, True])
def test_a_movie_of_countless_boxes_is_not_checked(plain: dict[str, Path], tmp_path: Path, inside: bool) -> None:
    path = copied(plain[".mp4"], tmp_path)
    assert read_credentials(path) is None
    boxes = struct.pack(">I4s", 8, b"free") * 10_000
    with path.open("ab") as file:
        file.write((struct.pack(">I4s", 8 + len(boxes), b"moof") if inside else b"") + boxes)
    with pytest.raises(UnavailableError, match="with so many parts is not checked"):
        read_credentials(path)


def test_a_file_of_no_length_holds_no_manifests(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"  # such as files of the system that can be read all the same
    path.write_bytes(b"")
    assert read_credentials(path) is None


# Kept elsewhere


def test_credentials_kept_elsewhere_are_not_fetched(still: Path) -> None:
    signer, signed = find_signer(), io.BytesIO()
    with credentials._c2pa() as (c2pa, context), credentials._c2pa_signer(c2pa, signer) as c2pa_signer:
        builder = c2pa.Builder(json.dumps(credentials._manifest(MARKS)), context)
        builder.set_no_embed()
        builder.set_remote_url("http://127.0.0.1:9/a.c2pa")
        builder.sign(c2pa_signer, "image/png", io.BytesIO(still.read_bytes()), signed)
    still.write_bytes(signed.getvalue())
    with pytest.raises(UnavailableError, match=r"nothing is fetched .*127\.0\.0\.1"):
        read_credentials(still)


SIGNING = """
import re, sys
from pathlib import Path
from memegen.provenance.credentials import seal
from memegen.provenance.metadata import Marks
marks, peaks = Marks("mesh", "own clip", "x"), []
for name in sys.argv[1:]:
    seal(Path(name), marks)
    peaks.append(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
print(peaks[1] / peaks[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak memory")
def test_signing_a_long_movie_takes_no_more_memory_than_a_short_one(plain: dict[str, Path], tmp_path: Path) -> None:
    short, random = copied(plain[".mp4"], tmp_path), np.random.default_rng(0)
    long = tmp_path / "long.mp4"
    write_video(long, (random.integers(0, 256, (640, 640, 3), np.uint8) for _ in range(60)), fps=25)
    assert long.stat().st_size > 15e6
    done = subprocess.run([sys.executable, "-c", SIGNING, short, long], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 1.2
    assert report_of(long)["validation_state"] == "Valid"
