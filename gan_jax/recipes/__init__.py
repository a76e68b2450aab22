"""One file per GAN: which networks, which losses, which phases, how to sample."""
