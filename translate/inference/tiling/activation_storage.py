"""Storage for activations while they are computed tile by tile: in memory, and in files for what exceeds it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import torch
from torch import Tensor

from translate.errors import UserError
from translate.inference.tiling.region_operations import Region, Span


@dataclass
class ScratchSpace:
    """Allocates storage for activations: up to `memory` bytes on `device`, beyond that files in `folder`.

    Files are nameless, so the system removes them however this process ends. They are written and read rather than
    mapped, so that what was read does not count as this process's. What is given up is used again for the next band of
    its size: fresh pages cost as much time as the copying.
    """

    memory: int
    folder: Path
    device: torch.device
    spare: dict[int, list[Tensor | FileIO]] = field(default_factory=dict)  # by bytes

    def take(self, size: int) -> Tensor | FileIO:
        """Allocate so many bytes: memory (a tensor of uint8) where there is enough left, else a file."""
        if self.spare.get(size):
            return self.spare[size].pop()
        self.clear()
        if size <= self.memory:
            self.memory -= size
            return torch.empty(size, dtype=torch.uint8, device=self.device)
        return tempfile.TemporaryFile(buffering=0, dir=self.folder)

    def clear(self) -> None:
        """Free the storage that was released and not yet used again."""
        for size, rooms in self.spare.items():
            for room in rooms:
                if isinstance(room, Tensor):
                    self.memory += size
                else:
                    room.close()
        self.spare.clear()


@dataclass
class Activation:
    """An activation (1, C, H, W) kept in bands of `rows` rows, each a tensor (rows, W, C) or a file of its bytes."""

    space: ScratchSpace
    height: int
    width: int
    channels: int
    dtype: torch.dtype
    rows: int
    bands: dict[int, Tensor | FileIO] = field(default_factory=dict)

    def write(self, region: Region, features: Tensor) -> None:
        """Store features (1, C, h, w) as this region. Raises UserError where the scratch folder cannot take them."""
        pixels = features[0].permute(1, 2, 0)
        try:
            for number, inside, rows in self._shares(region[0]):
                band = self._band(number)
                if isinstance(band, Tensor):
                    band[inside, slice(*region[1])] = pixels[rows]
                    continue
                for offset, row in self._rows_on_disk(inside.start, region[1], pixels[rows].cpu().contiguous()):
                    band.seek(offset)
                    while row:
                        row = row[band.write(row) :]
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"Cannot write to the scratch folder {self.space.folder} ({reason}); choose another."
            ) from None

    def read(self, region: Region) -> Tensor:
        """The features (1, C, h, w) of a region, a copy in channels_last."""
        (top, bottom), (left, right) = region
        pixels = torch.empty(bottom - top, right - left, self.channels, dtype=self.dtype, device=self.space.device)
        for number, inside, rows in self._shares(region[0]):
            band = self.bands[number]
            if isinstance(band, Tensor):
                pixels[rows] = band[inside, left:right]
                continue
            found = pixels[rows] if pixels.device.type == "cpu" else torch.empty_like(pixels[rows], device="cpu")
            for offset, row in self._rows_on_disk(inside.start, region[1], found):
                band.seek(offset)
                while row:
                    row = row[band.readinto(row) :]
            if pixels.device.type != "cpu":
                pixels[rows] = found
        return pixels.permute(2, 0, 1)[None]

    def release(self, until: int | None = None) -> None:
        """Give up the bands that lie wholly above row `until`, or all of them."""
        for number in list(self.bands):
            if until is None or (number + 1) * self.rows <= until:
                band = self.bands.pop(number)
                room = band.flatten().view(torch.uint8) if isinstance(band, Tensor) else band
                self.space.spare.setdefault(self._shape(number).numel() * self.dtype.itemsize, []).append(room)

    def _shares(self, rows: Span) -> Iterator[tuple[int, slice, slice]]:
        """The bands that hold these rows: their number, which of their rows, and where in `rows` those are."""
        for number in range(rows[0] // self.rows, -(-rows[1] // self.rows)):
            start = number * self.rows
            first, last = max(rows[0], start), min(rows[1], start + self.rows)
            yield number, slice(first - start, last - start), slice(first - rows[0], last - rows[0])

    def _shape(self, number: int) -> torch.Size:
        return torch.Size((min(self.rows, self.height - number * self.rows), self.width, self.channels))

    def _band(self, number: int) -> Tensor | FileIO:
        if number not in self.bands:
            shape = self._shape(number)
            room = self.space.take(shape.numel() * self.dtype.itemsize)
            self.bands[number] = room.view(self.dtype).view(shape) if isinstance(room, Tensor) else room
        return self.bands[number]

    def _rows_on_disk(self, first: int, columns: Span, pixels: Tensor) -> list[tuple[int, memoryview]]:
        """Offsets in a band's file of the rows of `pixels`, which begin at row `first` of it, and their bytes."""
        pixel = self.channels * self.dtype.itemsize
        bytes_ = pixels.view(torch.uint8).flatten().numpy().data
        if columns == (0, self.width):
            return [(first * self.width * pixel, bytes_)]
        length = (columns[1] - columns[0]) * pixel
        return [
            (((first + row) * self.width + columns[0]) * pixel, bytes_[row * length : (row + 1) * length])
            for row in range(len(pixels))
        ]
