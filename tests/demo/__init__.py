# SPDX-License-Identifier: MIT
"""./dev demo: the main job on real input, with the daemon killed on the way."""
