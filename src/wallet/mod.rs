//! The browser's wallet: discovery (EIP-6963), requests (EIP-1193), networks, sending.
