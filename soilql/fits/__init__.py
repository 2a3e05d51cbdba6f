"""What models of all kinds share: training rows, fits by zone, and the fits themselves."""
