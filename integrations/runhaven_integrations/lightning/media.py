"""The methods of Lightning's loggers that log more than numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import runhaven
from runhaven.adapter import guarded
from runhaven_integrations.lightning.framework import rank_zero_only

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runhaven.adapter import Adapter


class MediaMethods:
    """Tables, text, pictures, sound and films, with `WandbLogger`'s signatures.

    Attributes:
        adapter: Keeps errors from the training.
    """

    adapter: Adapter

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Keep a row of values at Lightning's step."""
        raise NotImplementedError

    @rank_zero_only
    @guarded("log a table")
    def log_table(
        self,
        key: str,
        columns: Sequence[str] | None = None,
        data: Sequence[Sequence[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Log a table of anything: numbers, text, media.

        Args:
            key: Its name.
            columns: The names of the columns.
            data: The rows.
            dataframe: A pandas DataFrame, instead of columns and data.
            step: The step; the run's counter by default.
        """
        self.log_metrics({key: runhaven.Table(columns=columns, data=data, dataframe=dataframe)}, step)

    @rank_zero_only
    def log_text(
        self,
        key: str,
        columns: Sequence[str] | None = None,
        data: Sequence[Sequence[str]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Log text as a table; see `log_table`."""
        self.log_table(key, columns, data, dataframe, step)

    @rank_zero_only
    @guarded("log images")
    def log_image(self, key: str, images: Sequence[Any], step: int | None = None, **options: Sequence[Any]) -> None:
        """Log pictures: tensors, arrays, PIL images, figures, paths.

        Args:
            key: Their name.
            images: The pictures.
            step: The step; the run's counter by default.
            **options: Arguments of `runhaven.Image`, each a list with one value for each picture: caption, masks, boxes.
        """
        self.log_metrics({key: _made(runhaven.Image, images, options)}, step)

    @rank_zero_only
    @guarded("log audio")
    def log_audio(self, key: str, audios: Sequence[Any], step: int | None = None, **options: Sequence[Any]) -> None:
        """Log sound: arrays or paths.

        Args:
            key: Its name.
            audios: The recordings.
            step: The step; the run's counter by default.
            **options: Arguments of `runhaven.Audio`, each a list with one value for each: caption, sample_rate.
        """
        self.log_metrics({key: _made(runhaven.Audio, audios, options)}, step)

    @rank_zero_only
    @guarded("log videos")
    def log_video(self, key: str, videos: Sequence[Any], step: int | None = None, **options: Sequence[Any]) -> None:
        """Log films: arrays or paths.

        Args:
            key: Their name.
            videos: The films.
            step: The step; the run's counter by default.
            **options: Arguments of `runhaven.Video`, each a list with one value for each: caption, fps, format.
        """
        self.log_metrics({key: _made(runhaven.Video, videos, options)}, step)

    @rank_zero_only
    @guarded("log HTML")
    def log_html(self, key: str, htmls: Sequence[Any], step: int | None = None, **options: Sequence[Any]) -> None:
        """Log pages of HTML: text, paths or open files.

        Args:
            key: Their name.
            htmls: The pages.
            step: The step; the run's counter by default.
            **options: Arguments of `runhaven.Html`, each a list with one value for each: inject.
        """
        self.log_metrics({key: _made(runhaven.Html, htmls, options)}, step)


def _made(kind: Callable[..., Any], items: Sequence[Any], options: Mapping[str, Sequence[Any]]) -> list[Any]:
    """Make one value of each item with its share of the options.

    Raises:
        TypeError: If the items are no list.
        ValueError: If an option has not one value for each.
    """
    if not isinstance(items, (list, tuple)):
        message = f"takes a list, not {type(items).__name__}; write [x] for a single one"
        raise TypeError(message)
    for name, values in options.items():
        if len(values) != len(items):
            message = f"{name} has {len(values)} values for {len(items)} items; give each item one"
            raise ValueError(message)
    return [kind(item, **{name: values[at] for name, values in options.items()}) for at, item in enumerate(items)]
