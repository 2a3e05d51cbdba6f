"""Reading files: text tables, workbooks and Parquet, GeoTIFF, NetCDF and Zarr, brought to one form."""
