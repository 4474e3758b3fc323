"""Where the time went that users waited: every moment of every request's critical path, counted by whose it was."""
