"""Many runs at once: which they are, which are missing, and who carries them out."""
