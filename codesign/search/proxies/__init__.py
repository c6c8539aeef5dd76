"""Zero-cost proxies of networks over feature maps, and how well they rank networks beside plain counts."""

from codesign.search.proxies.measures import PROXIES, proxy
from codesign.search.proxies.net import FloatNet
from codesign.search.proxies.ranks import Ranking, partial_spearman, rank_table, spearman

__all__ = ["PROXIES", "FloatNet", "Ranking", "partial_spearman", "proxy", "rank_table", "spearman"]
