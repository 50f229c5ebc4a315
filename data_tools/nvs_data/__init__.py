"""From photographs, video or models to posed images that are known to be good.

    posing, video   photographs or a video to cameras (COLMAP)
    validate        what is wrong with a capture, before a model sees it
    selection       which views to build a scene from
    readers         dataset layouts, found by `nvs.scene.load_views`
    writers         the same images and cameras in another layout
    frames          lenses undone (undistort), axes turned round, images resized
    meshes, rigs    textured models to posed renders, and the cameras for them
    textures        photographs for the surfaces of synthetic scenes
    download        scenes of the DL3DV benchmark

The command line has each as `nvs data …`.
"""
