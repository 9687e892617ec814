"""What bob.learn.pytorch is called, needs and offers (tools: pyproject.toml)."""

from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup

# conda/meta.yaml and buildout.cfg list the same; tests/packaging keeps them in step.
REQUIRED = [
    "bob.bio.base~=8.1.1",
    "click~=8.1",
    "cloudpickle>=2",
    "distributed>=2024.4",
    "filelock>=3.12",
    "h5py~=3.7",
    "jsonschema>=4.18",
    "matplotlib>=3.8",
    "numpy~=1.26",
    "packaging>=23",
    "requests~=2.28",
    "safetensors>=0.4.3",
    "scipy~=1.12",
    "soundfile>=0.12.1",
    "soxr>=0.5",
    "tomli>=2; python_version < '3.11'",
    "torch>=2.6",
    "torchaudio>=2.6",
    "tqdm>=4.66",
    "uv>=0.5",
    # What bob.bio.base 8.1.1 asks for too loosely: newer ones break every bob command.
    "pyarrow<26",  # 26 needs NumPy 2
    "scikit-learn>=1.4,<1.6",  # dask-ml 2024.3 needs internals that 1.6 changed
    # dask-ml imports pkg_resources: 82 has none, and 80.9 warns of it at every command.
    "setuptools>=67,<80.9",
]

TEST = [
    # Decoders and error rates by others, which ours are held against.
    "av>=12",
    "expected_cost>=1.0",
    "hypothesis>=6.100",
    "kaldiio>=2.18",
    "llreval>=0.0.3",
    "psutil>=5.9",
    "pytest>=8",
    "pytest-benchmark>=4",
    "pytest-cov>=5",
    "pytest-xdist>=3.6",
    "PyYAML>=6",
    "zc.buildout>=5",
    "zc.recipe.egg>=3",
]

DOC = [
    "furo>=2024.8",
    "Sphinx>=7.3",
]

EXTRAS = {
    "kaldi": ["kaldiio>=2.18"],
    "onnx": ["onnx>=1.16", "onnxruntime>=1.18", "onnxscript>=0.3"],
    "vad": ["onnxruntime>=1.18", "silero-vad>=6.2"],
    "train": ["tensorboard>=2.16"],
    # Old Bob's `bob config`, which keeps ~/.bobrc; it replaces the command bob.
    "legacy": ["bob.extension~=7.0"],
    "test": TEST,
    "doc": DOC,
    "dev": [
        *TEST,
        *DOC,
        "import-linter>=2.15",
        "mypy>=1.11",
        "pre-commit>=3.7",
        "ruff>=0.9",
        "types-jsonschema",
        "types-psutil",
        "types-PyYAML",
        "types-requests",
        "types-setuptools",
        "types-tqdm",
    ],
}

TRAINED_MODELS = {
    "dltresnet34-voxceleb1": "dltresnet34_voxceleb1",
    "resnet34-voxceleb1": "resnet34_voxceleb1",
    "campplus-zh-en": "campplus_zh_en",
}
CONFIG = "bob.learn.pytorch.config"

# "speech/ecapa_tdnn" is `-p speech-ecapa-tdnn`, and speech_ecapa_tdnn in Python.
BACKBONES = Path(__file__).parent / "bob/learn/pytorch/templates/backbones"
TEMPLATES = {
    f"{path.parent.name}-{path.stem}".replace(
        "_", "-"
    ): f"{path.parent.name}_{path.stem}"
    for path in sorted(BACKBONES.glob("*/*.json"))
}


def named(kind: str) -> list[str]:
    """Entry points of all templates; each is made when it is asked for."""
    return [
        f"{name} = {CONFIG}.templates:{kind}_{attribute}"
        for name, attribute in TEMPLATES.items()
    ]


ENTRY_POINTS = {
    "console_scripts": ["verify.py = bob.learn.pytorch.script.verify:main"],
    "bob.cli": ["pytorch = bob.learn.pytorch.script.pytorch:pytorch"],
    "bob.bio.pipeline": [
        *(
            f"{name} = {CONFIG}.{module}:pipeline"
            for name, module in TRAINED_MODELS.items()
        ),
        *named("pipeline"),
    ],
    # For verify.py: `-p campplus-zh-en -e unchanged`.
    "bob.bio.preprocessor": [
        *(
            f"{name} = {CONFIG}.preprocessors:{module}"
            for name, module in TRAINED_MODELS.items()
        ),
        *named("preprocessor"),
    ],
    "bob.bio.extractor": [f"unchanged = {CONFIG}.unchanged:extractor"],
    "bob.bio.transformer": [
        *(
            f"{name} = {CONFIG}.{module}:transformer"
            for name, module in TRAINED_MODELS.items()
        ),
        *named("transformer"),
    ],
}

# Not a Python module: `inference/winograd.py` opens it. Without a compiler the package
# is slower and otherwise the same.
KERNELS = [
    Extension(
        "bob.learn.pytorch.inference._winograd",
        ["bob/learn/pytorch/inference/winograd.c"],
        depends=["bob/learn/pytorch/inference/winograd_lanes.h"],
        extra_compile_args=["-O3", "-std=c11", "-ffp-contract=fast"],
        optional=True,
    )
]

if __name__ == "__main__":
    setup(
        name="bob.learn.pytorch",
        version="1.0.0.dev0",
        description="Speaker verification for Bob with PyTorch",
        long_description=Path("README.md").read_text(encoding="utf-8"),
        long_description_content_type="text/markdown",
        author="bob.learn.pytorch developers",
        license="BSD-3-Clause",
        license_files=["LICENSE"],
        keywords=["bob", "speaker verification", "speaker embedding", "pytorch"],
        classifiers=[
            "Development Status :: 4 - Beta",
            "Framework :: Bob",
            "Intended Audience :: Science/Research",
            "Programming Language :: Python :: 3.10",
            "Programming Language :: Python :: 3.11",
            "Programming Language :: Python :: 3.12",
            "Topic :: Scientific/Engineering :: Artificial Intelligence",
            "Typing :: Typed",
        ],
        python_requires=">=3.10,<3.13",
        install_requires=REQUIRED,
        extras_require=EXTRAS,
        # bob/ and bob/learn/ stay without __init__.py: other Bob packages own them.
        packages=find_namespace_packages(
            include=["bob.learn.pytorch*"],
            exclude=["*__pycache__*", "*.templates.backbones*"],
        ),
        # The six functions, where users of Py-Torch-DAE look for them.
        py_modules=["deep_audio_embedding"],
        package_data={
            "bob.learn.pytorch": ["py.typed"],
            "bob.learn.pytorch.templates": ["backbones/**/*.json"],
            "bob.learn.pytorch.templates.format": ["schema.json", "start.json"],
        },
        ext_modules=KERNELS,
        include_package_data=False,
        entry_points=ENTRY_POINTS,
        zip_safe=False,
    )
