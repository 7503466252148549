//! The command on small source trees.
