"""Programs with known results, written as a user of PyTorch writes them; one file each."""
