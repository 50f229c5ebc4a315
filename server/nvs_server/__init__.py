"""The renderer service: upload, build and render scenes over HTTP."""
