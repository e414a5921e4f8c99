"""The limiter alone against vendors' counters that it knows nothing of, a million calls each.

`scenes` says what a world is made of, `world` makes the calls, `judges` counts the refusals that
each kind of counter would have given, `mutants` plants mistakes, `runs` uses several processes.
"""
