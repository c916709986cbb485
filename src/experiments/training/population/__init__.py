"""Members: runs that are trained together, each of which leaves the folder of a run alone."""
