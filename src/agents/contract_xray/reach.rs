//! Powers over whatever the code can reach: other code, the contract's end, its coins.

use super::{
    draft::{Draft, whoever},
    examine::Traced,
    flow::Deed,
    names, op,
    powers::{Contract, upgrade_slots},
    report::{Power, Severity},
    value::Source,
};

/// What a token asks of whoever receives it: no power of the one who sends it there.
const ASKED_BACK: &[&str] = &[
    "onERC721Received",
    "onERC1155Received",
    "onERC1155BatchReceived",
    "onTransferReceived",
    "onApprovalReceived",
    "tokensReceived",
];

impl Contract<'_> {
    /// DELEGATECALL, CALLCODE and SELFDESTRUCT. What only an upgrade does is told as an upgrade.
    pub(super) fn foreign_code(&self, all: &mut Vec<Draft>) {
        let runs = |deed: &Deed| {
            matches!(deed.opcode, op::DELEGATECALL | op::CALLCODE) && matches!(deed.target, Source::Input | Source::Caller)
        };
        self.deeds(
            all,
            runs,
            Power::RunAnyCode,
            "run any code as if it were this contract's own",
            "The target of a delegated call is taken from the caller's input: it may write every slot and take every coin.",
        );
        self.deeds(
            all,
            |deed| deed.opcode == op::SELFDESTRUCT,
            Power::Destroy,
            "end the contract and take its coins",
            "SELFDESTRUCT sends the whole balance away; on chains before EIP-6780 it also deletes the code.",
        );
    }

    /// Coins and calls that leave the contract.
    pub(super) fn coins(&self, all: &mut Vec<Draft>) {
        let pays = |function: &Traced| -> Vec<Deed> {
            function.walk.deeds.keys().filter(|deed| deed.opcode == op::CALL && deed.value).cloned().collect()
        };
        let taking = self.guarded(|function| !pays(function).is_empty());
        if !taking.is_empty() {
            let deeds: Vec<_> = taking.iter().flat_map(|function| pays(function)).collect();
            all.push(
                Draft::new(Severity::Medium, Power::Withdraw, format!("{} can take coins out of the contract", whoever(&taking)))
                    .because("A guarded function makes a call that carries coins.")
                    .functions(&taking)
                    .opcodes(&deeds),
            );
        }
        // Where nothing is looked up, nothing says whose coins they are.
        let open: Vec<_> = self
            .functions
            .iter()
            .filter(|function| {
                !function.privileged()
                    && function.walk.ends
                    && function.walk.reads.is_empty()
                    && function.walk.decides.is_empty()
                    && pays(function).iter().any(|deed| matches!(deed.target, Source::Input | Source::Caller))
                    && !function.walk.deeds.keys().any(|deed| deed.opcode == op::DELEGATECALL)
            })
            .collect();
        if !open.is_empty() {
            let deeds: Vec<_> = open.iter().flat_map(|function| pays(function)).collect();
            all.push(
                Draft::new(Severity::High, Power::Withdraw, "Anybody can take coins out of the contract")
                    .because("A function that looks at nothing in storage sends coins where its caller says.")
                    .functions(&open)
                    .opcodes(&deeds),
            );
        }
        let calls = |function: &Traced| -> Vec<Deed> {
            function
                .walk
                .deeds
                .keys()
                .filter(|deed| deed.opcode == op::CALL && !deed.value && deed.target == Source::Input)
                .filter(|deed| !deed.calls.and_then(names::name).is_some_and(|name| ASKED_BACK.contains(&name)))
                .cloned()
                .collect()
        };
        let calling = self.guarded(|function| !calls(function).is_empty());
        if !calling.is_empty() {
            let deeds: Vec<_> = calling.iter().flat_map(|function| calls(function)).collect();
            all.push(
                Draft::new(
                    Severity::Medium,
                    Power::CallAnything,
                    format!("{} can make the contract call others, for example to take tokens out of it", whoever(&calling)),
                )
                .because("A guarded function calls an address that is given to it.")
                .functions(&calling)
                .opcodes(&deeds),
            );
        }
    }

    /// Instructions that are as bad as whoever reaches them.
    fn deeds(&self, all: &mut Vec<Draft>, wanted: impl Fn(&Deed) -> bool, power: Power, what: &str, why: &str) {
        let reaching = |open: bool| -> (Vec<&Traced>, Vec<&Deed>) {
            let mut functions = Vec::new();
            let mut deeds = Vec::new();
            for function in self.functions {
                if power == Power::RunAnyCode && function.writes_any(&upgrade_slots()) {
                    continue;
                }
                let before = deeds.len();
                deeds.extend(
                    function
                        .walk
                        .deeds
                        .iter()
                        .filter(|(deed, passed)| wanted(deed) && passed.is_empty() == open)
                        .map(|(deed, _)| deed),
                );
                if deeds.len() > before {
                    functions.push(function);
                }
            }
            (functions, deeds)
        };
        for open in [true, false] {
            let (functions, deeds) = reaching(open);
            if functions.is_empty() {
                continue;
            }
            let who = if open { "Anybody".to_owned() } else { whoever(&functions) };
            all.push(
                Draft::new(Severity::High, power, format!("{who} can {what}")).because(why).functions(&functions).opcodes(deeds),
            );
        }
    }
}
