"""The classes of ImageNet: names, matches, samples, balance."""

RULES = ("laionet", "word", "cls")  # that say which class a caption is of, see `caption_match`
