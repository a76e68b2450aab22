"""What a person sees of a run: metrics, progress, sample grids, the report page."""
