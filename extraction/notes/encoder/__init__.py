"""The transformer that tags clinical entities: corpora, training, artefact, tagging.

Nothing here is imported by the rest of the package until it is asked for: it needs PyTorch.
"""
