"""Work on metadata at any size: read chunks, deduplicate, describe."""
