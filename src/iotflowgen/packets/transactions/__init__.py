"""Transaction ids of protocols beside DNS, BOOTP, ICMP and NTP."""

from iotflowgen.packets.transactions.codec import Transactions, open_transactions

__all__ = ["Transactions", "open_transactions"]
