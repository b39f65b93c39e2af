"""For other people's tests: two connected ends in memory."""
