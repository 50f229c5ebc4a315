"""What a scene says of its framing and of the views held out of its build.

Scenes of before say nothing, but for those whose build was told how to frame them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the columns."""
    for name, kind in (
        ("up", sa.JSON()),
        ("unframed", sa.Boolean()),
        ("held_out", sa.JSON()),
        ("sheet_sha256", sa.String(length=64)),
    ):
        op.add_column("scenes", sa.Column(name, kind, nullable=True))
    scenes = sa.table(
        "scenes",
        sa.column("id", sa.String),
        sa.column("built_job_id", sa.String),
        sa.column("unframed", sa.Boolean),
    )
    jobs = sa.table(
        "jobs", sa.column("id", sa.String), sa.column("parameters", sa.JSON)
    )
    builds = sa.select(scenes.c.id, jobs.c.parameters).join(
        jobs, jobs.c.id == scenes.c.built_job_id
    )
    connection = op.get_bind()
    for scene_id, parameters in connection.execute(builds).all():
        if parameters.get("framing") in ("mean_camera", "object"):
            connection.execute(
                scenes.update().where(scenes.c.id == scene_id).values(unframed=False)
            )


def downgrade() -> None:
    """Drop them."""
    for name in ("up", "unframed", "held_out", "sheet_sha256"):
        op.drop_column("scenes", name)
