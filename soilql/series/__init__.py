"""Statistics of series: of the cells of a grid, of regions, and of tables."""
