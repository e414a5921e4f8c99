"""Phone numbers and e-mail addresses as a vendor takes them."""
