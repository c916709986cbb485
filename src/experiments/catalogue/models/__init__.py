"""Networks: linear, MLP and CNN, built from the shape of the data and the number of outputs."""
