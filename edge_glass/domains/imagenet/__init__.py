"""The classes of ImageNet: names, matches, samples, balance."""

RULES = ("laionet", "word", "cls")  # that say which class a caption is of, see `caption_match`
# columns of the tables that `match` and `similarity` make
INDEX = "__index_level_0__"  # of a row in its release, as pandas calls an index without a name
SIMILARITY = "text_to_name_def_wnid_similarity"
