//! serve · demo · check · books
fn main() {}
