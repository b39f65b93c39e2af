"""Login with twisted.cred."""
