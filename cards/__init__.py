"""One corpus = one Markdown: the prose of its card."""
