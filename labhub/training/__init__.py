"""Workshops, attendance, learning modules and materials: filled by the issue on indicators."""
