"""The numbers behind figures, computed by the code that trains."""
