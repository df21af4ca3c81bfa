"""docs/layers.md, printed by ``python -m nengo_tactile.conversion.layers_page``."""

from nengo_tactile.conversion.support import ACTIVATIONS, FALLBACK, TABLE


def markdown():
    """The table as the text of docs/layers.md."""
    lines = [
        "# What each Keras layer becomes",
        "",
        "Made by `python -m nengo_tactile.conversion.layers_page > docs/layers.md` from the table",
        "that `nengo_tactile.check` and all errors use. Other layers cannot be converted: "
        f"{FALLBACK.remedy}.",
        "",
        "| layer | becomes | engines | limits | instead |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in TABLE.items():
        limits = "; ".join(
            f"`{attribute}` {allowed[0]!r} ({remedy})"
            for attribute, (allowed, remedy) in row.limits.items()
        )
        engines = ", ".join(row.engines) if row.becomes else "none"
        cells = (f"`{name}`", row.becomes or "-", engines, limits or "-", row.remedy or "-")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| activation | becomes |", "| --- | --- |"]
    lines += [f"| `{name}` | {becomes} |" for name, becomes in ACTIVATIONS.items()]
    lines += [
        "",
        "Models come from `tf.keras` (Keras 2) or Keras 3, as objects or as .keras and .h5 files.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
