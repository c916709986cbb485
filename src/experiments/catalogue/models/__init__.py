"""Networks, built from the shape of the data and the number of outputs.

The activation is that of hidden layers. Gates of a GRU, the softmax of an attention and the gates
of torchvision's squeeze-and-excitation belong to the network and stay.
"""
