"""Parties, laboratories, people, roles, sign-in, tokens; ``policy.py`` says who may do what."""
