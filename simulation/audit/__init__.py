"""The inference audit: what synthetic controls do to the planned analysis of a trial."""
