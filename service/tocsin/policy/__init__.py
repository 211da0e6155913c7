"""Network policies: read them, match them against a workload and a destination, say what they prove. Pure."""
