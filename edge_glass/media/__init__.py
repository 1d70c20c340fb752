"""Media: probe, decode, transcode."""
