"""Detection methods: versions, review, publication, download."""
