from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

_model = 'path/to/your/model.pth'
_num_classes = 1211
_use_res = False
preprocessor = DltResNetExtractor(_model, _num_classes, use_res=_use_res)

from bob.bio.base.extractor import CallableExtractor

extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
