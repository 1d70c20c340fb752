"""How data without a builder are laid out: one file a group, each a reader of records."""
