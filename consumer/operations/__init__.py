"""What an operator does by hand: send again, give dead letters back, empty a lane that is gone."""
