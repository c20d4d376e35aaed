"""How is a finding told?"""
