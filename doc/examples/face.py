"""Speaker verification in Python, step by step: `python face.py`."""

import bob.learn.pytorch as speaker

model = speaker.load_model("campplus-zh-en")
embedding = model.embed("recordings/anna/monday/1.flac")
print(embedding.shape)

store = speaker.embed("recordings", model=model, into="embeddings.h5")
for group in speaker.read_protocol("recordings").groups():
    print(group)
dev = speaker.score(store, "recordings", group="dev")
print(f"EER {speaker.evaluate(dev).eer:.2%}")

calibration = speaker.calibrate(dev, penalty=0.001)
comparison = speaker.compare(
    "recordings/anna/monday/1.flac",
    "recordings/anna/friday/1.flac",
    model=model,
    calibration=calibration,
)
print(comparison.score, comparison.likelihood_ratio, comparison.same_speaker)
