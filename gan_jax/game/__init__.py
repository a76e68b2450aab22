"""The rules of games by name, the referee who applies them, and the game of two that most GANs are."""
