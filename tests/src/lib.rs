//! What tests of the whole mesh need.
