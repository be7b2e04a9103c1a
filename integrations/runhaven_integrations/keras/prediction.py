"""What a model predicts for a few rows of validation data, as pictures and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from runhaven.media import Image, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

Labels: TypeAlias = "Mapping[int, str] | Sequence[str] | None"

_CHANNELS = (1, 3, 4)
_PICTURES = ("image", "images")
_PICTURES_OF_CHANNELS = 4
_GREY_PICTURES = 3


class Prediction(NamedTuple):
    """A row.

    Attributes:
        given: What the model got.
        truth: The class, or the number, that is true.
        said: What the model says.
        score: Its largest output.
    """

    given: NDArray[Any]
    truth: Any
    said: Any
    score: float

    @property
    def caption(self) -> str:
        """What stands below a picture."""
        return f"{self.said}" if self.said == self.truth else f"{self.said}, in truth {self.truth}"


class Predictions:
    """The first rows of validation data, and what a model says of them."""

    def __init__(self, data: Any, *, count: int, steps: int | None, labels: Labels, kind: str | None) -> None:
        """Prepare; nothing is read yet.

        Args:
            data: Batches of `(x, y)`: a list, a `PyDataset`, a `DataLoader`, a generator, of which the first are taken.
            count: How many rows.
            steps: How many batches at most; None for as many as it takes.
            labels: The classes' names.
            kind: "image" if the inputs are pictures, another word if not; None goes by their shape.
        """
        self._labels = labels
        self._take = lambda: _first_rows(data, count, steps)
        self._kind = kind
        self._rows: tuple[NDArray[Any], NDArray[Any]] | None = None

    @property
    def rows(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """What the model gets, and what is true of it, one row each."""
        if self._rows is None:
            self._rows = self._take()
        return self._rows

    @property
    def are_pictures(self) -> bool:
        """Whether the inputs are pictures, with channels last."""
        if self._kind is not None:
            return self._kind in _PICTURES
        shape = self.rows[0].shape
        return len(shape) == _GREY_PICTURES or (len(shape) == _PICTURES_OF_CHANNELS and shape[-1] in _CHANNELS)

    def of(self, model: Any) -> list[Prediction]:
        """Return what a model says."""
        inputs, truths = self.rows
        outputs = np.asarray(model.predict(inputs, verbose=0))
        outputs = outputs.reshape(len(outputs), -1)
        return [
            Prediction(given, self._name(truth), self._name(output), float(output.max()))
            for given, truth, output in zip(inputs, truths, outputs, strict=True)
        ]

    def _name(self, value: Any) -> Any:
        """Return the class that a row of scores, or a whole number, stands for; any other number as it is."""
        row: NDArray[Any] = np.asarray(value).ravel()
        number: Any = int(row.argmax()) if row.size > 1 else row[0].item()
        if self._labels is None or number != int(number):
            return number
        names = self._labels
        return names.get(int(number), number) if isinstance(names, Mapping) else names[int(number)]

    def pictures(self, predictions: list[Prediction]) -> list[Image]:
        """Return the inputs with what is said of them."""
        return [Image(each.given, caption=each.caption) for each in predictions]

    def table(self, predictions: list[Prediction]) -> Table:
        """Return a table of inputs, truths, predictions and scores."""
        shown: Callable[[Any], Any] = Image if self.are_pictures else np.ndarray.tolist
        data = [[shown(each.given), each.truth, each.said, each.score] for each in predictions]
        return Table(columns=["input", "truth", "prediction", "score"], data=data, allow_mixed_types=True)


def _first_rows(batches: Any, count: int, steps: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    # What has a length and numbers may, as a `PyDataset`, have no end to be iterated to.
    is_numbered = hasattr(batches, "__getitem__") and hasattr(batches, "__len__")
    each: Iterator[Any] = (batches[at] for at in range(len(batches))) if is_numbered else iter(batches)
    taken = _until(count, islice(each, steps))
    inputs, truths = (np.concatenate([_array(batch[part])[:count] for batch in taken])[:count] for part in (0, 1))
    return inputs, truths


def _until(count: int, batches: Iterator[Any]) -> list[Any]:
    """Return so many batches that they have enough rows."""
    taken: list[Any] = []
    while sum(len(batch[0]) for batch in taken) < count:
        batch = next(batches, None)
        if batch is None:
            break
        taken.append(batch)
    return taken


def _array(value: Any) -> NDArray[Any]:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
