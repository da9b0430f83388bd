"""Reference sequences: strict reading, review, download."""
