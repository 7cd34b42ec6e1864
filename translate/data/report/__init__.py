"""A report on a folder before anything is trained on it: what is there, what to train with it, and what is wrong."""

from translate.data.report.findings import FolderGroup, FolderReport, render
from translate.data.report.folder import inspect_folder

__all__ = ["FolderGroup", "FolderReport", "inspect_folder", "render"]
