"""Transaction ids of protocols beside DNS, BOOTP, ICMP and NTP, and ports that texts announce."""

from iotflowgen.packets.transactions.announced import Announced
from iotflowgen.packets.transactions.codec import Transactions, open_transactions

__all__ = ["Announced", "Transactions", "open_transactions"]
