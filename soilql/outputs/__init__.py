"""Files a run leaves behind: GeoTIFF and NetCDF maps, tables, figures."""
