"""What the kernels cost: by asv (`asv.conf.json`), and as tables and figures (`python -m benchmarks.table7`)."""
