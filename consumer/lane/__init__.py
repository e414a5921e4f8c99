"""Pure: windows, permits, ledger and the lane state machine."""
