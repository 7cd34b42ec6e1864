"""Small pictures inside messages and pages, as `data:image/png;base64,…` (RFC 2397), where a file would be too much."""

from __future__ import annotations

import base64
import binascii
import io

from PIL import Image

from translate.errors import UserError


def encode(data: bytes, kind: str) -> str:
    """The URI of a picture's file. `kind` is png, jpeg or webp."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def decode(message: str, kind: str, longest: int, refusal: str) -> Image.Image:
    """The picture in a message from the page.

    Args:
        message: what arrived; anything, as strangers can send messages of their own.
        kind: png or jpeg.
        longest: pixels that its longer side may have.
        refusal: what to say where it is no such picture.
    Raises:
        UserError: with `refusal`.
    """
    from translate.data.images import open_image

    head, _, data = message.partition(",")
    try:
        if head != f"data:image/{kind};base64" or len(data) > longest * longest * 8:  # more than pixels could take
            raise UserError(refusal)
        file = io.BytesIO(base64.b64decode(data, validate=True))
        with Image.open(file) as image:
            if max(image.size) > longest:
                raise UserError(refusal)
        file.seek(0)
        return open_image(file)
    except (UserError, binascii.Error, OSError) as error:
        raise UserError(refusal) from error
