"""Validation: each fault, injected into a good capture, is found, and nothing else."""

from __future__ import annotations

import math
import weakref
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
import torch

from nvs.cameras import Camera
from nvs.errors import DatasetError, ImageError, OutputError
from nvs.scene.frames import Dataset, Frame
from nvs_data.rigs import gso_rig
from nvs_data.validate import (
    KINDS,
    Finding,
    check,
    exit_code,
    survey,
    validate,
    verdict,
    write_report,
)
from nvs_data.validate.images import BLURRED_SHARPNESS
from nvs_data.validate.survey import sharpness

SIZE = 96


@cache
def picture(view):
    """Discs of random colours on top of each other, others for each view."""
    random = np.random.default_rng(view)
    image = np.full((2 * SIZE, 2 * SIZE, 3), 128, np.uint8)
    for _ in range(150):
        center, radius = random.integers(0, 2 * SIZE, 2), random.integers(4, 28)
        colour = random.integers(0, 256, 3).tolist()
        cv2.circle(image, center.tolist(), int(radius), colour, -1)
    return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def frames_of(camera):
    return [
        Frame(
            name=f"{view:02d}.png", camera=camera[view], load=lambda v=view: picture(v)
        )
        for view in range(len(camera))
    ]


def white_around(image):
    inner = image[4:-4, 4:-4]
    return np.pad(inner, ((4, 4), (4, 4), (0, 0)), constant_values=255)


def faults(frames, kind="object"):
    trained_on = replace(KINDS[kind], background="any")
    return validate(Dataset(frames=tuple(frames)), trained_on=trained_on)


@pytest.fixture
def good():
    return frames_of(gso_rig(SIZE, SIZE))


def changed(frame, *, pose=None, intrinsics=None, load=None):
    camera = frame.camera
    if pose is not None:
        camera = replace(camera, world_from_camera=pose[None].float())
    if intrinsics is not None:
        camera = replace(camera, intrinsics=torch.tensor([intrinsics]))
    return replace(frame, camera=camera, load=load or frame.load)


def with_poses(frames, change, views):
    return [
        changed(frame, pose=change(frame.camera.world_from_camera[0].clone()))
        if view in views
        else frame
        for view, frame in enumerate(frames)
    ]


def with_intrinsics(frames, values, views=range(64)):
    return [
        changed(frame, intrinsics=values) if view in views else frame
        for view, frame in enumerate(frames)
    ]


def with_images(frames, change, views):
    return [
        changed(frame, load=lambda v=view: change(picture(v)))
        if view in views
        else frame
        for view, frame in enumerate(frames)
    ]


def nan(pose):
    pose[1, 3] = math.nan
    return pose


def scaled(pose):
    pose[:3, :3] *= 1.7
    return pose


def sheared(pose):
    pose[:3, 0] += 0.2 * pose[:3, 1]
    return pose


def reflected(pose):
    pose[:3, 0] *= -1
    return pose


def flipped(pose):
    return pose @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))


def inverted(pose):
    return torch.linalg.inv(pose)


def farther(pose):
    pose[:3, 3] *= 1.6
    return pose


def turned_slightly(pose):
    angle = math.radians(0.5)
    turn = torch.eye(4)
    turn[0, 0] = turn[1, 1] = math.cos(angle)
    turn[0, 1], turn[1, 0] = -math.sin(angle), math.sin(angle)
    return pose @ turn


def below(pose):
    eye = 2.7 * torch.tensor([[0.5, 0.0, -(0.75**0.5)]])
    camera = Camera.look_at(
        eye,
        torch.zeros(3),
        up=torch.tensor([0.0, 0.0, 1.0]),
        hfov_radians=1.0,
        height=SIZE,
        width=SIZE,
    )
    return camera.world_from_camera[0]


def unreadable():
    raise ImageError("06.png is damaged", remedy="Copy it again.")


FOCAL_PX = SIZE / 2 / math.tan(math.radians(25))
HALF = SIZE / 2
ALL = range(64)

