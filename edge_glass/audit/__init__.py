"""Does a build hold what it promises, and what changed between two of them?"""
