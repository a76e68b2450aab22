"""The networks whose features and judgements the metrics are made of, one file each."""
