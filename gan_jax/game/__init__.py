"""The game of two that most GANs are: its rules by name, its terms, and the recipe that they make."""
