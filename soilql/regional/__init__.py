"""Regions of a map: the globe, zones and bands of latitude, what is added up over them, and the tables of it."""
