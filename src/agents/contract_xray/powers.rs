//! What somebody can do to those who use the contract: each finding stands on functions, slots and instructions that it names.
//!
//! What a function does to a token is told by its writes to the very variables that `transfer` and `balanceOf` depend on,
//! so it is found whatever the function is called. Names only help where the code alone is silent.

use std::collections::BTreeSet;

use super::{
    draft::{Draft, whoever},
    examine::Traced,
    flow::{Check, Deed, Walk},
    op, proxy,
    report::{Finding, Power, Severity},
    value::{Change, Part, Place, Source},
    words,
};

const MOVES: &[&str] = &[
    "transfer",
    "transferFrom",
    "safeTransferFrom",
    "safeBatchTransferFrom",
    "transferWithAuthorization",
    "receiveWithAuthorization",
];

/// The worst first; deterministic.
pub(super) fn findings(functions: &[Traced], fallback: &Walk, is_proxy: bool) -> Vec<Finding> {
    let contract = Contract::of(functions, fallback);
    let mut all = Vec::new();
    contract.supply(&mut all);
    contract.switches(&mut all);
    contract.ownership(&mut all);
    contract.upgrades(&mut all);
    contract.foreign_code(&mut all);
    contract.coins(&mut all);
    if !is_proxy && fallback.deeds.keys().any(|deed| deed.opcode == op::DELEGATECALL) {
        all.push(Draft::new(Severity::Medium, Power::RunAnyCode, "Unknown calls are handed to other code").because(
            "The fallback ends in a DELEGATECALL whose target we could not follow: what it does is not in this bytecode.",
        ));
    }
    all.sort_by_key(|draft| (draft.finding.severity, draft.finding.power));
    all.into_iter().map(|draft| Finding { advice: words::advice(&draft.finding).to_owned(), ..draft.finding }).collect()
}

pub(super) struct Contract<'a> {
    pub(super) functions: &'a [Traced],
    /// What the moving of tokens depends on.
    moves: Vec<&'a Traced>,
    balances: BTreeSet<Part>,
    supply: BTreeSet<Part>,
    /// The slots that guards look at.
    authorities: BTreeSet<Part>,
    /// The lists that they look callers up in.
    lists: BTreeSet<Place>,
    /// Where it says whose code runs.
    code: BTreeSet<Part>,
}

impl Traced {
    fn named(&self, words: &[&str]) -> bool {
        self.name.is_some_and(|name| words.contains(&name))
    }

    pub(super) fn writes_any(&self, parts: &BTreeSet<Part>) -> bool {
        self.walk.writes.iter().any(|write| parts.iter().any(|part| part.overlaps(&write.part)))
    }

    fn changes(&self, parts: &BTreeSet<Part>, change: Change) -> bool {
        self.walk.writes.iter().any(|write| write.change == change && parts.iter().any(|part| part.overlaps(&write.part)))
    }

    /// To another value than one more or less than before.
    fn sets_any(&self, parts: &BTreeSet<Part>) -> bool {
        self.walk.writes.iter().any(|write| {
            !matches!(write.change, Change::More | Change::Less) && parts.iter().any(|part| part.overlaps(&write.part))
        })
    }

    /// Whoever calls takes out coins that are theirs.
    fn pays_its_caller(&self) -> bool {
        let pays = |deed: &Deed| deed.opcode == op::CALL && deed.value && deed.target == Source::Caller;
        !self.privileged() && self.walk.deeds.keys().any(pays)
    }

    /// It is let in by who it is, not by what it holds.
    pub(super) fn privileged(&self) -> bool {
        self.guard.is_some()
    }
}

impl<'a> Contract<'a> {
    fn of(functions: &'a [Traced], fallback: &Walk) -> Self {
        let parts = |name: &str| -> BTreeSet<Part> {
            functions
                .iter()
                .filter(|function| function.name == Some(name))
                .flat_map(|function| function.walk.reads.iter().chain(&function.walk.decides))
                .filter(|part| part.place != Place::Unknown)
                .cloned()
                .collect()
        };
        let checks = || functions.iter().flat_map(|function| function.walk.guards.iter().chain(&function.walk.either));
        let authorities = checks().filter_map(|check| match check {
            Check::Is(part) => Some(part.clone()),
            _ => None,
        });
        let lists = checks().filter_map(|check| match check {
            Check::In(place) => Some(place.clone()),
            _ => None,
        });
        let looked_up = proxy::looked_up(fallback).map(|place| Part { place, first: 0, last: 31 });
        Self {
            functions,
            authorities: authorities.collect(),
            lists: lists.collect(),
            code: upgrade_slots().into_iter().chain(looked_up).collect(),
            moves: functions.iter().filter(|function| function.named(MOVES) || function.pays_its_caller()).collect(),
            balances: parts("balanceOf").into_iter().filter(|part| matches!(part.place, Place::Member { .. })).collect(),
            supply: parts("totalSupply").into_iter().filter(|part| matches!(part.place, Place::Slot(_))).collect(),
        }
    }

