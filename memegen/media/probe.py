"""What a clip says of itself: its picture, its clocks, its sound tracks, and how its frames have to be decoded."""

from __future__ import annotations

import logging
import math
import re
from collections import defaultdict
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from memegen.base.errors import InputError, NoPictureError, UnavailableError
from memegen.media.animations import is_animation, read_animation
from memegen.media.ffmpeg import EXACT, reading, run, said, sound_streams, tell

LONGEST = 1e9  # seconds; ffmpeg gets no limit for a longer span, as it counts no further than 1e13
SMOOTH = 25  # frames a second that keep a picture within 20 ms of its sound, however uneven the clip
APART = 60.0  # seconds; a picture and a sound that begin further apart have clocks of their own

_log = logging.getLogger(__name__)
_BROKEN = re.compile(r"partial file|ended prematurely|corrupt", re.IGNORECASE)
_PICTURE = re.compile(r"^\s*Stream #\S+ Video:(?!.*attached pic)(.*)", re.MULTILINE)
_SIZE = re.compile(r"pts_time:\s*(-?[\d.]+) .*?sar:\s*(\d+)/(\d+) s:(\d+)x(\d+)")
_RESHAPED = {"h264", "hevc", "vvc", "vp8", "vp9", "av1", "mpeg2video"}  # codecs whose frames may change their size
_HIGH_DEFINITION = 720  # rows from which players take a picture without tags as BT.709, not BT.601
_WIDE = {"bt2020": "2020", "smpte432": "smpte432", "smpte431": "smpte431"}  # primaries beyond those of sRGB: for zscale
_HDR = {"smpte2084", "arib-std-b67"}  # PQ and HLG
_WHITE = 203  # cd/m2 of white paper in HDR video, which SDR shows as 255 (ITU-R BT.2408)
# Colours up to 0.9 stay as they are; brighter ones, up to the 1000 cd/m2 of HLG, are squeezed into the rest.
_TONES = f"tonemap=mobius:param=0.9:desat=0:peak={1000 / _WHITE:.2f}"


class Decoding(NamedTuple):
    """How the frames and the sound of a file are decoded.

    Attributes:
        decoder: ffmpeg's options for the input.
        filters: ffmpeg's filters for the frames as they are stored.
        bars: ffmpeg's filters that bring frames of several sizes to one.
        colours: ffmpeg's filters that turn a scaled picture into sRGB.
        matrix: The matrix of a picture without tags, an option of ffmpeg's scale; or nothing.
        alpha: Whether the picture has transparent parts.
        picture_at: The time in the file, in seconds, at which the clip begins.
        sound_at: The same for its sound; they differ only where picture and sound have clocks of their own.
        track: The number of the sound track among those of the file; None if none can be decoded.
    """

    decoder: tuple[str, ...] = ()
    filters: str = ""
    bars: str = ""
    colours: str = ""
    matrix: str = ""
    alpha: bool = False
    picture_at: float = 0.0
    sound_at: float = 0.0
    track: int | None = 0


PLAIN = Decoding()


class Probe(NamedTuple):
    """What a file says of itself, and the size of its first frame; fps is None and duration 0 where it does not say."""

    width: int
    height: int
    fps: Fraction | None
    duration: float
    sounds: tuple[str, ...]
    decoding: Decoding
    codec: str = ""


class Packets(NamedTuple):
    """The packets of a clip; times are in seconds of the file's clock.

    Attributes:
        number: How many packets the picture has.
        rate: Their average rate, packets a second.
        end: When the last one ends; 0 if the file does not say.
        broken: Whether the file breaks off.
        peak: The rate of the shortest tenth.
        first: When the picture begins.
        sound: When the sound begins; NaN without sound.
        sizes: Time, width and height of each key frame, in square pixels.
    """

    number: int
    rate: float
    end: float
    broken: bool
    peak: float = 0.0
    first: float = 0.0
    sound: float = math.nan
    sizes: tuple[tuple[float, int, int], ...] = ()

    def length(self, fps: Fraction) -> float:
        """Return the length of the picture in seconds."""
        return self.end or float(self.number / fps)