ERRORS = {
    *("image", "not-finite", "not-rigid", "scaled", "reflected", "intrinsics"),
    *("looking-away", "framing", "repeated-image"),
}
FAULTS = {
    "nan pose": (lambda f: with_poses(f, nan, {5}), "not-finite", (5,)),
    "scaled rotation": (lambda f: with_poses(f, scaled, {1, 9}), "scaled", (1, 9)),
    "all scaled": (lambda f: with_poses(f, scaled, ALL), "scaled", tuple(ALL)),
    "sheared rotation": (lambda f: with_poses(f, sheared, {2}), "not-rigid", (2,)),
    "transposed": (lambda f: with_poses(f, lambda p: p.T, {7}), "not-rigid", (7,)),
    "reflection": (lambda f: with_poses(f, reflected, {8}), "reflected", (8,)),
    "all reflected": (
        lambda f: with_poses(f, reflected, ALL),
        "reflected",
        tuple(ALL),
    ),
    "opengl axes": (lambda f: with_poses(f, flipped, ALL), "looking-away", ()),
    "inverted poses": (lambda f: with_poses(f, inverted, ALL), "framing", ()),
    "halved intrinsics": (
        lambda f: with_intrinsics(f, [FOCAL_PX / 2, FOCAL_PX / 2, HALF / 2, HALF / 2]),
        "intrinsics",
        tuple(ALL),
    ),
    "normalised intrinsics": (
        lambda f: with_intrinsics(f, [1.07, 1.07, 0.5, 0.5], {3}),
        "intrinsics",
        (3,),
    ),
    "negative focal length": (
        lambda f: with_intrinsics(f, [-FOCAL_PX, FOCAL_PX, HALF, HALF], {3}),
        "intrinsics",
        (3,),
    ),
    "tiny focal length": (
        lambda f: with_intrinsics(f, [9.0, 9.0, HALF, HALF], {3}),
        "intrinsics",
        (3,),
    ),
    "swapped focal lengths": (
        lambda f: with_intrinsics(f, [FOCAL_PX, 1.8 * FOCAL_PX, HALF, HALF], {4}),
        "intrinsics",
        (4,),
    ),
    "image of another size": (
        lambda f: with_images(f, lambda image: image[: SIZE // 2], {11}),
        "intrinsics",
        (11,),
    ),
    "same view twice": (lambda f: [*f, f[10]], "duplicate", (64,)),
    "nearly the same view": (
        lambda f: [
            *f,
            replace(with_poses(f, turned_slightly, {10})[10], load=lambda: picture(99)),
        ],
        "near-duplicate",
        (64,),
    ),
    "one image for two cameras": (
        lambda f: [*f[:20], replace(f[20], load=f[3].load), *f[21:]],
        "repeated-image",
        (20,),
    ),
    "black image": (
        lambda f: with_images(f, lambda image: image // 64, {12, 13}),
        "black",
        (12, 13),
    ),
    "white image": (
        lambda f: with_images(f, lambda image: image | 255, {12}),
        "black",
        (12,),
    ),
    "blurred image": (
        lambda f: with_images(f, lambda image: cv2.GaussianBlur(image, None, 2), {30}),
        "blurred",
        (30,),
    ),
    "motion blur": (
        lambda f: with_images(f, lambda image: cv2.blur(image, (9, 1)), {30}),
        "blurred",
        (30,),
    ),
    "diagonal motion blur": (
        lambda f: with_images(f, lambda i: cv2.filter2D(i, -1, np.eye(9) / 9), {30}),
        "blurred",
        (30,),
    ),
    "damaged image": (
        lambda f: [*f[:6], replace(f[6], load=unreadable), *f[7:]],
        "image",
        (6,),
    ),
    "nothing from one side": (
        lambda f: [frame for view, frame in enumerate(f) if view % 16 > 5],
        "coverage",
        (),
    ),
    "too far away": (lambda f: with_poses(f, farther, {17}), "outside-training", (17,)),
    "from below": (lambda f: with_poses(f, below, {17}), "outside-training", (17,)),
    "telephoto lens": (
        lambda f: with_intrinsics(f, [4 * FOCAL_PX, 4 * FOCAL_PX, HALF, HALF], {17}),
        "outside-training",
        (17,),
    ),
}


def test_good_capture_has_no_findings(good):
    assert faults(good) == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found_and_only_that(good, fault):
    inject, kind, views = FAULTS[fault]
    findings = faults(inject(good))
    assert [finding.kind for finding in findings] == [kind]
    assert findings[0].views == views
    assert findings[0].remedy
    for view in views[:1]:
        assert f"{view % 64:02d}.png" in findings[0].message or view == 64
    assert findings[0].severity == ("error" if kind in ERRORS else "warning")
    assert exit_code(findings) == (2 if kind in ERRORS else 1)


def test_a_background_is_said_to_weights_that_saw_none(good):
    (finding,) = validate(Dataset(frames=tuple(good)))
    assert finding.kind == "outside-training"
    assert "have a background" in finding.message
    framed = with_images(good, lambda image: white_around(image), ALL)
    assert validate(Dataset(frames=tuple(framed))) == ()


def test_two_faults_at_once_are_both_found(good):
    frames = with_poses(with_images(good, lambda i: i * 0, {40}), nan, {5})
    assert {finding.kind for finding in faults(frames)} == {"black", "not-finite"}


def test_opengl_capture_offers_the_convention_and_is_judged_as_if_corrected(good):
    frames = with_poses([f for v, f in enumerate(good) if v % 16 > 5], flipped, ALL)
    findings = faults(frames)
    assert [finding.kind for finding in findings] == ["looking-away", "coverage"]
    assert "--convention opengl" in findings[0].remedy
    assert "64" not in findings[0].message
    assert "40 of 40" in findings[0].message


def test_remedy_for_intrinsics_of_a_smaller_image_gives_the_factor(good):
    (finding,) = faults(FAULTS["halved intrinsics"][0](good))
    assert "scale them by 2 in x and 2 in y" in finding.remedy


def forward_facing(num_views=12):
    """Cameras along a wall, looking at it, a little turned."""
    x = torch.linspace(-1, 1, num_views)
    eye = torch.stack([x, 0.1 * torch.sin(7 * x), torch.zeros_like(x)], dim=-1)
    target = 0.3 * eye + torch.tensor([0.0, 0.0, 5.0])
    return Camera.look_at(
        eye,
        target,
        up=torch.tensor([0.0, -1.0, 0.0]),
        hfov_radians=1.1,
        height=SIZE,
        width=SIZE,
    )


def test_good_scene_has_no_findings():
    assert faults(frames_of(forward_facing()), kind="scene") == ()


@pytest.mark.parametrize(
    ("world_up", "kind", "expected"),
    [
        ((0.0, 0.0, -1.0), "scene", []),
        ((0.0, 0.0, -1.0), "object", [("framing", "error")]),
        ((0.0, 0.0, 1.0), "scene", [("looking-away", "error"), ("framing", "error")]),
        (None, "scene", [("looking-away", "info")]),
    ],
)
def test_the_convention_is_blamed_for_looking_outwards_only_where_it_may_be(
    world_up, kind, expected
):
    """Flipped cameras are upside down; the world of a room that looks so is too."""
    ring = frames_of(gso_rig(SIZE, SIZE)[:16])
    frames = tuple(with_poses(ring, flipped, ALL))
    trained_on = replace(KINDS[kind], background="any")
    found = validate(Dataset(frames=frames, world_up=world_up), trained_on=trained_on)
    assert [(f.kind, f.severity) for f in found] == expected
    said = " ".join(verdict(f) for f in found if f.severity == "error")
    assert ("--convention" in said) == (("looking-away", "error") in expected)


@pytest.mark.parametrize(
    ("change", "views"),
    [
        (
            lambda pose: (
                pose + torch.tensor([0.0, 0.0, 0.0, 9.0]) * torch.eye(4)[0:1].T
            ),
            (11,),
        ),
        (lambda pose: pose @ torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0])), (11,)),
    ],
)
def test_scene_view_that_stands_alone_is_found(change, views):
    frames = with_poses(frames_of(forward_facing()), change, set(views))
    (finding,) = faults(frames, kind="scene")
    assert (finding.kind, finding.views) == ("coverage", views)


