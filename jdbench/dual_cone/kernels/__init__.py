"""Compiled kernels of the dual cone's programs: one program at a time, or eight in lockstep."""
