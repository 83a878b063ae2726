"""``rapid-ising reconstruct``: let a trained model restore images of which it sees a part."""

from __future__ import annotations

from typing import Annotated

import typer

from rapid_ising.cli.console import results, write_json
from rapid_ising.cli.options import (
    DATA,
    MODEL,
    OUTPUT,
    BackendName,
    BackendOptions,
    Beta,
    DatasetName,
    Json,
    ModelFile,
    Seed,
    chosen_backend,
    model_of,
)


def reconstruct(
    model_file: ModelFile,
    dataset: DatasetName = "stripes",
    known_rows: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many rows the model sees. Left out: one, or the first half of an image of one row.",
            rich_help_panel=DATA,
        ),
    ] = None,
    beta: Beta = 1.0,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Gibbs steps, 1 when left out; a machine takes none.", rich_help_panel=MODEL
        ),
    ] = None,
    backend: BackendName = None,
    backend_option: BackendOptions = None,
    seed: Seed = 0,
    limit: Annotated[
        int, typer.Option(metavar="N", help="How many images to show.", rich_help_panel=OUTPUT)
    ] = 8,
    as_json: Json = False,
) -> None:
    """Restore images of which a model sees a part, beside the true ones.

    The images are the held-out ones of the data set, or the training images where none are held out. Without
    a machine the unknown pixels follow from the known ones by Gibbs steps; with --backend the machine draws
    them, the known pixels held fixed.

    For example, from the first row; from the first two, the likeliest images; and by a machine:

      rapid-ising reconstruct model.safetensors --dataset stripes
      rapid-ising reconstruct model.safetensors --known-rows 2 --beta inf
      rapid-ising reconstruct model.safetensors --backend exact
    """
    import numpy as np
    from rich import box
    from rich.table import Table

    from rapid_ising.cli.pictures import picture
    from rapid_ising.datasets import load
    from rapid_ising.errors import InvalidDataError, InvalidParameterError
    from rapid_ising.evaluation import known_rows as known_rows_mask
    from rapid_ising.evaluation.summary import first_known
    from rapid_ising.progress import waiting
    from rapid_ising.validation import positive_integer

    shown = positive_integer("limit", limit)
    model = model_of(model_file)
    data = load(dataset)
    data.require_pixels(model.n_visible)
    machine = chosen_backend(backend, backend_option)
    if machine is not None and steps is not None:
        raise InvalidParameterError(
            "--steps counts Gibbs steps and a machine takes none: leave one of them out"
        )
    mask = first_known(data.shape) if known_rows is None else known_rows_mask(data.shape, known_rows)
    if mask.all():
        raise InvalidDataError(
            f"all {len(mask)} pixels of an image of {data.shape[0]} x {data.shape[1]} would be known: "
            "ask for fewer rows, or save the images with their shape, (n, rows, columns)"
        )
    split, truth = ("held-out", data.test) if len(data.test) else ("training", data.train)
    corrupted = np.where(mask, truth, 0)
    with waiting(f"{len(truth)} images restored"):
        restored = model.reconstruct(
            corrupted, mask, beta=beta, steps=1 if steps is None else steps, backend=machine, seed=seed
        )
    unknown = int((~mask).sum())
    # Of the unknown pixels: the known ones are right by themselves.
    distances = (restored != truth)[:, ~mask].mean(axis=1)
    if as_json:
        write_json(
            {
                "dataset": data.name,
                "images": split,
                "beta": beta,
                "backend": None if machine is None else machine.name,
                "distance": float(distances.mean()),
                "distances": distances.tolist(),
                "corrupted": corrupted.tolist(),
                "reconstructed": restored.tolist(),
                "true": truth.tolist(),
            }
        )
        return
    console = results()
    table = Table("corrupted", "reconstructed", "true", "wrong pixels", box=box.SIMPLE, show_lines=True)
    for images in zip(corrupted[:shown], restored[:shown], truth[:shown], strict=True):
        wrong = int((images[1] != images[2]).sum())
        table.add_row(
            *(picture(image, data.shape, console.encoding) for image in images), f"{wrong} of {unknown}"
        )
    console.print(table)
    console.print(
        f"{len(truth)} {split} images of {data.name}, {min(shown, len(truth))} shown: Hamming distance "
        f"{distances.mean():.3f} (the share of the {unknown} unknown pixels that is wrong)"
    )