def test_images_are_decoded_once_and_one_at_a_time(good):
    loaded, most_alive = [], []

    def load():
        most_alive.append(sum(ref() is not None for ref in loaded))
        pixels = picture(len(loaded)).copy()
        loaded.append(weakref.ref(pixels))
        return pixels

    survey([replace(frame, load=load) for frame in good])
    assert len(loaded) == 64
    assert max(most_alive) == 0


@pytest.mark.parametrize("gain", [0.2, 1.0])
def test_sharpness_ignores_contrast_and_falls_with_blur(gain):
    grey = gain * cv2.cvtColor(picture(0), cv2.COLOR_RGB2GRAY).astype(float) / 255
    values = [sharpness(cv2.GaussianBlur(grey, None, s)) for s in (0.5, 1, 1.5, 2, 3)]
    assert values == sorted(values, reverse=True)
    assert sharpness(grey) == pytest.approx(sharpness(grey / gain + 1))
    assert sharpness(grey) > BLURRED_SHARPNESS > values[1]
    assert values[-1] > 1
    assert sharpness(np.full((20, 20), gain)) == 0


def test_blur_of_a_real_photograph_is_found(shared):
    from nvs.images import read_image

    pixels = read_image(shared / "data/fox/images/0001.jpg")
    camera = gso_rig(*pixels.shape[:2])[:3]
    found = {}
    for sigma in (0.0, 4.0):
        image = cv2.GaussianBlur(pixels, None, sigma) if sigma else pixels
        frames = [
            replace(frame, load=lambda image=image: image)
            for frame in frames_of(camera)
        ]
        found[sigma] = any(f.kind == "blurred" for f in faults(frames))
    assert found == {0.0: False, 4.0: True}


