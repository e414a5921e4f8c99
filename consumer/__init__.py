"""survey-dispatcher: transaction events in, batched survey invitations out, one result each."""

__version__ = "0.1.0"
