"""What several corpora of one kind share, and no other room knows."""
