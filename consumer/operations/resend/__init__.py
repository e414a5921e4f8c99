"""Select results that failed and send their invitations again."""
