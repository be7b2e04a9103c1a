"""Tables of what a model predicts, epoch by epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from runhaven.adapter import guarded
from runhaven.artifacts import Artifact
from runhaven.media import Table
from runhaven_integrations.keras.member import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven import Run
    from runhaven_integrations.keras.framework import Logs


class RunhavenEvalCallback(Member, ABC):
    """Keeps a table of data once, and a table of what the model predicts for it after each epoch.

    A subclass fills both: `add_ground_truth` adds rows to `self.data_table`, `add_model_predictions` to `self.pred_table`,
    for which `self.data_table_ref` has the rows of the first. The tables are artifacts, as W&B has them; the predictions
    are logged as `eval_data` at the step too, so that the run's page shows them.

    Attributes:
        data_table: The table of data, until it is logged.
        data_table_ref: The table of data, once it is logged.
        pred_table: The table of this epoch's predictions.

    Example:
        class Digits(RunhavenEvalCallback):
            def add_ground_truth(self, logs=None):
                for image, label in zip(images, labels):
                    self.data_table.add_data(runhaven.Image(image), label)

            def add_model_predictions(self, epoch, logs=None):
                guesses = self.model.predict(images, verbose=0).argmax(1)
                for at in self.data_table_ref.get_index():
                    self.pred_table.add_data(epoch, *self.data_table_ref.data[at], int(guesses[at]))

        model.fit(x, y, callbacks=[Digits(["image", "label"], ["epoch", "image", "label", "guess"])])
    """

    data_table: Table
    data_table_ref: Table
    pred_table: Table

    def __init__(
        self,
        data_table_columns: Sequence[str],
        pred_table_columns: Sequence[str],
        *,
        run: Run | None = None,
        strict: bool | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            data_table_columns: The columns of the table of data.
            pred_table_columns: The columns of the table of predictions.
            run: A run to log into, instead of the active one or one of its own.
            strict: Whether errors inside the callback are raised, those of the subclass's two methods included; by default
                the setting `strict` says.
            **init_arguments: Arguments of `runhaven.init()` for a run of its own.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `init()` would refuse a value.
        """
        super().__init__()
        self.prepare(run=run, strict=strict, **init_arguments)
        self.data_table_columns = list(data_table_columns)
        self.pred_table_columns = list(pred_table_columns)

    @abstractmethod
    def add_ground_truth(self, logs: Logs = None) -> None:
        """Add the data to `self.data_table`."""

    @abstractmethod
    def add_model_predictions(self, epoch: int, logs: Logs = None) -> None:
        """Add the predictions of an epoch to `self.pred_table`."""

    # Called once, and after each epoch

    @guarded("log a table of data")
    def begin_training(self) -> None:
        """Keep the table of data."""
        self.init_data_table(self.data_table_columns)
        self.add_ground_truth()
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep the table of predictions."""
        super().on_epoch_end(epoch, logs)
        self._log_predictions(epoch, logs)

    @guarded("log a table of predictions")
    def _log_predictions(self, epoch: int, logs: Logs) -> None:
        self.init_pred_table(self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    # The tables

    def init_data_table(self, column_names: Sequence[str]) -> None:
        """Make an empty table of data."""
        self.data_table = Table(columns=list(column_names), allow_mixed_types=True)

    def init_pred_table(self, column_names: Sequence[str]) -> None:
        """Make an empty table of predictions."""
        self.pred_table = Table(columns=list(column_names))

    def log_data_table(self, name: str = "val", type: str = "dataset", table_name: str = "val_data") -> None:  # noqa: A002 - W&B's name
        """Keep the table of data as an artifact; from then on it is `data_table_ref`.

        Args:
            name: The artifact's name.
            type: Its type.
            table_name: The table's name in it.
        """
        run = self.adapter.run
        artifact = Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        run.log_artifact(artifact)
        self.data_table_ref = self.data_table

    def log_pred_table(
        self,
        type: str = "evaluation",  # noqa: A002 - W&B's name
        table_name: str = "eval_data",
        aliases: list[str] | None = None,
    ) -> None:
        """Keep the table of predictions as an artifact, and log it at the step.

        Args:
            type: The artifact's type; its name is "run_<id>_pred".
            table_name: The table's name in it, and the key that it is logged under.
            aliases: The version's names, `latest` by default.
        """
        run = self.adapter.run
        artifact = Artifact(f"run_{run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        run.log_artifact(artifact, aliases=aliases or ["latest"])
        run.log({table_name: self.pred_table}, step=self.progress.step)
