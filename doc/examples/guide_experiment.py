"""What the guide leaves to the reader: who is compared with whom, and how."""

database = "recordings"
algorithm = "distance-cosine"
sub_directory = "drn"
