"""CiliumNetworkPolicy: read it, match it against a workload and a destination, say what changed. Pure."""
