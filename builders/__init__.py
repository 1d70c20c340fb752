"""One corpus = one file: raw layout -> examples."""
