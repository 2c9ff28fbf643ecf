"""inspect(): which marks a file carries, what they say, and what they prove; for files of any program."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image as PillowImage

from memegen.base.arrays import Image
from memegen.base.errors import InputError, MemegenError, UnavailableError
from memegen.base.files import check_file
from memegen.media.images import DAMAGE, is_heif, read_image
from memegen.media.video import open_video
from memegen.provenance.credentials import LOCAL_SIGNER, read_credentials
from memegen.provenance.metadata import (
    MAX_PICTURE,
    SOURCE_TYPES,
    SWAP,
    SWAP_NUMBER,
    Found,
    is_huge_picture,
    read_metadata,
)
from memegen.provenance.watermark import Detection, detect
from memegen.templates import TEMPLATES

SPAN = 8.0  # seconds from the beginning of a clip that are searched for the invisible mark
SAMPLES = 60  # frames taken from them
STILL_SIDE = 1920  # pixels; a larger still is scaled down for the search

_log = logging.getLogger(__name__)

State = Literal["none", "intact", "altered", "invalid", "unreadable", "unchecked"]
_WORDS = {
    "trainedAlgorithmicMedia": "made by AI",
    "compositeWithTrainedAlgorithmicMedia": "partly made by AI",
    "compositeSynthetic": "composed of parts, some of them synthetic",
    "compositeCapture": "composed of parts taken with a camera",
    "composite": "composed of several parts",
    "algorithmicMedia": "made by a program",
    "algorithmicallyEnhanced": "enhanced by a program",
    "dataDrivenMedia": "drawn by a program from data",
    "virtualRecording": "recorded in a virtual world",
    "screenCapture": "recorded from a screen",
    "computationalCapture": "taken with a camera that combines several shots",
    "digitalCapture": "taken with a camera",
    "digitalCreation": "drawn or made by hand on a computer",
    "humanEdits": "edited by hand",
}


@dataclass(frozen=True)
class Credentials:
    """What the check of a file's Content Credentials found.

    Attributes:
        state: "none"; "intact" since it was signed; "altered" after it was signed; "invalid" for another reason;
            "unreadable"; or "unchecked", because c2pa-python is not installed or they are not in the file.
        signer: The name in the certificate; anybody can make a certificate with any name.
        trusted: Whether one of the authorities in the file that MEMEGEN_TRUST names confirms the signer.
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
        return _quoted(self.signer, 80) + ("" if known else ", a name that no known authority confirms")

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
        note = "; an authority that you trust confirms this name" if self.trusted else ""
        if self.signer == LOCAL_SIGNER and not self.trusted:
            note = ", a name that every copy of memegen uses and no known authority confirms; anybody can use it"
        return f"{state}; signed with {self.program} as {self.who}{note}"


