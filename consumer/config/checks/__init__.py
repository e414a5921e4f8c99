"""The checks of `validate` beyond the shape of the file."""
