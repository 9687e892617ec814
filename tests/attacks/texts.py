"""Small files of text, undamaged: scores, protocols, entries of a checkpoint."""

import json

ODD = json.dumps(
    {
        "em.bias": [1.5, 2, 3],
        "em.weight": [[1.0, 2, 3, 4]] * 3,
        "bn.running_var": [1.5, 2, 1],
        "bn.running_mean": [0.5, 2, 1],
        "fc.bias": [0.5],
    }
)
FOUR = "".join(
    f"s{i} s{j} s{j}/{k} {0.9 if i == j else 0.1 * k}\n"
    for i in range(3)
    for j in range(3)
    for k in range(2)
)
CSV = (
    "bio_ref_subject_id,probe_subject_id,bio_ref_template_id,probe_template_id,score\n"
)
SCORES = {
    "four": FOUR,
    "five": "".join(f"{x.split()[0]} m{x}" for x in FOUR.splitlines(keepends=True)),
    "csv": CSV + "".join(
        f"s{i},s{j},m{i},s{j}/1,{i - j}.5\n" for i in range(3) for j in range(3)
    ),
    "wespeaker": "a/1 a/2 0.9 target\na/1 b/2 0.2 nontarget\nb/1 b/2 0.7 target\n",
    "voxsrc": "0.9 a/1 a/2\n0.2 a/1 b/2\n0.7 b/1 b/2\n",
    "kaldi": "a/1 a/2 0.9\na/1 b/2 0.2\nb/1 b/2 0.7\n",
    "espnet": "a/1*a/2 0.9 1\na/1*b/2 0.2 0\nb/1*b/2 0.7 1\n",
}  # fmt: skip
VOXCELEB = (
    "1 a/1.wav a/2.wav\n0 a/1.wav b/2.wav\n1 b/1.wav b/2.wav\n0 b/1.wav a/2.wav\n"
)
SPEAKERS = "".join(f"u{i} s{i // 3}\n" for i in range(9))
PROTOCOLS = {
    "voxceleb": ({"trials": VOXCELEB}, "trials"),
    "wespeaker": ({"trials": "a/1.wav a/2.wav target\na/1.wav b/2.wav nontarget\n"},
                  "trials"),
    "kaldi": ({"wav.scp": "".join(f"u{i} u{i}.wav\n" for i in range(9)),
               "utt2spk": SPEAKERS,
               "trials": "u0 u1 target\nu0 u4 nontarget\nu3 u4 target\n"}, "."),
    "kaldi without trials": ({"wav.scp": "".join(f"u{i} u{i}.wav\n" for i in range(9)),
                              "spk2utt": "s0 u0 u1 u2\ns1 u3 u4 u5\ns2 u6 u7 u8\n"},
                             "."),
    "espnet": ({"trial.scp": "a1*b1 a1.wav\na1*a2 a1.wav\n",
                "trial2.scp": "a1*b1 b1.wav\na1*a2 a2.wav\n",
                "trial_label": "a1*b1 0\na1*a2 1\n",
                "utt2spk": "a1 a\na2 a\nb1 b\n"}, "."),
    "one csv": ({"a.csv": "path,subject_id,purpose,group,sex\n"
                 "a1.wav,a,enrol,dev,f\na2.wav,a,probe,dev,f\n"
                 "b1.wav,b,enrol,dev,m\nb2.wav,b,probe,dev,m\n"}, "a.csv"),
    "bob": ({"p/dev/for_enrolling.csv":
             "path,key,subject_id,template_id\na1.wav,a1,a,a\nb1.wav,b1,b,b\n",
             "p/dev/for_probing.csv":
             "path,key,subject_id,template_id\na2.wav,a2,a,a2\nb2.wav,b2,b,b2\n",
             "p/dev/for_matching.csv":
             "enroll_template_id,probe_template_id\na,a2\na,b2\nb,b2\n",
             "p/train/for_background_model.csv":
             "path,key,subject_id\nc1.wav,c1,c\nd1.wav,d1,d\n",
             "p/protocol.json": '{"original_directory": "."}'}, "."),
    "sre": ({"x_trial_key.tsv": "modelid\tsegmentid\tside\ttargettype\n"
             "m1\tt1.sph\ta\ttarget\nm1\tt2.sph\ta\tnontarget\n"
             "m2\tt2.sph\ta\ttarget\n",
             "x_enrollment.tsv": "modelid\tsegmentid\tside\n"
             "m1\te1.sph\ta\nm2\te2.sph\ta\n",
             "x_segment_key.tsv": "segmentid\tsubjectid\tgender\n"
             "e1.sph\tann\tf\ne2.sph\tbob\tm\nt1.sph\tann\tf\nt2.sph\tbob\tm\n"},
            "x_trial_key.tsv"),
}  # fmt: skip
