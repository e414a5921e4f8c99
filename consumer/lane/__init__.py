"""Pure: the lane state machine, with its windows, permits and settled offsets."""
