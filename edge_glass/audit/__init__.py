"""Does a build hold what it promises, and what is odd about its rows?"""
