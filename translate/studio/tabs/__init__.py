"""The tabs of the page: each module has a `TITLE` and a `build(page, runs)` that lays it out and wires it up."""
