"""Charts of our own: a table, and how it is drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven.media import filing
from runhaven.media.kind import Media
from runhaven.media.spec import resolve
from runhaven.media.table import Table
from runhaven.value import to_json

if TYPE_CHECKING:
    from runhaven.media.kind import Reference, Sink

OWN_SPEC = "vega-lite"
"""The name of a specification that comes with the chart."""


@dataclass
class CustomChartSpec:
    """How a table is drawn.

    Attributes:
        spec_name: Which specification draws it.
        fields: Which column stands for what.
        string_fields: Texts of the chart, such as its title.
        key: What it was logged as.
        panel_type: W&B's word for the kind of panel.
        split_table: Whether its table belongs into a section of its own.
    """

    spec_name: str
    fields: dict[str, Any]
    string_fields: dict[str, Any] = field(default_factory=dict[str, Any])
    key: str = ""
    panel_type: str = "Vega2"
    split_table: bool = False

    @property
    def table_key(self) -> str:
        """The key that its table is kept under."""
        return f"Custom Chart Tables/{self.key}_table" if self.split_table else f"{self.key}_table"

    @property
    def title(self) -> str:
        """What stands above it."""
        return str(self.string_fields.get("title", ""))


class CustomChart(Media):
    """A table and how it is drawn. Logging it keeps both, the table also under a key of its own.

    Attributes:
        table: The table.
        spec: How it is drawn.
    """

    type_name = "custom-chart"
    list_type = "custom-charts"

    def __init__(self, table: Any, spec: CustomChartSpec, *, vega_lite: dict[str, Any] | None = None) -> None:
        """Put both together.

        Args:
            table: The table.
            spec: How it is drawn.
            vega_lite: A Vega-Lite specification over data named "table", instead of the one that `spec` names.
        """
        self.table = table
        self.spec = spec
        self._vega_lite = vega_lite

    def set_key(self, key: str) -> None:
        """Say what it is logged as."""
        self.spec.key = key

    def check(self) -> None:
        """Look for the table and its columns."""
        if not isinstance(self.table, Table):
            message = f"a chart is drawn from a Table, not from {type(self.table).__name__}."
            raise UsageError(message)
        absent = {
            str(name) for name in self.spec.fields.values() if name is not None and name not in self.table.columns
        }
        if absent:
            message = f"the table of a chart lacks {', '.join(sorted(absent))}; it has {self.table.columns}."
            raise UsageError(message)

    def weight(self) -> int:
        """Return about how many bytes the table holds."""
        return self.table.weight()

    def snapshot(self) -> Media:
        """Take the table as it is."""
        taken = CustomChart(self.table.snapshot(), self.spec, vega_lite=self._vega_lite)
        taken.spec = CustomChartSpec(**vars(self.spec))
        return taken

    def keep(self, sink: Sink) -> Reference:
        """Keep table and specification."""
        spec = self.spec
        reference: dict[str, Any] = {
            "_type": self.type_name,
            "name": spec.spec_name,
            "fields": spec.fields,
            "string_fields": to_json(spec.string_fields),
            "table": self.table.keep(sink),
        }
        drawn = self._vega_lite or resolve(spec.spec_name, spec.fields, spec.title)
        if drawn is not None:
            data = json.dumps(to_json(drawn), separators=(",", ":"), ensure_ascii=False).encode(
                "utf-8", "surrogatepass"
            )
            reference["spec"] = sink.put(data, "vega-lite.json")
        return reference

    def keep_as(self, key: str, sink: Sink) -> dict[str, Reference]:
        """Keep the chart, and its table beside it."""
        self.set_key(key)
        reference = self.keep(sink)
        return {key: reference, self.spec.table_key: reference["table"]}

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> CustomChart:
        """Read the table, and a specification of the user's own."""
        spec = CustomChartSpec(reference["name"], reference["fields"], reference["string_fields"])
        own = filing.read_json(artifact, reference["spec"]) if spec.spec_name == OWN_SPEC else None
        return cls(Table.from_reference(reference["table"], artifact), spec, vega_lite=own)
