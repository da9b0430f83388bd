"""What all pages and addresses share: layout, sign-in of a request, errors, paging, ETags."""
