"""Moving pictures: arrays of frames, and files."""

from __future__ import annotations

import importlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runhaven.errors import UsageError
from runhaven.media import pixels
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, extension, hold, is_path, read_stream
from runhaven.missing import missing

if TYPE_CHECKING:
    from runhaven.media.kind import Reference, Sink
    from runhaven.media.source import Held

_CODECS = {"mp4": "libx264", "webm": "libvpx-vp9", "ogg": "libtheora"}
_CHANNELS = (1, 3, 4)
_CLIP, _BATCH = 4, 5


class Video(Media):
    """A moving picture."""

    type_name = "video-file"
    list_type = "videos"
    told_fields = ("width", "height", "fps", "frames")
    EXTS: ClassVar[tuple[str, ...]] = ("gif", "mp4", "webm", "ogg")

    @lenient
    def __init__(
        self,
        data_or_path: Any,
        caption: str | None = None,
        fps: int | None = None,
        format: str | None = None,  # noqa: A002 - W&B's name
    ) -> None:
        """Take a video; later changes of the caller's data do not reach it.

        Args:
            data_or_path: Frames (time, channel, height, width; or a batch of those, which is shown as a grid), the path of a
                file, or an open one.
            caption: A line of text.
            fps: Frames a second of an array; 4 by default.
            format: "gif" (the default for arrays), "mp4", "webm" or "ogg".
        """
        self.caption = caption
        self._fps = fps
        self._format = format.lower() if format else None
        self._path = data_or_path if is_path(data_or_path) else None
        self._content = None if self._path is not None else read_stream(data_or_path)
        self._held = None if self._path is not None or self._content is not None else hold(data_or_path)

    @property
    def fps(self) -> int | None:
        """Frames a second; None for a file of which nobody has told."""
        return self.told.get("fps") if self._held is None else int(self._fps or 4)

    @property
    def format(self) -> str:
        """What its bytes are or will be, such as "mp4"."""
        if self._path is not None:
            return extension(checked_path(self._path, "Video"), self.EXTS) or "mp4"
        return self._format or ("gif" if self._content is None else _sniffed(self._content))

    def check(self) -> None:
        """Look at format and file, and whether what encodes it is there."""
        if self._format not in (*self.EXTS, None):
            message = f"format={self._format!r} is not known; choose one of {', '.join(self.EXTS)}."
            raise UsageError(message)
        if self._path is not None:
            self._check_file(checked_path(self._path, "Video"))
        elif self._held is None and self._content is None:
            message = "Video takes frames as an array, or the path of a file."
            raise UsageError(message)
        elif self._held is not None:
            _check_frames(self._held)
            _encoder_for(self.format)

    def _check_file(self, path: Path) -> None:
        if extension(path, self.EXTS) is None:
            message = f"{path} does not end like a video; it must be one of {', '.join(self.EXTS)}."
            raise UsageError(message)

    def encode(self, fps: int = 4) -> None:
        """Accept W&B's call; encoding happens when the video is logged."""
        self._fps = self._fps or fps

    def weight(self) -> int:
        """Return how many bytes the copy holds."""
        return self._held.weight if self._held is not None else len(self._content or b"")

    def keep(self, sink: Sink) -> Reference:
        """Keep a file as it is, and encode frames."""
        if self._held is not None:
            return self.described(self._keep_frames(self._held.array(), sink))
        if sink.scrubs:
            message = "a video file cannot be scrubbed, and this project wants its pictures scrubbed; log its frames as an array."
            raise UsageError(message)
        if self._content is not None:
            return self.described(sink.put(self._content, self.format))
        return self.described(sink.put_file(checked_path(self._path, "Video"), self.format) | self.told)

    def _keep_frames(self, array: Any, sink: Sink) -> Reference:
        ending, fps = self.format, int(self._fps or 4)
        pictures = [pixels.to_picture(frame) for frame in arrange(array)]
        if sink.scrubs:
            pictures = [sink.scrub(picture) for picture in pictures]
        width, height = pictures[0].size
        content = _encoder_for(ending)(pictures, fps, ending)
        if ending != "gif":
            width, height = width + width % 2, height + height % 2
        return sink.put(content, ending) | {"width": width, "height": height, "fps": fps, "frames": len(pictures)}


def _sniffed(content: bytes) -> str:
    """Return the format that the first bytes of a video tell."""
    marks = {b"GIF8": "gif", b"\x1a\x45\xdf\xa3": "webm", b"OggS": "ogg"}
    return marks.get(content[:4], "mp4")


def _check_frames(held: Held) -> None:
    shape = held.shape
    has_channels = any(size in _CHANNELS for size in (*shape[-3:-2], *shape[-1:]))
    if not held.has_numbers or len(shape) not in (_CLIP, _BATCH) or 0 in shape or not has_channels:
        message = (
            f"an array of shape {shape} is no video; pass time x channel x height x width, with 1, 3 or 4 channels, "
            "or a batch of those."
        )
        raise UsageError(message)


def arrange(array: Any) -> Any:
    """Return frames of eight bits as time x height x width, with channels behind if there are several."""
    np = pixels.numpy()
    if array.ndim == _BATCH:
        clips = [arrange(clip) for clip in array]
        return np.stack([pixels.tile([clip[time] for clip in clips]) for time in range(len(clips[0]))])
    turned = np.moveaxis(array, 1, 3) if array.shape[1] in _CHANNELS else array
    found = pixels.to_pixels(turned).array
    narrow = (found >> 8).astype(np.uint8) if found.dtype == np.uint16 else found
    return narrow[..., 0] if narrow.shape[3] == 1 else narrow


def _encoder_for(ending: str) -> Any:
    """Return what encodes a format.

    Raises:
        ImportError: If it is missing.
    """
    if ending == "gif":
        pixels.pillow()
        return _encode_gif
    try:
        import imageio.v2  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
        import imageio_ffmpeg  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
    except ImportError as error:
        message = missing("imageio[ffmpeg]", f"Video(format={ending!r})")
        raise ImportError(f"{message}; or log it with format='gif', which needs Pillow alone.") from error  # noqa: TRY003, EM102
    return _encode_with_ffmpeg


def _encode_gif(pictures: list[Any], fps: int, _: str) -> bytes:
    buffer = io.BytesIO()
    first, *others = [_plain(picture) for picture in pictures]
    first.save(
        buffer,
        format="gif",
        save_all=True,
        append_images=others,
        duration=max(10, round(1000 / fps)),
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def _plain(picture: Any) -> Any:
    return picture if picture.mode in ("L", "RGB", "RGBA", "P") else picture.convert("RGB")


def _encode_with_ffmpeg(pictures: list[Any], fps: int, ending: str) -> bytes:
    imageio: Any = importlib.import_module("imageio.v2")
    np = pixels.numpy()
    with tempfile.TemporaryDirectory(prefix="runhaven-video-") as folder:
        path = Path(folder) / f"video.{ending}"
        written: Any = imageio.get_writer(path, fps=fps, codec=_CODECS[ending], macro_block_size=1)
        with written as file:
            for picture in pictures:
                file.append_data(_even(np.asarray(picture.convert("RGB"))))
        return path.read_bytes()


def _even(frame: Any) -> Any:
    """Repeat the last line or column where a number is odd: the usual codecs want even ones."""
    np = pixels.numpy()
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
