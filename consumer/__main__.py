"""`python -m consumer` is the `survey-dispatcher` command."""

from consumer.cli import main

main()
