from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import TemplateExtractor

database = "recordings"
groups = ["dev", "eval"]
preprocessor = TemplateExtractor("speech/ecapa_tdnn")  # or a path of a JSON file
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
algorithm = "cosine"
sub_directory = "ecapa"
