"""What refusals, outages and sick campaigns cost a lane."""
