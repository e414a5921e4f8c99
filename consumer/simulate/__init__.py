"""Simulation: a day of traffic in seconds, with the lane's own code on a virtual clock."""
