"""`nvs demo`: the whole way, on the sample that ships in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import options, output

ORBIT_FRAMES = 60
ORBIT_FPS = 20.0


def demo(
    destination: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the results.")
    ] = Path("out"),
    weights: options.Weights = None,
    size: options.Size = None,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    compile: options.Compile = False,
    json: options.Json = False,
) -> None:
    """Build the bundled sample, render an orbit and compare held-out views."""
    import time

    from nvs.assets import SAMPLE, sample_split
    from nvs.scene import Renderer, load_views
    from nvs.scene.holdout import compare
    from nvs.scene.paths import scene_path
    from nvs.scene.pictures import to_uint8, write_png
    from nvs.scene.video import write_video

    inputs, targets = sample_split()
    renderer = Renderer.from_weights(
        weights, device=device, precision=precision, compile=compile
    )
    wanted = options.parse_size(size) or renderer.trained_on.default_size
    patch = renderer.config.patch_size
    views = load_views(SAMPLE, size=wanted, patch_size=patch, views=inputs)
    held_out = load_views(SAMPLE, size=wanted, patch_size=patch, views=targets)

    renderer.wait_compiled(views.camera.height, views.camera.width, output.say_nvs)
    start = time.perf_counter()
    with output.progress(f"prefill {len(views)} views", unit="groups") as update:
        scene = renderer.prefill(views, progress=update)
    prefill_seconds = time.perf_counter() - start
    scene.save(destination / "sample.scene")

    compared = compare(renderer, scene, views, held_out)
    write_png(destination / "held-out.png", compared.picture)

    camera = scene_path(scene, ORBIT_FRAMES, height=scene.height, width=scene.width)
    start = time.perf_counter()
    frames = output.tracked(
        renderer.render_iter(scene, camera),
        "render an orbit",
        total=ORBIT_FRAMES,
        unit="frames",
    )
    write_video(
        destination / "orbit.mp4", (to_uint8(frame) for frame in frames), fps=ORBIT_FPS
    )
    orbit_seconds = time.perf_counter() - start
    output.print_result(
        {
            "weights": renderer.model_id,
            "device": str(renderer.device),
            "precision": renderer.computes,
            "inputs": len(inputs),
            "size": f"{scene.height}×{scene.width}",
            "prefill_seconds": prefill_seconds,
            "milliseconds_per_frame": 1000 * orbit_seconds / ORBIT_FRAMES,
            "psnr_held_out": compared.render.psnr_db,
            "psnr_nearest_input": compared.nearest.psnr_db,
            "scene": str(destination / "sample.scene"),
            "comparison": str(destination / "held-out.png"),
            "video": str(destination / "orbit.mp4"),
        },
        as_json=json,
        title="nvs demo",
    )
