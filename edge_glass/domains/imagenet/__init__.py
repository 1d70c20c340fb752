"""The classes of ImageNet: names, matches, samples, balance."""
