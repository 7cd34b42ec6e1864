"""How well masks agree with others of the same pictures: intersection over union.

usage: python benchmarks/mask_iou.py MADE REFERENCE

Both are folders of masks with the same stems. Pictures whose reference is empty or missing do not count.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from translate.data.listing import list_images, stem_of
from translate.data.masks import object_pixels, object_share, read_mask


def main(made: Path, reference: Path) -> None:
    """Print the mean over the pictures, the same without objects under 2 %, and that of all pixels together."""
    by_stem = {stem_of(path.relative_to(reference).as_posix()): path for path in list_images(reference)}
    rows = []
    for path in list_images(made):
        other = by_stem.get(stem_of(path.relative_to(made).as_posix()))
        if other is None or not object_pixels(read_mask(other)).any():
            continue
        one, two = object_pixels(read_mask(path)), object_pixels(read_mask(other))
        rows.append((np.count_nonzero(one & two), np.count_nonzero(one | two), object_share(read_mask(other))))
    table = np.array(rows)
    each = table[:, 0] / table[:, 1]
    print(
        f"{len(table)} pictures: mean IoU {each.mean():.3f}, median {np.median(each):.3f}, objects of 2 % or more "
        f"{each[table[:, 2] >= 0.02].mean():.3f}, all pixels together {table[:, 0].sum() / table[:, 1].sum():.3f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
