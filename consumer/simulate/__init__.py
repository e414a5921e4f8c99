"""A day of traffic in seconds: the lane's own code on a virtual clock."""
