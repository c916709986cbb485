"""From the words that are typed to one plain config; Hydra ends here."""
