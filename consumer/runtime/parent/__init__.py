"""The parent of two processes: `run` with the role `all`, on two cores.

                        ┌─ router: the router and the delay stage
    parent ─ fork, link ┤
    (signals, files,    └─ sender: the lanes and their calls
     admin port)

The parent works on no record. Both children are the `Process` that `--role router` and `--role
sender` are, and know a link to the parent instead of an admin port and files to watch.
"""
