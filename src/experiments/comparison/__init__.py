"""The verdict: records of finished runs in, a comparison that a reviewer would sign out."""
