"""Another comparison of embeddings: `verify.py first.py own_algorithm.py`."""

from bob.learn.pytorch.experiment import Similarity

# The highest score of the enrolment recordings, instead of their mean embedding.
algorithm = Similarity("cosine", enrolment="scores", enrolment_fusion="max")
sub_directory = "best_of_enrolment"
