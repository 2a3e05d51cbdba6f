"""A spec beside its data: values of data sets made once and kept, what they hold, and the rows a model would get."""
