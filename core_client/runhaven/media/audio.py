"""Sounds: arrays, which become WAV, and files."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven.media import pixels
from runhaven.media.image import Image
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, hold, is_path

if TYPE_CHECKING:
    from runhaven.media import filing
    from runhaven.media.kind import Reference, Sink
    from runhaven.media.source import Held

_MOST_CHANNELS = 32
_WINDOW, _HOP = 1024, 256
_DEPTH_DB = 80.0
_FLAT = 2


class Audio(Media):
    """A sound.

    Attributes:
        drawn: The picture of its spectrum, of a sound that came with one from an artifact.
    """

    type_name = "audio-file"
    list_type = "audio"
    told_fields = ("sample_rate", "channels", "duration_s")

    @lenient
    def __init__(
        self,
        data_or_path: Any,
        sample_rate: int | None = None,
        caption: str | None = None,
        *,
        spectrogram: bool = False,
    ) -> None:
        """Take a sound; later changes of the caller's data do not reach it.

        Args:
            data_or_path: Samples (frames, or frames x channels; floats in [-1, 1] or integers), or the path of a file.
            sample_rate: Samples a second; needed for an array.
            caption: A line of text.
            spectrogram: Whether a picture of its spectrum is kept too; for arrays.
        """
        self.caption = caption
        self._path = data_or_path if is_path(data_or_path) else None
        self._held = None if self._path is not None else hold(data_or_path)
        self._sample_rate = sample_rate
        self._has_spectrogram = spectrogram
        self.drawn: Image | None = None

    @property
    def sample_rate(self) -> int | None:
        """Samples a second; None for a file of which nobody has told."""
        return self._sample_rate or self.told.get("sample_rate")

    @property
    def duration_s(self) -> float | None:
        """How long it is, in seconds; None for a file of which nobody has told."""
        if self._held is None or not self._sample_rate:
            return self.told.get("duration_s")
        return _frames(self._held.array()).shape[0] / self._sample_rate

    @property
    def format(self) -> str:
        """What its bytes are or will be, such as "wav"."""
        path = None if self._path is None else checked_path(self._path, "Audio")
        return "wav" if path is None else path.suffix.lower().lstrip(".") or "wav"

    def check(self) -> None:
        """Look for a file, or for samples and their rate."""
        if self._path is not None:
            checked_path(self._path, "Audio")
        elif self._held is None:
            message = "Audio takes an array of samples or the path of a file."
            raise UsageError(message)
        elif not self._sample_rate or self._sample_rate <= 0:
            message = "Audio from samples needs sample_rate=, the samples a second."
            raise UsageError(message)
        else:
            _check_samples(self._held)

    def weight(self) -> int:
        """Return how many bytes the copy holds."""
        return self._held.weight if self._held is not None else 0

    def keep(self, sink: Sink) -> Reference:
        """Keep a file as it is, and samples as WAV."""
        if self._held is None:
            spectrogram = {} if self.drawn is None else {"spectrogram": self.drawn.keep(sink)}
            reference = sink.put_file(checked_path(self._path, "Audio"), self.format)
            return self.described(reference | self.told | spectrogram)
        rate = int(self._sample_rate or 0)
        samples = _frames(self._held.array())
        reference = sink.put(_to_wav(samples, rate), "wav") | {
            "sample_rate": rate,
            "channels": int(samples.shape[1]),
            "duration_s": samples.shape[0] / rate,
        }
        if self._has_spectrogram:
            reference["spectrogram"] = Image(draw_spectrogram(samples.mean(axis=1))).keep(sink)
        return self.described(reference)

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Audio:
        """Make the sound, with the picture of its spectrum."""
        sound = super().from_reference(reference, artifact)
        if "spectrogram" in reference:
            sound.drawn = Image.from_reference(reference["spectrogram"], artifact)
        return sound


def _check_samples(held: Held) -> None:
    shape = held.shape
    is_sound = held.has_numbers and len(shape) in (1, _FLAT) and 0 not in shape
    if not is_sound or (len(shape) == _FLAT and min(shape) > _MOST_CHANNELS):
        message = f"an array of shape {shape} is no sound; pass numbers, frames or frames x channels."
        raise UsageError(message)


def _frames(array: Any) -> Any:
    """Return samples as frames x channels."""
    if array.ndim == 1:
        return array.reshape(-1, 1)
    # Torch's audio has channels first; nobody has more channels than frames.
    return array.T if array.shape[0] < array.shape[1] and array.shape[0] <= _MOST_CHANNELS else array


def _to_wav(samples: Any, rate: int) -> bytes:
    np = pixels.numpy()
    if samples.dtype.kind == "b":
        samples = samples.astype(np.int16) * 32767
    elif samples.dtype.kind == "f":
        values = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0).clip(-1, 1)
        samples = np.rint(values * 32767).astype("<i2")
    elif samples.dtype not in (np.uint8, np.int16, np.int32):
        samples = samples.clip(-(2**31), 2**31 - 1).astype("<i4" if samples.dtype.itemsize > 2 else "<i2")  # noqa: PLR2004
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(samples.dtype.itemsize)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder("<"))).tobytes())
    return buffer.getvalue()


def draw_spectrogram(samples: Any) -> Any:
    """Return the loudness of each frequency (upwards) over time (to the right), in 80 dB from black to white."""
    np = pixels.numpy()
    values = samples.astype(np.float64)
    padded = np.pad(values, (0, max(0, _WINDOW - len(values))))
    strips = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(strips * np.hanning(_WINDOW), axis=1)).T[::-1] ** 2
    peak = power.max()
    if peak <= 0:
        return np.zeros(power.shape, np.uint8)
    level = 10 * np.log10(np.maximum(power / peak, 10 ** (-_DEPTH_DB / 10)))
    return np.rint((level + _DEPTH_DB) * (255 / _DEPTH_DB)).astype(np.uint8)
