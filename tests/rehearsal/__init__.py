"""Ten faults for an on-call engineer to find and mend by alert and runbook alone."""
