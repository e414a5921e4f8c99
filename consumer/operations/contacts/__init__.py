"""`suppress`, `forget` and `contacts`: what is known of a person, and what an operator says of one.

All of it is written to `<app>.contacts`, which running processes read within seconds; no command
but `contacts rebuild` needs the store.
"""
