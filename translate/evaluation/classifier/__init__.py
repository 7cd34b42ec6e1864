"""A small network that tells two domains apart: `network` has it and its files, `training` has how it learns."""

from translate.evaluation.classifier.network import (
    ClassifierBackbone,
    ClassifierConfig,
    DomainClassifier,
    classifier_features,
    classify,
    load_classifier,
    save_classifier,
    to_input,
)

__all__ = [
    "ClassifierBackbone",
    "ClassifierConfig",
    "DomainClassifier",
    "classifier_features",
    "classify",
    "load_classifier",
    "save_classifier",
    "to_input",
]
