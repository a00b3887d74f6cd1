"""What the kernels cost, by asv (`asv.conf.json`) and by hand (`python -m benchmarks.step`), from the repository's root."""
