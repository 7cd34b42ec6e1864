"""The commands of `translate`, a module each; `translate.cli` puts them together. Imports that take time are inside."""
