"""Selection -> shard plan -> workers -> shards -> a build, here or on a cluster."""
