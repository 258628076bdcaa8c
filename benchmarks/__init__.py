"""Benchmarks: stock pydocket and this runner, side by side on one machine in one run. `python -m benchmarks.runner`"""
