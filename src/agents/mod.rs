//! What is on sale: one file per agent, and the list of them.
