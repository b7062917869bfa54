# SPDX-License-Identifier: MIT
"""What stories need: servers, a proxy, the daemon, orders and their accounts."""
