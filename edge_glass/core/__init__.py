"""The ground: errors, units, outcomes and ledger, manifest, columns, files, Parquet, progress."""
