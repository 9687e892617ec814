"""Embeddings on disk: a store that grows safely, and other kinds of files."""

#: Suffixes of stores.
STORES = (".h5", ".hdf5")
#: Suffixes of the other kinds of files.
OTHERS = (".npz", ".parquet", ".ark", ".scp")
#: First bytes of an HDF5 file.
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
