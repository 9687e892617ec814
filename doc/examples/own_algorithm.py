"""How embeddings are compared: `verify.py first.py own_algorithm.py`."""

from bob.learn.pytorch.experiment.algorithms import Similarity

# The best of the enrolment recordings counts, not their mean.
algorithm = Similarity("cosine", enrolment="scores", enrolment_fusion="max")
sub_directory = "best_of_enrolment"
