"""One corpus = one folder: a few real raw files in the upstream layout."""
