"""Datasets, feature configs and model configs as TOML files: shape, checks, reading, watching."""

from engine.definitions.models import (
    CrossDefinition,
    DatasetDefinition,
    Definition,
    FeatureConfigDefinition,
    FeatureDefinition,
    Filter,
    Join,
    ModelConfigDefinition,
    Roles,
)
from engine.definitions.snapshot import KINDS, Definitions, Kind, Place, Problem

__all__ = [
    "KINDS",
    "CrossDefinition",
    "DatasetDefinition",
    "Definition",
    "Definitions",
    "FeatureConfigDefinition",
    "FeatureDefinition",
    "Filter",
    "Join",
    "Kind",
    "ModelConfigDefinition",
    "Place",
    "Problem",
    "Roles",
]
