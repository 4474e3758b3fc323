"""Which workload to look at first: how everybody behaves now against a baseline, errors, slow hops and lost headers."""
