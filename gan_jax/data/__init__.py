"""Images in: sources (built-in, folders, tfds) and the pipeline that makes numpy batches of them."""