def look(file: Path) -> Probe:
    """Decode the first frame: its size is that of most, turned upright and with square pixels.

    Raises:
        InputError: It is not a video, or damaged.
        NoPictureError: It has sound only; the picture of an album's cover does not count.
        UnavailableError: ffmpeg crashes over it.
    """
    if is_animation(file):
        with closing(read_animation(file)) as pictures:
            height, width = next(pictures)[1].shape[:2]
        return Probe(width, height, None, 0.0, (), PLAIN)
    square = "scale=trunc(iw*sar+0.5):ih,setsar=1,format=rgb24"
    shot = run(
        *reading(file), "-map", "0:V:0", "-vf", square, "-frames:v", "1", "-c:v", "ppm", "-f", "image2pipe", "-",
        level="info",
    )  # fmt: skip
    words = said(shot)
    picture, sounds = _PICTURE.search(words), sound_streams(words)
    size = re.match(rb"P6\s+(\d+)\s+(\d+)\s", shot.stdout)
    if size is None or picture is None:
        if sounds and not picture:
            message = f"{file} has sound but no picture: make_meme takes it as a song; here a video is needed."
            raise NoPictureError(message)
        tell(shot.stderr)
        if shot.returncode < 0:  # killed by a signal: some builds can't read MPEG-TS on some systems
            raise UnavailableError(f"ffmpeg crashed over {file.name}: run pip install -U imageio-ffmpeg and try again.")
        raise InputError(
            f"{file} can't be read as a video: it is damaged, incomplete or not a video; get it again or use another."
        )
    rate = re.search(r"([\d.]+)(k?) fps", picture[1])
    clock = re.search(r"Duration: (\d+):(\d+):([\d.]+)", words)
    fps = rational(float(rate[1]) * (1000 if rate[2] else 1)) if rate else None
    duration = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else 0.0
    codec = picture[1].split()[0].rstrip(",")
    decoding = _decoding(picture[1], words[picture.end() :].partition("Stream #")[0])
    return Probe(int(size[1]), int(size[2]), fps, duration, tuple(sounds), decoding, codec)


def _decoding(stream: str, metadata: str) -> Decoding:
    """Return how a picture stream is decoded, from ffmpeg's description of it."""
    form = re.search(r", (\w+)(?:\((.*?)\)+)?, (\d+)x(\d+)", stream)
    kind, notes, rows = (form[1], form[2] or "", int(form[4])) if form else ("", "", 0)
    tags = next((note for note in notes.split(", ") if re.fullmatch(r"[\w-]+(/[\w-]+){2}", note)), "")
    single = next((note for note in notes.split(", ") if re.fullmatch(r"bt\w+|smpte\w+|fcc|ycgco|arib\S+", note)), "")
    matrix, primaries, transfer = tags.split("/") if tags else (single or "unknown",) * 3
    codec = stream.split()[0].rstrip(",")
    # ffmpeg's own decoders of VP8 and VP9 leave out the alpha channel of WebM.
    hidden = codec in ("vp8", "vp9") and re.search(r"(?i)alpha_mode\s*: 1", metadata) is not None
    decoder = ("-c:v", "libvpx-vp9" if codec == "vp9" else "libvpx") if hidden else ()
    untagged = matrix in ("unknown", "reserved") and kind.startswith("yuv") and rows >= _HIGH_DEFINITION
    # Its decoder takes VP8 as BT.601, whatever the file says.
    modern = untagged or (codec == "vp8" and matrix == "bt709")
    return Decoding(
        decoder=decoder,
        filters="bwdif=mode=send_frame:deint=interlaced," if "first" in notes else "",
        colours=_to_srgb(matrix, primaries, transfer),
        matrix=":in_color_matrix=bt709" if modern else "",
        alpha=hidden or re.match(r"yuva|rgba|bgra|argb|abgr|gbrap|ya\d", kind) is not None,
    )


def _to_srgb(matrix: str, primaries: str, transfer: str) -> str:
    """Return the filters that bring an HDR or wide-gamut picture to BT.709, or nothing."""
    if transfer not in _HDR and primaries not in _WIDE:
        return ""
    # Where a file names only some of its colours, the others are those that belong to them.
    gamut = _WIDE.get(primaries, "709" if primaries == "bt709" else "2020")
    curve = transfer if transfer in _HDR else "709"
    known = {"bt2020nc": "2020_ncl", "bt2020c": "2020_cl", "bt709": "709", "gbr": "gbr", "smpte170m": "170m"}
    source = f"pin={gamut}:tin={curve}:min={known.get(matrix, '2020_ncl' if gamut == '2020' else '709')}"
    linear = f"zscale={source}:p=709:t=linear:npl={_WHITE},format=gbrpf32le"
    tones = f",{_TONES}" if transfer in _HDR else ""
    return f"format=yuv444p10le,{linear}{tones},zscale=t=709:m=gbr:r=pc:d=ordered,format=gbrp,"


