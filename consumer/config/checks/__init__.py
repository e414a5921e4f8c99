"""What `validate` checks beyond the shape of the file."""
