"""Pure statistics of arrays: no I/O, no xarray; each module usable alone."""
