"""The command line: ``broker call``, ``broker ping``, ``broker serve``."""
