"""Pure: rules before a survey is sent."""
