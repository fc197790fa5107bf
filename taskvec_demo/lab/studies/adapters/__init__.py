"""Adapters with a price, beside the frozen audio tower (Tagliasacchi et al. 2020).

Every task gets an adapter of its own. Each channel has a gate, and training weighs the task's loss against what the
open channels cost, in parameters or in operations. What is closed at the end is cut out of the network.
"""
