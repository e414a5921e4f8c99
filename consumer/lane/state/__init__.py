"""Settings, commands and pending invitations: the lane's data types."""
