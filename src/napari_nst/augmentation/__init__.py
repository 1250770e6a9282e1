"""Training data: stylised variants of images whose labels stay valid, in a folder."""
