"""What users of trial get; run by ``python -m twisted.trial tests.trial``."""
