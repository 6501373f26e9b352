"""Mutation testing of the modules on which trust rests: does a test notice when a line of them says something else?"""
