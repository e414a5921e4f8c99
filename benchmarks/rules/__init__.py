"""What the rules before a survey do to a real year, and what they cost."""
