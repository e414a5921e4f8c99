"""`send-csv`: the rows of a CSV file become invitations of one route, each row once.

    file ─► rows (encoding, separator, broken ones) ─► event of each row (columns → paths)
         ─► identity ─ sent before? ─► the router's own answer ─► report, forecast
         ─► one transaction: the row on `.uploads`, its identity on `.uploaded`

The file is read twice, first to check all of it, then to send: nothing grows with its rows but one
digest of each, on disk.
"""
