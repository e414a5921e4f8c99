"""Transactions to try the dispatcher with: a real year of baskets, or made-up ones from a seed."""
