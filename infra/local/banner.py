"""What a developer sees when the shop is up."""

import shlex
from pathlib import Path

from infra.local.issuer import Issuer

CUSTOMER = "demo-customer"


def text(url: str, issuer: Issuer, directory: Path, took_s: float) -> str:
    """Ends with the line READY, which scripts wait for."""
    tokens = {
        "CUSTOMER": issuer.token(CUSTOMER, "customer"),
        "ADMIN": issuer.token("demo-admin", "admin"),
        "OPERATOR": issuer.token("demo-operator", "operator"),
    }
    order = '{"lines": [{"sku": "MUG-BLUE", "quantity": 2}], "payment_token": "tok_approve"}'
    place = " ".join(
        (
            f'curl -s {url}/v1/orders -H "Authorization: Bearer $CUSTOMER" -H "Content-Type: application/json"',
            f'-H "Idempotency-Key: $(date +%s%N)" -H "Prefer: wait=10" -d {shlex.quote(order)}',
        )
    )
    lines = [
        "",
        f"  kn-shop is up after {took_s:.1f} s",
        "",
        f"  Console         {url}/",
        f"  API             {url}/v1/products",
        f"  Documentation   {url}/docs",
        f"  State and logs  {directory}",
        '  For kn          eval "$(make -s kn-env)"; kn service list',
        "",
        "  Tokens for a day (for other subjects and roles: POST /dev/tokens):",
        "",
        *(f"export {name}={token}" for name, token in tokens.items()),
        "",
        "  To try, once the tokens are pasted:",
        "",
        f"curl -s {url}/v1/products",
        f"curl -s '{url}/v1/search?q=mug&facets=true'",
        place,
        f'curl -s {url}/v1/orders -H "Authorization: Bearer $CUSTOMER"',
        f'curl -s {url}/v1/stock/MUG-BLUE -H "Authorization: Bearer $ADMIN"',
        f'curl -s {url}/v1/invariants -H "Authorization: Bearer $OPERATOR"',
        "",
        "  In another terminal, `make demo` follows one order through the shop. Ctrl-C ends all.",
        "",
        "READY",
    ]
    return "\n".join(lines)
