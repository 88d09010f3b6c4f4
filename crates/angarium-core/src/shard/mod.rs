//! The shard machine.
