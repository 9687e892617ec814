"""Work shared out to processes of this machine, or to Dask workers on many.

The doors to Dask, which need more imports, are `dask_client.dask_client` and
`dask_workers.on_dask`.
"""

from bob.learn.pytorch.parallel.partitions import WorkersError
from bob.learn.pytorch.parallel.processes import in_processes, processors
from bob.learn.pytorch.parallel.sharing import Workers, share_out

__all__ = ["Workers", "WorkersError", "in_processes", "processors", "share_out"]
