"""The defects of Perspective Broker that one side alone can mend: each test fails on stock and passes here."""
