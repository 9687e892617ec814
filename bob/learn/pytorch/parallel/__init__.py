"""Work shared out to processes of this machine, or to Dask workers on many."""
