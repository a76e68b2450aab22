"""Differentiable augmentation on the device, between images and discriminator."""
