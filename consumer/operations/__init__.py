"""What an operator does by hand: resend, replay dead letters, empty a lane that is gone."""
