"""inspect(): which marks a file carries, what they say, and what that is worth; of any tool's files, not only ours."""

from __future__ import annotations

import dataclasses
import itertools
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from memegen.base.errors import InputError, MemegenError, UnavailableError
from memegen.base.files import check_file
from memegen.media.images import read_image
from memegen.media.video import open_video
from memegen.provenance.credentials import LOCAL_SIGNER, available, read_credentials
from memegen.provenance.metadata import (
    DAMAGE,
    MAX_PICTURE,
    SOURCE_TYPES,
    Found,
    is_heif,
    is_huge_picture,
    read_metadata,
)
from memegen.provenance.watermark import Detection, detect
from memegen.templates import TEMPLATES

SPAN = 8.0  # seconds of a clip that are searched for the invisible mark
SAMPLES = 60  # frames of them
STILL_SIDE = 1920  # pixels; a larger still is scaled down for the search

State = Literal["none", "intact", "altered", "invalid", "unreadable", "unchecked"]
_WORDS = {
    "trainedAlgorithmicMedia": "made by AI",
    "compositeWithTrainedAlgorithmicMedia": "partly made by AI",
    "compositeSynthetic": "put together, partly of synthetic parts",
    "compositeCapture": "put together of parts taken with a camera",
    "composite": "put together of several parts",
    "algorithmicMedia": "made by a program",
    "algorithmicallyEnhanced": "enhanced by a program",
    "dataDrivenMedia": "drawn by a program from data",
    "virtualRecording": "recorded in a virtual place",
    "screenCapture": "recorded from a screen",
    "computationalCapture": "taken with a camera that computes",
    "digitalCapture": "taken with a camera",
    "digitalCreation": "drawn or made by hand on a computer",
    "humanEdits": "edited by hand",
}
_UNREAD = "they are damaged, were changed after signing, or are of a newer version than this program knows"
_UNTOUCHED = "Picture, sound and metadata are as they were when the file was signed"
_LOCAL = "a name that every copy of memegen takes and anybody else can"
_UNKNOWN = "no authority known here vouches for that name"


@dataclass(frozen=True)
class Credentials:
    """What a file's Content Credentials come to.

    Attributes:
        state: "none"; "intact" since it was signed; "altered" after it was signed; "invalid" for another reason;
            "unreadable"; or "unchecked", because c2pa-python is not installed or they are not in the file.
        signer: The name in the certificate; anybody can make one with any name.
        trusted: Whether one of the authorities in the file that MEMEGEN_TRUST names vouches for the signer.
        tool: The program that signed.
        source_type: IPTC's digital source type of the first action that names one, then of what went into the file.
        reason: Why it is invalid, unreadable or unchecked.
    """

    state: State = "none"
    signer: str | None = None
    trusted: bool = False
    tool: str | None = None
    source_type: str | None = None
    reason: str | None = None

    @property
    def who(self) -> str:
        """The signer's name, as a claim."""
        if not self.signer:
            return "somebody unnamed"
        known = self.trusted or self.signer == LOCAL_SIGNER
        return _quoted(self.signer, 80) + ("" if known else ", a name that nobody known here vouches for")

    @property
    def says(self) -> str:
        """How the file was made, as it says itself."""
        kind = _in_words(self.source_type)
        return f"made or edited with {self.program}" + (f" and is {kind}" if kind else "")

    @property
    def program(self) -> str:
        """The program's name, as a claim."""
        return _quoted(self.tool, 80) if self.tool else "an unnamed program"

    @property
    def line(self) -> str:
        """All of it in one line."""
        if self.state in ("none", "unchecked", "unreadable"):
            return f"{self.state}: {self.reason}" if self.reason else self.state
        state = f"{self.state} ({self.reason})" if self.reason else self.state
        name = _quoted(self.signer, 80) if self.signer else "somebody unnamed"
        vouched = "an authority that you trust vouches for that name" if self.trusted else _UNKNOWN
        own = f", {_LOCAL}" if self.signer == LOCAL_SIGNER else ""
        return f"{state}; signed with {self.program} as {name}{own}; {vouched}"


