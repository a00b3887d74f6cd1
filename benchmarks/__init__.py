"""What the kernels cost: by asv (`asv.conf.json`), and in tables and figures (`python -m benchmarks.table7`)."""
