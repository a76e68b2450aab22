"""What is known of the terms under which weights in each format were published."""

NVIDIA = (
    "The network pickles that NVIDIA released with StyleGAN2-ADA and StyleGAN3 are under the NVIDIA Source Code License, "
    "which allows their use, and that of works derived from them, for research or evaluation only and not commercially "
    "(https://github.com/NVlabs/stylegan3/blob/main/LICENSE.txt). Their training images have terms of their own. "
    "Pickles in the same format by others are under the terms of whoever released them."
)
R3GAN = (
    "R3GAN's weights are under the terms that its authors state where they released them "
    "(https://github.com/brownvc/R3GAN); its training code derives from NVIDIA's, which is for research or evaluation only."
)
BIGGAN = (
    "BigGAN-PyTorch is under the MIT License (https://github.com/ajbrock/BigGAN-PyTorch); weights by others are under "
    "the terms of whoever released them. ImageNet's images are for non-commercial research and education."
)
BIGGAN_DEEP = (
    "The TF-Hub modules of BigGAN-deep were released by DeepMind under the Apache License 2.0, their conversion "
    "by pytorch-pretrained-BigGAN under the MIT License. ImageNet's images are for non-commercial research and education."
)
