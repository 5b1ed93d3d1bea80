"""From a cohort to estimates: the glue that the studies and the benchmarks share."""
