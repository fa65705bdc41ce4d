//! Code that hands its calls to other code: told by its shape, or by what its fallback does.

use std::{collections::BTreeSet, sync::LazyLock};

use alloy::{
    hex,
    primitives::{Address, U256, keccak256, uint},
};

use super::{
    examine::slot_text,
    flow::{Check, Walk},
    names::{Selector, selector},
    op,
    report::{Proxy, ProxyKind},
    value::{Part, Place, Source},
};

/// EIP-1967: `keccak256("eip1967.proxy.implementation") - 1`.
pub const IMPLEMENTATION: U256 = uint!(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc_U256);
/// EIP-1967: `keccak256("eip1967.proxy.beacon") - 1`.
pub const BEACON: U256 = uint!(0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50_U256);
/// EIP-1967: `keccak256("eip1967.proxy.admin") - 1`.
pub const ADMIN: U256 = uint!(0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103_U256);

/// EIP-7702: what an account's code is while it runs a contract's.
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// What comes before and after the target in a clone's code.
const CLONES: &[(&[u8], &[u8])] = &[
    // EIP-1167.
    (&hex!("363d3d373d3d3d363d73"), &hex!("5af43d82803e903d91602b57fd5bf3")),
    // Its shorter relatives: the "more minimal" one (0age), and ERC-7511's, which has PUSH0.
    (&hex!("3d3d3d3d363d3d37363d73"), &hex!("5af43d3d93803e602a57fd5bf3")),
    (&hex!("365f5f375f5f365f73"), &hex!("5af43d5f5f3e5f3d91602a57fd5bf3")),
];

/// Names of slots that standards fix.
pub fn standard_slot(slot: U256) -> Option<&'static str> {
    static NAMES: LazyLock<Vec<(U256, &str)>> = LazyLock::new(|| {
        let hash = |text: &str| U256::from_be_bytes(keccak256(text).0);
        vec![
            (IMPLEMENTATION, "implementation (EIP-1967)"),
            (BEACON, "beacon (EIP-1967)"),
            (ADMIN, "admin (EIP-1967)"),
            (hash("eip1967.proxy.rollback").wrapping_sub(U256::from(1)), "rollback (EIP-1967)"),
            (hash("PROXIABLE"), "implementation (EIP-1822)"),
            (hash("org.zeppelinos.proxy.implementation"), "implementation (ZeppelinOS)"),
            (hash("org.zeppelinos.proxy.admin"), "admin (ZeppelinOS)"),
            (hash("diamond.standard.diamond.storage"), "diamond storage (EIP-2535)"),
        ]
    });
    NAMES.iter().find(|(known, _)| *known == slot).map(|(_, name)| *name)
}

/// Clones and delegated accounts: recognised byte by byte. A clone may be followed by immutable arguments.
pub fn by_shape(code: &[u8]) -> Option<Proxy> {
    if let Some(target) = delegated_to(code) {
        return Some(fixed(ProxyKind::Delegation, target));
    }
    CLONES.iter().find_map(|(before, after)| {
        let (target, rest) = code.strip_prefix(*before)?.split_first_chunk::<20>()?;
        rest.starts_with(after).then(|| fixed(ProxyKind::Minimal, Address::from(*target)))
    })
}

/// Whose code an account runs (EIP-7702), if this is such an account's code.
pub fn delegated_to(code: &[u8]) -> Option<Address> {
    <[u8; 20]>::try_from(code.strip_prefix(&DELEGATION)?).ok().map(Address::from)
}

/// What the fallback hands on, and where it looks that up.
pub fn by_fallback(fallback: &Walk, functions: &BTreeSet<Selector>) -> Option<Proxy> {
    let targets: Vec<&Source> =
        fallback.deeds.keys().filter(|deed| deed.opcode == op::DELEGATECALL).map(|deed| &deed.target).collect();
    // A beacon is asked first, and what it answers is called.
    let asked = fallback.deeds.keys().any(|deed| deed.opcode == op::STATICCALL);
    let target = *targets.first()?;
    let proxy =
        |kind, slot: Option<U256>| Proxy { kind, slot: slot.map(slot_text), beacon: None, implementation: None, admin: None };
    Some(match target {
        Source::Stored(Place::Slot(slot)) if *slot == IMPLEMENTATION => {
            // Whoever the fallback looks for before it hands a call on is the admin, who is not let through.
            let admin = |check: &Check| match check {
                Check::Is(Part { place, .. }) => *place == Place::Slot(ADMIN),
                Check::Fixed(_) => true,
                _ => false,
            };
            let kind = if functions.contains(&selector("proxiableUUID()")) {
                ProxyKind::Uups
            } else if fallback.asks.iter().any(admin) {
                ProxyKind::Transparent
            } else {
                ProxyKind::Eip1967
            };
            proxy(kind, Some(IMPLEMENTATION))
        }
        Source::Stored(Place::Slot(slot)) if *slot == U256::from_be_bytes(keccak256("PROXIABLE").0) => {
            proxy(ProxyKind::Uups, Some(*slot))
        }
        Source::Stored(Place::Slot(slot)) => proxy(ProxyKind::Slot, Some(*slot)),
        Source::Stored(Place::Member { slot, .. }) => proxy(ProxyKind::Diamond, Some(*slot)),
        Source::Fixed(address) => fixed(ProxyKind::Fixed, Address::from_word((*address).into())),
        _ if asked => proxy(ProxyKind::Beacon, Some(BEACON)),
        // Whatever it is, nothing here says where the code comes from.
        _ => return None,
    })
}

/// Where it looks up whose code runs.
pub fn looked_up(fallback: &Walk) -> Option<Place> {
    fallback.deeds.keys().find_map(|deed| match &deed.target {
        Source::Stored(place) if deed.opcode == op::DELEGATECALL && *place != Place::Unknown => Some(place.clone()),
        _ => None,
    })
}

fn fixed(kind: ProxyKind, target: Address) -> Proxy {
    Proxy { kind, slot: None, beacon: None, implementation: Some(format!("{target:#x}")), admin: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants are the standard's, not a typing error.
    #[test]
    fn the_slots_are_eip_1967_s() {
        for (slot, text) in [(IMPLEMENTATION, "implementation"), (BEACON, "beacon"), (ADMIN, "admin")] {
            let hash = U256::from_be_bytes(keccak256(format!("eip1967.proxy.{text}")).0);
            assert_eq!(slot, hash - U256::from(1), "{text}");
        }
    }

    #[test]
    fn a_delegated_account_is_23_bytes_exactly() {
        let account = [DELEGATION.as_slice(), &[0x11; 20]].concat();
        assert_eq!(delegated_to(&account), Some(Address::from([0x11; 20])));
        assert_eq!(delegated_to(&account[..22]), None);
        assert_eq!(delegated_to(&[account.as_slice(), &[0]].concat()), None);
    }
}