@dataclass(frozen=True)
class Report:
    """What was found in a file.

    Attributes:
        file: Its name.
        metadata: See Found.
        credentials: See Credentials.
        mark: The invisible mark of memegen, if it was found.
        template: What the invisible mark says was sung; None where it names nothing known.
        problem: Why the pictures could not be searched.
    """

    file: str
    metadata: Found
    credentials: Credentials
    mark: Detection | None = None
    template: str | None = None
    problem: str | None = None

    @property
    def verdict(self) -> str:
        """What it comes to, in one or two sentences."""
        signed, says = self.credentials, _in_words(self.metadata.source_type)
        ours = "memegen" in f"{self.metadata.tool} {self.metadata.comment}"
        if signed.state == "altered":
            return f"Altered after it was signed as {signed.who}: do not take its Content Credentials at their word."
        if signed.state == "intact" and self.mark:
            return f"Made with memegen, and unchanged since it was signed as {signed.who}."
        if signed.state == "intact":
            return f"{_UNTOUCHED} as {signed.who}. It says that it was {signed.says}."
        if signed.state in ("invalid", "unreadable"):
            return f"It has Content Credentials, but they prove nothing here: {_plain(signed.reason or 'damaged')}."
        if self.mark and ours:
            return (
                f"Made with memegen; {'it is not signed' if signed.state == 'none' else 'a signature was not checked'}."
            )
        if self.mark and self.metadata.problem:
            return "Made with memegen: it has the invisible mark. Its metadata could not be read; see below."
        if self.mark:
            return "Made with memegen and saved again since: its metadata are gone, the invisible mark is still there."
        if says or ours:
            says = says or "made with memegen"
            return f"Its metadata say that it was {says}. Anybody can write metadata, so this is a hint and no proof."
        if signed.state == "unchecked" or self.problem or self.metadata.problem:
            return "No marks were found, but not all could be looked for; see below."
        return "No marks were found. That proves nothing: marks get lost, and most pictures never had any."

    def lines(self) -> list[str]:
        """All of it in plain words, the verdict first; each of one line that is safe to print."""
        rows = [
            (self.file, self.verdict),
            ("Content Credentials", self.credentials.line),
            ("Signed source type", _in_words(self.credentials.source_type)),
            ("Source type", _in_words(self.metadata.source_type)),
            ("Made with", self.metadata.tool),
            ("Description", self.metadata.description),
            ("Rights", self.metadata.rights),
            ("Comment", self.metadata.comment),
            ("Metadata", self.metadata.problem and f"left unread: {self.metadata.problem}"),
            ("Invisible mark", self._mark_line()),
        ]
        return [f"{_plain(name)}: {_plain(text)}" for name, text in rows if text]

    def to_json(self) -> str:
        """All of it for programs: the fields of this class and the verdict."""
        return json.dumps({"verdict": self.verdict} | dataclasses.asdict(self), indent=2)

    def _mark_line(self) -> str:
        if self.problem:
            return f"not looked for: {self.problem}"
        if self.mark is None:
            return "not found"
        what = f"template {self.template}" if self.template else f"number {self.mark.payload}"
        return f"found, {what}; the chance of a false alarm is below {max(self.mark.false_alarm, 1e-99):.0e}"


def inspect(path: str | Path) -> Report:
    """Look for marks of how a picture or clip was made.

    Args:
        path: A clip, GIF, WebP, PNG or JPEG, of any program. Pictures are searched for the invisible mark in the
            first seconds only; signatures are checked over the whole file.

    Raises:
        InputError: There is no such file, or it is neither a picture nor a clip.
    """
    file = check_file(path, kind="picture or clip")
    try:
        return _looked_into(file)
    except OSError as error:  # a disk or a network that fails, or a file that is just being removed
        told = (
            f"{_plain(file.name)} can't be read to its end ({error.strerror}): copy it to this machine and try again."
        )
        raise InputError(told) from error


