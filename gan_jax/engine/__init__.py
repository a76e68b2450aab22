"""Players, phases and meshes: everything that training any GAN shares. Knows no GAN by name."""
