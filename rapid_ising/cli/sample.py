"""``rapid-ising sample``: draw images from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rapid_ising.cli.console import cell, results, write_json
from rapid_ising.cli.options import (
    MACHINE,
    OUTPUT,
    BackendName,
    BackendOptions,
    Beta,
    Json,
    ModelFile,
    chosen_backend,
    image_shape,
    model_of,
    output_file,
)


def sample(
    model_file: ModelFile,
    backend: BackendName = None,
    backend_option: BackendOptions = None,
    reads: Annotated[
        int, typer.Option(metavar="N", help="How many images to draw.", rich_help_panel=MACHINE)
    ] = 100,
    beta: Beta = 1.0,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Fixes every random number, from 0 on; left out, 0 where the machine can be seeded.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option(
            metavar="N", help="How many of the most frequent images to show.", rich_help_panel=OUTPUT
        ),
    ] = 10,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="ROWSxCOLUMNS",
            help="The pixels of an image; a square when left out.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy",
            help="Write every image, one a row of -1 and +1, to this file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw images from a trained model and show the most frequent ones.

    For example, by Gibbs sampling here; by another machine, at the temperature that the model was fitted at,
    which rapid-ising train tells; and as an array for your own code:

      rapid-ising sample model.safetensors
      rapid-ising sample model.safetensors --backend exact --beta 0.25 --reads 1000
      rapid-ising sample model.safetensors --reads 50 --out samples.npy --json
    """
    import numpy as np
    from rich.columns import Columns
    from rich.panel import Panel

    from rapid_ising.cli.pictures import picture
    from rapid_ising.models.base import default_backend
    from rapid_ising.progress import waiting
    from rapid_ising.validation import positive_integer

    shown = positive_integer("top", top)
    model = model_of(model_file)
    rows_columns = image_shape(shape, model)
    machine = chosen_backend(backend or default_backend(beta), backend_option)
    if out is not None:
        output_file(out, model_file)
    assert machine is not None
    if seed is None and machine.capabilities.seedable:
        seed = 0
    with waiting(f"{reads} images from {machine.name}"):
        images = model.sample(reads, backend=machine, beta=beta, seed=seed)
    if out is not None:
        with out.open("wb") as file:
            np.save(file, images, allow_pickle=False)
    kinds, counts = np.unique(images, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:shown]
    # At beta = 0 every image is as likely, and the free energy has no limit.
    energies = model.free_energy(kinds[order], beta).tolist() if beta > 0 else [None] * len(order)
    if as_json:
        write_json(
            {
                "reads": len(images),
                "distinct": len(kinds),
                "backend": machine.name,
                "beta": beta,
                "shape": rows_columns,
                "images": kinds[order].tolist(),
                "counts": counts[order].tolist(),
                "free_energies": energies,
                "out": None if out is None else str(out),
            }
        )
        return
    console = results()
    console.print(
        f"{len(images)} images from {machine.name} at beta = {beta:g}, {len(kinds)} of them distinct; "
        f"the {len(order)} most frequent:"
    )
    panels = []
    for i, energy in zip(order, energies, strict=True):
        image = picture(kinds[i], rows_columns, console.encoding)
        panels.append(Panel.fit(f"{image}\n{counts[i]} of {len(images)}\nF = {cell(energy)}"))
    console.print(Columns(panels))
    console.print("F is the free energy: the lower it is, the likelier the image.")
    if out is not None:
        console.print(f"every image: {out}", soft_wrap=True)