def scan(file: Path, probe: Probe, *, until: float = math.inf) -> Packets:
    """Count a clip's packets and read their times, without decoding more than key frames, up to a time in seconds."""
    if is_animation(file):
        return _scan_animation(file, until=until + 1)
    limit = ["-t", f"{until + 1:.3f}"] if until < LONGEST else []
    # Some streams start their clock at the first packet of the mapped streams, so the sound is mapped as well.
    sound = ["-map", "0:a?"] if probe.sounds else []
    listed = ["-map", "0:V:0", *sound, "-c", "copy", "-f", "framecrc", "-"]
    keys = ["-map", "0:V:0", "-vf", "showinfo=checksum=0", "-f", "null", "-"] if probe.codec in _RESHAPED else []
    level = "info" if keys else "warning"
    listing = run(*limit, "-skip_frame", "nokey", *reading(file), *listed, *keys, level=level)
    words = listing.stderr.decode("utf-8", "replace")
    streams = _times(listing.stdout.decode("ascii", "replace"))
    broken = _BROKEN.search(words) is not None
    packets = sorted(streams.pop(0, []))
    if len(packets) < 2 or packets[0][0] <= -(2**40):  # ffmpeg's "no time given"
        return Packets(len(packets), 0.0, 0.0, broken)
    (first, _), (last, length) = packets[0], packets[-1]
    step = (last - first) / (len(packets) - 1)
    steps = sorted(later - time for (time, _), (later, _) in pairwise(packets))
    # A tenth, so that a few frames with wrong times do not decide the rate.
    quick = steps[len(steps) // 10]
    return Packets(
        number=len(packets),
        rate=float(1 / step) if step else 0.0,
        end=float(last + (length or step)),
        broken=broken,
        peak=float(1 / quick) if quick else 0.0,
        first=float(first),
        sound=float(min((min(times)[0] for times in streams.values()), default=Fraction(0))) if streams else math.nan,
        sizes=tuple(_square(*map(float, found)) for found in _SIZE.findall(words)),
    )


def _square(time: float, across: float, down: float, width: float, height: float) -> tuple[float, int, int]:
    """Return a time and the size of a frame in square pixels, from its size and the shape of its pixels."""
    return time, int(width * across / down + 0.5) if across and down else int(width), int(height)


def _times(listing: str) -> dict[int, list[tuple[Fraction, Fraction]]]:
    """Return the time and length in seconds of each packet in ffmpeg's list, by the number of its stream."""
    lines = listing.splitlines()
    bases = {int(line[4:].split(":")[0]): Fraction(line.split()[-1]) for line in lines if line.startswith("#tb ")}
    times: dict[int, list[tuple[Fraction, Fraction]]] = {}
    for line in lines:
        if line[:1].isdigit():
            stream, _, time, length = (int(part) for part in line.split(",")[:4])
            times.setdefault(stream, []).append((time * bases[stream], length * bases[stream]))
    return times


def _scan_animation(file: Path, *, until: float) -> Packets:
    """Return the same of an animated picture; equal frames may be stored as one, so the shortest give the rate."""
    times = [0.0]
    with closing(read_animation(file)) as pictures:
        while times[-1] < until and (following := next(pictures, None)):
            times.append(following[0])
    lengths = sorted(end - begin for begin, end in pairwise(times))
    # A GIF counts hundredths of a second: delays of 7, 7 and 6 are 15 frames a second.
    short = [length for length in lengths if length < lengths[len(lengths) // 10] + 0.0105]
    return Packets(len(lengths), len(short) / sum(short), times[-1], broken=False)


def rate(probe: Probe, packets: Packets) -> Fraction:
    """Return the rate of a clip; where it changes and is slow on average, that of its fast parts.

    A frame is then shown at most 20 ms early or late.
    """
    average = probe.fps or rational(packets.rate)
    return Fraction(round(packets.peak)) if packets.peak > 1.3 * average and average < SMOOTH else average


def rational(fps: float) -> Fraction:
    """Return the exact rate of a rounded one: 29.97 is 30000/1001."""
    if not 0 < fps < math.inf:
        raise InputError(f"A clip can't have {fps} frames a second: use a number such as 25.")
    whole = round(fps)  # NTSC rates are 1000/1001 of a whole number, and files give them with two decimals
    if whole >= 12 and abs(whole * 1000 / 1001 - fps) < 0.006:
        return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)


def usual_size(probe: Probe, packets: Packets) -> tuple[int, int]:
    """Return the size of a clip's picture: of the shape that it has for most of the time, the largest."""
    if len({size[1:] for size in packets.sizes}) < 2:
        return probe.width, probe.height
    seconds: defaultdict[float, float] = defaultdict(float)  # of each shape
    for (at, width, height), (later, *_) in pairwise([*packets.sizes, (packets.end, 0, 0)]):
        seconds[round(width / height, 1)] += later - at
    shape = max(seconds, key=lambda shape: round(seconds[shape], 1))  # the first where they are even
    return max(((w, h) for _, w, h in packets.sizes if round(w / h, 1) == shape), key=math.prod)


def settle(file: Path, probe: Probe, packets: Packets) -> Decoding:
    """Return how a file is decoded, whose size may change and whose picture and sound may have clocks of their own."""
    decoding = probe.decoding
    if len({size[1:] for size in packets.sizes}) > 1:
        width, height = usual_size(probe, packets)
        shape = f"if(lt(abs(dar*{height}/{width}-1),0.02)"  # rounding does not make bars of a pixel
        fitted = f"scale=w='{shape},{width},min({width},{height}*dar))':h='{shape},{height},min({height},{width}/dar))'"
        decoding = decoding._replace(
            bars=f"{fitted}:eval=frame:{EXACT},setsar=1,pad={width}:{height}:-1:-1:eval=frame,"
        )
    apart = abs(packets.first - packets.sound)
    if apart > APART:  # never where there is no sound
        message = "In %s picture and sound begin %.0f s apart: each is taken from its own beginning."
        _log.warning(message, file.name, apart)
        decoding = decoding._replace(picture_at=packets.first, sound_at=packets.sound)
    return decoding
