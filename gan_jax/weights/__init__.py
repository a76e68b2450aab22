"""Published checkpoints in and out: readers that execute nothing, and the names and layouts of each code base."""
