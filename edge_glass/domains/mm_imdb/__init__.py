"""The arrays and views of the MM-IMDb pipeline."""
