"""Waveforms of golden outputs of 0.2.0: (folder, case), with `folder` indirect."""

CASES = [
    (folder, case)
    for folder, kind in (("synthetic", "voice"), ("speech", "speech"))
    for case in (
        f"{kind}16k_int16",
        f"{kind}16k_float",
        f"{kind}8k_int16",
        f"{kind}11025_int16",
        "short37_int16",
        "fullscale_float",
        "silence_int16",
    )
]
#: Waveforms of golden outputs of CAM++.
CAMPPLUS = [
    "voice16k_int16",
    "voice16k_float",
    "voice16k_concat",
    "short3_int16",
    "short30_int16",
]
