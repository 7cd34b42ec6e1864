"""The commands of `translate`, related ones in one module; `translate.cli` puts them together.

Imports that take time are inside the functions.
"""
