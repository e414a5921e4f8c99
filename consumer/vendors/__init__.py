"""The survey vendors. To add one: a file beside these and a line in `registry`, or a plugin.

Nothing is imported here: a plugin's module imports `protocol` while `registry` loads plugins.
"""
