//! The books: deposits, balances, runs, and the promise that they balance. They know no chain.
