"""Small programs that show shadowlane in use; ``tests/examples`` runs them."""
