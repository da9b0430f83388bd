"""Activities and indicators of decision CP-VIII/3, each figure traceable to its rows."""
