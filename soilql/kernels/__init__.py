"""Compiled hot loops behind the statistics of maps: arrays in, arrays out, many pixels at once.

Each kernel works on `lanes.LANES` pixels side by side, so that every step is one vector instruction for several of
them. Kernels release the GIL, use one thread and hold no state: blocks of a map are spread over threads by the caller.
They are compiled at their first call, not at import, and kept in the user's cache folder (see `compiling`).
The statistics that call them define what they compute, and their tests hold the two together.
"""
