"""Metrics over images: how far translations are from a domain, or from the picture they should be."""
