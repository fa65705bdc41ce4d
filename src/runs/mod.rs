//! A paid run: the only way to an agent's work.
