# Generated from infra/postgres/migrations by `python -m infra.manifests generate`.
"""Which schema this code was written for."""

MIGRATIONS = (
    "0001_platform.sql",
    "0002_platform_retention.sql",
    "0003_rate_limits.sql",
    "0004_platform_checks.sql",
    "0010_catalog.sql",
    "0020_inventory.sql",
    "0021_stock_status.sql",
    "0022_inventory_complete.sql",
    "0023_stock_alerts.sql",
    "0024_moving_stock.sql",
    "0025_stock_known.sql",
    "0026_hold_parts_by_order.sql",
    "0027_ledger_by_actor.sql",
    "0030_orders.sql",
    "0031_orders_complete.sql",
    "0032_pricing.sql",
    "0033_fulfilment.sql",
    "0034_order_desk.sql",
    "0036_sagas_complete.sql",
    "0037_saga_hold_until.sql",
    "0040_payments.sql",
    "0041_payments_complete.sql",
    "0045_figures.sql",
    "0050_catalog_complete.sql",
    "0051_catalog_status_sequence.sql",
    "0052_functions.sql",
    "0053_publishing.sql",
)
"""The migrations that this code was written with: in a database without one of them a function is not ready."""
