"""Frozen feature networks by name: what compares pictures by their features gets its network here.

`load_features("lite0")` opens one; `translate.features.network` says what it can do.
"""

from translate.features.frozen import Frozen
from translate.features.network import Backbone, FeatureNetwork
from translate.features.registry import (
    canonical_name,
    feature_names,
    is_file,
    load_features,
    register_features,
    register_file_format,
)

__all__ = [
    "Backbone",
    "FeatureNetwork",
    "Frozen",
    "canonical_name",
    "feature_names",
    "is_file",
    "load_features",
    "register_features",
    "register_file_format",
]
