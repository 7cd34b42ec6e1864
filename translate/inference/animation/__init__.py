"""Several pictures in one file: animations (GIF, WebP, APNG, AVIF) and pages (TIFF)."""