@dataclass(frozen=True)
class Report:
    """What was found in a file.

    Attributes:
        file: Its name.
        metadata: What the metadata say.
        credentials: Result of the check of the Content Credentials.
        mark: memegen's invisible mark, if it was found.
        template: The template that the invisible mark stands for; None if its number is unknown.
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
        """The result in one or two sentences."""
        signed, kind = self.credentials, _in_words(self.credentials.source_type)
        ours = "memegen" in f"{self.metadata.tool} {self.metadata.comment}"
        if signed.state == "altered":
            return f"Altered after it was signed as {signed.who}: do not rely on its Content Credentials."
        if signed.state == "intact" and self.mark:
            return f"Made with memegen, and unchanged since it was signed as {signed.who}."
        if signed.state == "intact":
            claim = f"made or edited with {signed.program}" + (f", {kind}" if kind else "")
            return f"Picture, sound and metadata are unchanged since it was signed as {signed.who}. It says: {claim}."
        if signed.state in ("invalid", "unreadable"):
            return f"It has Content Credentials, but they prove nothing: {_plain(signed.reason or 'damaged')}."
        if self.mark and ours:
            unsigned = "It is not signed" if signed.state == "none" else "Its signature, if it has one, was not checked"
            return f"Made with memegen. {unsigned}."
        if self.mark and self.metadata.problem:
            return "Made with memegen: it has the invisible mark. Its metadata could not be read; see below."
        if self.mark:
            return "Made with memegen and saved again since: the metadata are gone, the invisible mark is still there."
        if self.metadata.source_type or ours:
            says = _in_words(self.metadata.source_type) or "made with memegen"
            return f"Its metadata say: {says}. Anybody can write metadata, so this is a hint, not a proof."
        if signed.state == "unchecked" or self.problem or self.metadata.problem:
            return "No marks were found, but not everything could be checked; see below."
        return "No marks were found. That proves nothing: marks get lost, and most pictures never had any."

    def lines(self) -> list[str]:
        """All of it in plain words, the verdict first; each line is safe to print."""
        mark = "not found"
        if self.problem:
            mark = f"not searched for: {self.problem}"
        elif self.mark:
            what = f"template {self.template}" if self.template else f"number {self.mark.payload}"
            what = "a face swap" if self.template == SWAP else what
            mark = f"found, {what}; the chance of a false alarm is below {max(self.mark.false_alarm, 1e-99):.0e}"
        rows = {
            self.file: self.verdict,
            "Content Credentials": self.credentials.line,
            "Signed source type": _in_words(self.credentials.source_type),
            "Source type": _in_words(self.metadata.source_type),
            "Made with": self.metadata.tool,
            "Description": self.metadata.description,
            "Rights": self.metadata.rights,
            "Comment": self.metadata.comment,
            "Metadata": self.metadata.problem,
            "Invisible mark": mark,
        }
        return [f"{_plain(name)}: {_plain(text)}" for name, text in rows.items() if text]

    def to_json(self) -> str:
        """All of it for programs: the fields of this class and the verdict."""
        return json.dumps({"verdict": self.verdict} | dataclasses.asdict(self), indent=2)


def inspect(path: str | Path) -> Report:
    """Look for marks that say how a picture or clip was made.

    Args:
        path: A clip, GIF, WebP, PNG or JPEG, of any program. The invisible mark is searched for in the first seconds
            only; signatures are checked over the whole file.

    Raises:
        InputError: The file does not exist, or is neither a picture nor a clip.
    """
    file = check_file(path, kind="picture or clip")
    name, mark, problem, template = _plain(file.name), None, None, None
    try:
        metadata, credentials = read_metadata(file), _credentials(file)
        try:
            mark = detect(_frames(file))
        except MemegenError as error:
            problem = str(error).replace(str(file), file.name)
            if metadata == Found() and credentials.state in ("none", "unchecked"):
                message = f"{name} is neither a picture nor a clip that can be read: {_plain(problem)}"
                raise InputError(message) from error
    except OSError as error:  # a failing disk or network, or a file that was just removed
        message = f"{name} could not be read completely ({error.strerror}): copy it to this machine and try again."
        raise InputError(message) from error
    if mark:
        template = {SWAP_NUMBER: SWAP, **{one.mark: one.name for one in TEMPLATES}}.get(mark.payload)
    return Report(file.name, metadata, credentials, mark=mark, template=template, problem=problem)


def _frames(file: Path) -> Iterator[Image]:
    """Return the pictures to search: a still, or frames spread over the first seconds of a clip."""
    if is_huge_picture(file):
        raise InputError(f"{file.name} is a picture over {MAX_PICTURE >> 20} MB: give a smaller copy.")
    if _is_still(file):
        return iter([read_image(file, max_side=STILL_SIDE)])
    clip = open_video(file, duration=SPAN)
    return itertools.islice(clip.frames(), 0, None, -(-clip.frame_count // SAMPLES))


def _is_still(file: Path) -> bool:
    with warnings.catch_warnings(action="ignore"), suppress(*DAMAGE), PillowImage.open(file) as image:
        return not getattr(image, "is_animated", False)
    with file.open("rb") as stream:
        return is_heif(stream.read(64))  # HEIC without its reader: `read_image` says what to install


def _credentials(file: Path) -> Credentials:
    """Return the outcome of the check in our words, whatever goes wrong in it."""
    try:
        report = read_credentials(file)
        return Credentials() if report is None else _outcome(report)
    except UnavailableError as error:
        return Credentials("unchecked", reason=str(error))
    except (InputError, AttributeError, IndexError, KeyError, TypeError) as error:
        _log.debug("The check of %s says: %s", file.name, error)
        reason = "they are damaged, were changed after signing, or need a newer version of this program"
        return Credentials("unreadable", reason=reason)


def _outcome(report: dict[str, Any]) -> Credentials:
    """Sum up a report of C2PA."""
    manifests = report.get("manifests") or {}
    manifest = manifests[report["active_manifest"]]
    signature = manifest.get("signature_info") or {}
    generator = (manifest.get("claim_generator_info") or [{}])[0]
    tool = " ".join(str(generator[key]) for key in ("name", "version") if generator.get(key))
    state, reason = _state(report)
    return Credentials(
        state=state,
        signer=signature.get("common_name") or signature.get("issuer"),
        trusted=report.get("validation_state") == "Trusted",
        tool=tool or manifest.get("claim_generator"),
        source_type=next(itertools.chain.from_iterable(map(_source_types, (manifest, *manifests.values()))), None),
        reason=reason,
    )


def _state(report: dict[str, Any]) -> tuple[State, str | None]:
    """Return the state and the reason; an unknown certificate is not a fault of the file."""
    codes = [str(status.get("code")) for status in report.get("validation_status") or []]
    faults = sorted({code for code in codes if code != "signingCredential.untrusted"})
    if any(code.endswith((".mismatch", "claimSignature.missing")) for code in faults):
        return "altered", ", ".join(faults)
    if faults or report.get("validation_state") not in ("Valid", "Trusted"):
        return "invalid", f"the checks report {', '.join(faults) or report.get('validation_state')}"
    return "intact", None


def _source_types(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the digital source types that the manifest's actions name."""
    for assertion in manifest.get("assertions") or []:
        data = assertion.get("data")
        actions = data.get("actions") or [] if isinstance(data, dict) else []
        yield from (str(action["digitalSourceType"]) for action in actions if action.get("digitalSourceType"))


def _in_words(source_type: str | None) -> str | None:
    """Return what a digital source type means; one that we don't know is quoted."""
    if source_type is None:
        return None
    name = source_type.removeprefix(SOURCE_TYPES).removeprefix("https" + SOURCE_TYPES[4:])
    return f"{_WORDS[name]} ({name})" if name in _WORDS else _quoted(source_type, 120)


def _quoted(text: str, most: int) -> str:
    """Quote text from a file, so that it can't be taken for our own words."""
    return '"' + _plain(text, most).replace('"', "'") + '"'


def _plain(text: str, most: int = 500) -> str:
    """Make text from a file safe to print: one line, no control characters, not too long."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    return line if len(line) <= most else f"{line[:most]}..."
