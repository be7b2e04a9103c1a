"""Artifacts: named, versioned sets of files, each stored once by its content."""

from runhaven.artifacts.artifact import Artifact
from runhaven.artifacts.retention import Retention
from runhaven.artifacts.ttl import ArtifactTTL

__all__ = ["Artifact", "ArtifactTTL", "Retention"]
