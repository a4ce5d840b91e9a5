"""What a function has to find in its database, written into the code that needs it."""

from infra.manifests import Files, headed
from infra.postgres.migrate import migrations
from shared.runtime.declare import Declaration

TEXT = '''"""Which schema this code was written for."""

MIGRATIONS = (
{names}
)
"""The migrations that this code was written with: in a database without one of them a function is not ready."""
'''


def files(_declarations: list[Declaration]) -> Files:
    names = "\n".join(f'    "{migration.name}",' for migration in migrations())
    return {"shared/runtime/schema.py": headed(TEXT.format(names=names), "#", "infra/postgres/migrations")}
