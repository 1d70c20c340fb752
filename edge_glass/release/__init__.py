"""A build for others: card, metadata, push, load, versions and exports."""
