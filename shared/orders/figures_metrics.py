"""What is counted of sales, for those who watch the shop; the books' own figures are in the tables."""

from prometheus_client import Counter

MONEY = Counter(
    "shop_sales_minor", "Money of facts counted, in minor units, by what they are and by currency", ["kind", "currency"]
)
CHECKED = Counter("shop_figures_rebuild_checked", "Keys that the rebuild of figures has compared", ["part"])
DIFFERENCES = Counter("shop_figures_rebuild_differences", "Keys at which it found a difference", ["part"])
