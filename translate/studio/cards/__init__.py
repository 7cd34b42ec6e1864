"""The studio's own HTML: each module makes one kind of it from a template. Words of other people are escaped."""
