"""Make a scene in DL3DV's layout, to try the DL3DV protocol without DL3DV's data.

    python examples/make_dl3dv_scene.py scenes/room
    python examples/make_dl3dv_scene.py scenes/mine --capture nerfstudio_capture/

The layout is `nerfstudio/transforms.json` with cameras of the full-size video frames
and `images_4` with the frames at a quarter of that size. A room is drawn at random and
ray traced. A capture with its own `transforms.json` is taken over as it is, distortion
and missing frames included; its images count as those at a quarter of the size.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from nvs.cameras import Camera
from nvs.scene.frames import Frame
from nvs.scene.pictures import to_uint8
from nvs.train.synthetic import draw_scenes
from nvs_data.writers import write_dataset

REDUCTION = 4
IN_PIXELS = ("w", "h", "fl_x", "fl_y", "cx", "cy")


def write_room(
    folder: Path, *, num_frames: int, height: int, width: int, seed: int
) -> None:
    """Draw a room and write pictures of a walk through it, with their cameras."""
    room = draw_scenes(
        "room", batch=1, views=num_frames, height=height, width=width, seed=seed
    ).render("cpu")
    pictures = to_uint8(room.image[0].permute(0, 2, 3, 1))
    camera = Camera(
        world_from_camera=room.world_from_camera[0],
        intrinsics=room.intrinsics[0],
        height=height,
        width=width,
    )
    frames = [
        Frame(name=f"frame_{index + 1:05d}.png", camera=one, load=lambda p=pixels: p)
        for index, (one, pixels) in enumerate(zip(camera, pictures, strict=True))
    ]
    write_dataset(frames, folder, format="nerfstudio")


def to_dl3dv(folder: Path) -> None:
    """Turn `transforms.json` with `images` into DL3DV's form, in place."""
    file = folder / "transforms.json"
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for fields in (content, *content["frames"]):
        for key in IN_PIXELS:
            if key in fields:
                fields[key] *= REDUCTION
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "images").rename(folder / f"images_{REDUCTION}")


def main() -> None:
    """Write the scene named on the command line."""
    parser = argparse.ArgumentParser(description="Make a scene in DL3DV's layout.")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--capture", type=Path, help="folder with a transforms.json")
    parser.add_argument("--frames", type=int, default=48, help="pictures of a room")
    parser.add_argument("--height", type=int, default=540, help="of a room's pictures")
    parser.add_argument("--width", type=int, default=960, help="of a room's pictures")
    parser.add_argument("--seed", type=int, default=0, help="which room")
    arguments = parser.parse_args()

    folder = arguments.out / "nerfstudio"
    if arguments.capture is not None:
        shutil.copytree(arguments.capture, folder)
    else:
        write_room(
            folder,
            num_frames=arguments.frames,
            height=arguments.height,
            width=arguments.width,
            seed=arguments.seed,
        )
    to_dl3dv(folder)


if __name__ == "__main__":
    main()
