"""LMOs, unique identifiers, genetic elements, claims by source, and the matrix."""
