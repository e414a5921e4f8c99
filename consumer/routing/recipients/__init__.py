"""Normalises phone numbers and e-mail addresses to the form that vendors take."""
