//! serve · demo · check · books
fn main() {
    coinslot::agents::contract_xray::apart::begin();
}
