"""Functions under PyTorch's names, made of operations alone: no derivative stands here."""