def test_no_frames_are_refused():
    with pytest.raises(DatasetError, match="no frames"):
        faults([])


def test_exit_code_and_verdict():
    finding = Finding(
        kind="black", severity="info", views=(), message="dark", remedy="Light it."
    )
    assert exit_code([finding]) == 0
    assert verdict(finding) == "info: black: dark. Light it."
    assert exit_code([finding, replace(finding, severity="warning")]) == 1


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href", "srcset")]

    def handle_data(self, data):
        self.text += data


def test_report_is_self_contained_and_shows_every_view_and_finding(good, tmp_path):
    good[3] = replace(good[3], name="<script>alert(1)</script>.png")
    frames = with_images(with_poses(good, nan, {5}), lambda i: i * 0, {3, 12})
    frames[6] = replace(frames[6], load=unreadable)
    capture = survey(frames)
    findings = check(capture)
    write_report(tmp_path / "report.html", capture, findings)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert "script" not in links.tags
    assert "link" not in links.tags
    assert all(source.startswith("data:image/") for source in links.sources)
    assert "url(" not in page
    assert len(links.sources) == 1 + 64 - 1
    for finding in findings:
        assert finding.message in links.text
        assert finding.remedy in links.text
    for frame in frames:
        assert frame.name in links.text


def test_report_of_a_capture_without_any_sound_pose(good, tmp_path):
    capture = survey(with_poses(good[:2], nan, ALL))
    write_report(tmp_path / "report.html", capture, check(capture))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 without a finite pose" in page


def test_report_where_no_file_can_be_is_refused(good, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*report\.html"):
        write_report(tmp_path / "file" / "report.html", survey(good[:1]), ())