def _looked_into(file: Path) -> Report:
    mark, problem = None, None
    metadata, credentials = read_metadata(file), _credentials(file)
    try:
        mark = detect(_frames(file))
    except (MemegenError, Image.DecompressionBombError) as error:
        problem = str(error).replace(str(file), file.name)
        if metadata == Found() and credentials.state in ("none", "unchecked"):
            told = f"{_plain(file.name)} is neither a picture nor a clip that can be read: {_plain(problem)}"
            raise InputError(told) from error
    names = {template.mark: template.name for template in TEMPLATES}
    return Report(file.name, metadata, credentials, mark, names.get(mark.payload) if mark else None, problem)


def _frames(file: Path) -> Iterator[np.ndarray]:
    """The pictures to search: a still, or frames spread over the first seconds of a clip."""
    if is_huge_picture(file):
        raise InputError(f"{file.name} is a picture of more than {MAX_PICTURE >> 20} MB: give a smaller copy.")
    if _is_still(file):
        return iter([read_image(file, max_side=STILL_SIDE)])
    clip = open_video(file, duration=SPAN)
    return itertools.islice(clip.frames(), 0, None, -(-clip.frame_count // SAMPLES))


def _is_still(file: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:  # any kind that Pillow knows; HEIC since the metadata were read
                return not getattr(image, "is_animated", False)
    except (*DAMAGE, ValueError):
        return is_heif(file)  # which needs an extra, and the reader of photos says so


def _credentials(file: Path) -> Credentials:
    if not available():
        return Credentials("unchecked", reason='run pip install "memegen[signing]" to have them checked')
    try:
        report = read_credentials(file)
        return Credentials() if report is None else _sorted_out(report)
    except UnavailableError as error:
        return Credentials("unchecked", reason=str(error))
    except (InputError, AttributeError, IndexError, KeyError, TypeError) as error:
        return Credentials("unreadable", reason=f"{_UNREAD} ({error})")


def _sorted_out(report: dict[str, Any]) -> Credentials:
    """Tell what a report of C2PA comes to."""
    manifests = report.get("manifests") or {}
    manifest = manifests[report["active_manifest"]]
    signature = manifest.get("signature_info") or {}
    generator = (manifest.get("claim_generator_info") or [{}])[0]
    tool = " ".join(str(generator[key]) for key in ("name", "version") if generator.get(key))
    types = itertools.chain.from_iterable(map(_source_types, (manifest, *manifests.values())))
    state, reason = _state(report)
    return Credentials(
        state,
        signature.get("common_name") or signature.get("issuer"),
        report.get("validation_state") == "Trusted",
        tool or manifest.get("claim_generator"),
        next(types, None),
        reason,
    )


def _state(report: dict[str, Any]) -> tuple[State, str | None]:
    """Sort the outcome of the checks; an unknown certificate is no fault of the file."""
    codes = [str(status.get("code")) for status in report.get("validation_status") or []]
    faults = sorted({code for code in codes if code != "signingCredential.untrusted"})
    if any(code.endswith((".mismatch", "claimSignature.missing")) for code in faults):
        return "altered", ", ".join(faults)
    if faults or report.get("validation_state") not in ("Valid", "Trusted"):
        return "invalid", f"the checks say {', '.join(faults) or report.get('validation_state')}"
    return "intact", None


def _source_types(manifest: dict[str, Any]) -> Iterator[str]:
    """Digital source types that the manifest's actions name, in order."""
    for assertion in manifest.get("assertions") or []:
        data = assertion.get("data")
        actions = data.get("actions") or [] if isinstance(data, dict) else []
        yield from (str(action["digitalSourceType"]) for action in actions if action.get("digitalSourceType"))


def _in_words(source_type: str | None) -> str | None:
    """Say in words what a digital source type means; in quotes as it is where it is not one that we know."""
    if source_type is None:
        return None
    name = source_type.removeprefix(SOURCE_TYPES).removeprefix("https" + SOURCE_TYPES[4:])
    return f"{_WORDS[name]} ({name})" if name in _WORDS else _quoted(source_type, 120)


def _quoted(text: str, most: int) -> str:
    """Make a stranger's words safe within a sentence: they can't be taken for the rest of it."""
    return '"' + _plain(text, most).replace('"', "'") + '"'


def _plain(text: str, most: int = 500) -> str:
    """Make a stranger's text safe to print: one line, no control characters, not too long."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    return line if len(line) <= most else f"{line[:most]}..."
