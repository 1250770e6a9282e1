"""Ensembles: one texture by many seeds, each measured beside its exemplar.

A seed is a slice of a stack, so that `stacks` computes and stores them.
"""
