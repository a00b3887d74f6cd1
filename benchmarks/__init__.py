"""What the kernels cost: by asv (`asv.conf.json`), and as tables and figures (`make kernels`)."""
