"""Kernels: layers that compute the same as PyTorch's in less time, and how the process gets its memory.

`translate.networks` is plain PyTorch. Whoever trains or translates calls `optimise` (in the module of that name) once
on a network for a device and a precision; its layers are replaced by kernels where these were measured to be faster.
"""