    pub(super) fn guarded(&self, wanted: impl Fn(&Traced) -> bool) -> Vec<&'a Traced> {
        self.functions.iter().filter(|function| function.privileged() && !function.named(MOVES) && wanted(function)).collect()
    }

    /// Tokens made and destroyed.
    fn supply(&self, all: &mut Vec<Draft>) {
        let minting = self.guarded(|function| {
            function.changes(&self.supply, Change::More)
                || (function.name.is_some_and(|name| name.to_lowercase().contains("mint")) && !function.walk.writes.is_empty())
                || (function.changes(&self.balances, Change::More) && !function.changes(&self.balances, Change::Less))
        });
        // Who may mint is ownership, not minting.
        let minting: Vec<_> = minting
            .into_iter()
            .filter(|function| !function.name.is_some_and(|name| name.to_lowercase().contains("minter")))
            .collect();
        if !minting.is_empty() {
            all.push(
                Draft::new(Severity::High, Power::Mint, format!("{} can create new tokens", whoever(&minting)))
                    .because("A guarded function makes the supply or somebody's balance larger: what everybody else holds is worth less.")
                    .functions(&minting)
                    .slots(self.supply.iter().chain(&self.balances)),
            );
        }
        let burning = self.guarded(|function| {
            let taken = || function.walk.writes.iter().filter(|write| matches!(write.change, Change::Less | Change::Clear));
            let of_others = |part: &Part| matches!(part.place, Place::Member { by_caller: false, .. });
            let is_balance = |part: &Part| self.balances.iter().any(|balance| balance.overlaps(part));
            let from_others = taken().any(|write| of_others(&write.part) && is_balance(&write.part));
            let supplied_by_others = function.changes(&self.supply, Change::Less)
                && !function.changes(&self.supply, Change::More)
                && taken().any(|write| of_others(&write.part));
            supplied_by_others || from_others && !function.changes(&self.balances, Change::More)
        });
        if !burning.is_empty() {
            all.push(
                Draft::new(Severity::High, Power::Burn, format!("{} can destroy the tokens of others", whoever(&burning)))
                    .because("A guarded function makes the supply and a balance that is not the caller's own smaller.")
                    .functions(&burning)
                    .slots(self.supply.iter().chain(&self.balances)),
            );
        }
    }

    /// What moving tokens depends on, and somebody can change.
    fn switches(&self, all: &mut Vec<Draft>) {
        let own_writes: BTreeSet<&Part> =
            self.moves.iter().flat_map(|function| &function.walk.writes).map(|write| &write.part).collect();
        let is_own = |part: &Part| {
            own_writes.iter().any(|own| own.overlaps(part)) || self.authorities.iter().any(|authority| authority.overlaps(part))
        };
        let decides: BTreeSet<&Part> =
            self.moves.iter().flat_map(|function| &function.walk.decides).filter(|part| !is_own(part)).collect();
        let reads: BTreeSet<&Part> = self
            .moves
            .iter()
            .flat_map(|function| &function.walk.reads)
            .filter(|part| !is_own(part) && !decides.iter().any(|decides| decides.overlaps(part)))
            .collect();
        let setters = |parts: &BTreeSet<Part>| self.guarded(|function| function.writes_any(parts));
        let owned = |parts: &BTreeSet<&Part>, member: bool| -> BTreeSet<Part> {
            parts
                .iter()
                .filter(|part| matches!(part.place, Place::Member { .. }) == member && part.place != Place::Unknown)
                .map(|part| (*part).clone())
                .collect()
        };

        let lists = owned(&decides, true);
        let blocking = setters(&lists);
        if !blocking.is_empty() {
            all.push(
                Draft::new(
                    Severity::High,
                    Power::Block,
                    format!("{} can stop chosen accounts from moving tokens", whoever(&blocking)),
                )
                .because("Moving tokens looks accounts up in a list that a guarded function writes.")
                .functions(&blocking)
                .slots(written(&blocking, &lists)),
            );
        }
        let flags = owned(&decides, false);
        let pausing = setters(&flags);
        if !pausing.is_empty() {
            all.push(
                Draft::new(Severity::Medium, Power::Pause, format!("{} can stop all transfers", whoever(&pausing)))
                    .because("Moving tokens asks a switch that a guarded function sets.")
                    .functions(&pausing)
                    .slots(written(&pausing, &flags)),
            );
        }
        let rates = owned(&reads, false);
        let charging = self.guarded(|function| function.sets_any(&rates));
        if !charging.is_empty() {
            all.push(
                Draft::new(Severity::Medium, Power::Fee, format!("{} can change what a transfer costs or who is paid for it", whoever(&charging)))
                    .because("Moving tokens computes with numbers or addresses that a guarded function sets: a fee, a limit, or who collects it.")
                    .functions(&charging)
                    .slots(written(&charging, &rates)),
            );
        }
        let paused = self.guarded(|function| function.named(&["pause", "setPaused", "setPause", "togglePause"]));
        if pausing.is_empty() && !paused.is_empty() {
            all.push(
                Draft::new(Severity::Medium, Power::Pause, format!("{} can pause the contract", whoever(&paused)))
                    .because("A guarded function has the name of a switch. What it stops is not told by the code alone.")
                    .functions(&paused)
                    .slots(paused.iter().flat_map(|function| &function.walk.writes).map(|write| &write.part)),
            );
        }
    }

    fn ownership(&self, all: &mut Vec<Draft>) {
        let handing: Vec<_> = self.guarded(|function| function.writes_any(&self.authorities));
        if !handing.is_empty() {
            let renounces = handing.iter().any(|function| function.named(&["renounceOwnership"]));
            all.push(
                Draft::new(Severity::Info, Power::Ownership, "The owner's powers can be handed over")
                    .because(if renounces {
                        "A guarded function writes the very slot that guards read; they can also be given up for ever."
                    } else {
                        "A guarded function writes the very slot that guards read."
                    })
                    .functions(&handing)
                    .slots(&self.authorities),
            );
        }
        let open: Vec<_> = self
            .functions
            .iter()
            .filter(|function| {
                !function.privileged()
                    && function.walk.ends
                    && (function.changes(&self.authorities, Change::ToCaller)
                        || function.changes(&self.authorities, Change::ToInput))
            })
            .collect();
        let (asked, unasked): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|function| !function.walk.decides.is_empty() || !function.walk.reads.is_empty());
        if !unasked.is_empty() {
            all.push(
                Draft::new(Severity::High, Power::TakeOver, "Anybody can become the owner")
                    .because("A function that checks nobody and nothing writes the slot that guards read.")
                    .functions(&unasked)
                    .slots(&self.authorities),
            );
        }
        if !asked.is_empty() {
            all.push(
                Draft::new(Severity::Low, Power::TakeOver, "Somebody can become the owner without being asked for by name")
                    .because(
                        "A function that checks no caller writes the slot that guards read. It looks at other storage first, \
                         as initialisers do: whoever calls it first may own the contract.",
                    )
                    .functions(&asked)
                    .slots(&self.authorities),
            );
        }
        let lets_in = |function: &Traced| {
            function.walk.writes.iter().any(|write| match &write.part.place {
                place @ Place::Member { by_caller: false, .. } => self.lists.iter().any(|list| list.same(place)),
                _ => false,
            })
        };
        let roles: Vec<_> = self
            .functions
            .iter()
            .filter(|function| function.named(&["grantRole", "grantRoles"]) || function.privileged() && lets_in(function))
            .collect();
        if !roles.is_empty() {
            all.push(
                Draft::new(Severity::Info, Power::Roles, "Powers are given to roles, and roles to accounts")
                    .because("Who holds a role is not in the code; the contract's events tell.")
                    .functions(&roles),
            );
        }
    }

    fn upgrades(&self, all: &mut Vec<Draft>) {
        let slots = &self.code;
        let upgrading: Vec<_> = self
            .functions
            .iter()
            .filter(|function| {
                function.walk.ends
                    && (function.writes_any(slots)
                        || (function.named(&["upgradeTo", "upgradeToAndCall", "upgrade", "upgradeAndCall", "diamondCut"])
                            && (!function.walk.writes.is_empty() || !function.walk.deeds.is_empty())))
            })
            .collect();
        let (guarded, open): (Vec<_>, Vec<_>) = upgrading.into_iter().partition(|function| function.privileged());
        if !guarded.is_empty() {
            all.push(
                Draft::new(Severity::High, Power::Upgrade, format!("{} can replace the code", whoever(&guarded)))
                    .because("After an upgrade nothing in this report need hold any more.")
                    .functions(&guarded)
                    .slots(written(&guarded, slots)),
            );
        }
        if !open.is_empty() {
            all.push(
                Draft::new(Severity::High, Power::Upgrade, "The code can be replaced, and we saw no check of the caller")
                    .because("After an upgrade nothing in this report need hold any more. A check that we do not recognise may be there.")
                    .functions(&open)
                    .slots(written(&open, slots)),
            );
        }
    }
}

/// Where EIP-1967 keeps what a proxy runs.
pub(super) fn upgrade_slots() -> BTreeSet<Part> {
    [proxy::IMPLEMENTATION, proxy::BEACON].into_iter().map(|slot| Part { place: Place::Slot(slot), first: 0, last: 31 }).collect()
}

/// The parts that these functions write, of those.
fn written<'p>(functions: &[&Traced], of: &'p BTreeSet<Part>) -> Vec<&'p Part> {
    of.iter()
        .filter(|part| functions.iter().any(|function| function.walk.writes.iter().any(|write| write.part.overlaps(part))))
        .collect()
}
