"""Rich media: a typed value and its bytes, which lie once in the store however often they are logged."""

from __future__ import annotations

from runhaven.media import plot
from runhaven.media.annotation import BoundingBoxes2D, Classes, ImageMask
from runhaven.media.audio import Audio
from runhaven.media.chart import CustomChart, CustomChartSpec
from runhaven.media.graph import Graph, Node
from runhaven.media.histogram import Histogram
from runhaven.media.html import Html
from runhaven.media.image import Image
from runhaven.media.kind import Media
from runhaven.media.loading import load
from runhaven.media.molecule import Molecule
from runhaven.media.object3d import Object3D, box3d
from runhaven.media.plotly import Plotly
from runhaven.media.table import Table
from runhaven.media.tables import JoinedTable, PartitionedTable
from runhaven.media.video import Video

__all__ = [
    "Audio",
    "BoundingBoxes2D",
    "Classes",
    "CustomChart",
    "CustomChartSpec",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "ImageMask",
    "JoinedTable",
    "Media",
    "Molecule",
    "Node",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Table",
    "Video",
    "box3d",
    "load",
    "plot",
]
