"""When is what looked at, and who answers for it?"""
