"""What the catalogue counts of itself; whoever counts makes the children, so that each is there as 0 from the start."""

from prometheus_client import Counter

SEARCHES = Counter(
    "shop_catalog_searches", "Searches by what came of them: found, corrected (did_you_mean), empty", ["outcome"]
)
IMPORT_ROWS = Counter("shop_catalog_import_rows", "Rows of product files by what became of them", ["status"])
CHECKED = Counter("shop_catalog_rebuild_checked", "Keys that the rebuild has compared with their source", ["part"])
DIFFERENCES = Counter("shop_catalog_rebuild_differences", "Keys at which the rebuild found a difference", ["part"])
