"""The simulated world around the real router and lanes: seeds, vendor, faults, checker."""
