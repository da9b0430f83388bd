"""Dated discussions with topics and numbered posts."""
