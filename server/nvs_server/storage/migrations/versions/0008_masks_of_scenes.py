"""How many images of a scene are masks, and of what kind its latest job is."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa
from alembic import op

from nvs.file_kinds import is_mask_name

revision = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    """Add the columns, and fill them for the scenes that are there."""
    masks = sa.Column("num_masks", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("scenes", masks)
    op.add_column("scenes", sa.Column("job_kind", sa.String(16), nullable=True))
    op.execute(
        "UPDATE scenes SET job_kind = "
        "(SELECT kind FROM jobs WHERE jobs.id = scenes.job_id)"
    )
    connection = op.get_bind()
    listed = sa.text("SELECT scene_id, path FROM scene_files WHERE kind = 'image'")
    counts = Counter(
        scene_id for scene_id, path in connection.execute(listed) if is_mask_name(path)
    )
    for scene_id, num in counts.items():
        connection.execute(
            sa.text("UPDATE scenes SET num_masks = :num WHERE id = :scene_id"),
            {"num": num, "scene_id": scene_id},
        )


def downgrade() -> None:
    """Drop them."""
    for name in ("num_masks", "job_kind"):
        op.drop_column("scenes", name)
