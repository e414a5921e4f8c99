"""The first config of a newcomer: files from templates, which `init` writes."""
