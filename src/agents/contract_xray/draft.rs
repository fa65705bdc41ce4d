//! A finding in the making: its words and what it stands on.

use std::collections::BTreeSet;

use super::{
    examine::{Traced, slot_text},
    flow::Deed,
    op,
    report::{Finding, Guard, Power, Severity},
    value::Part,
};

pub(super) struct Draft {
    pub finding: Finding,
}

impl Draft {
    pub fn new(severity: Severity, power: Power, title: impl Into<String>) -> Self {
        Self {
            finding: Finding {
                severity,
                power,
                title: title.into(),
                detail: String::new(),
                advice: String::new(),
                functions: Vec::new(),
                slots: Vec::new(),
                opcodes: Vec::new(),
                in_implementation: false,
            },
        }
    }

    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.finding.detail = detail.into();
        self
    }

    pub fn functions(mut self, functions: &[&Traced]) -> Self {
        self.finding.functions = functions.iter().map(|function| function.title.clone()).collect();
        self
    }

    pub fn slots<'p>(mut self, parts: impl IntoIterator<Item = &'p Part>) -> Self {
        let slots: BTreeSet<_> = parts.into_iter().filter_map(|part| part.place.slot()).collect();
        self.finding.slots = slots.into_iter().map(slot_text).collect();
        self
    }

    pub fn opcodes<'d>(mut self, deeds: impl IntoIterator<Item = &'d Deed>) -> Self {
        let sites: BTreeSet<_> = deeds.into_iter().map(|deed| (deed.offset, deed.opcode)).collect();
        self.finding.opcodes = sites.into_iter().map(|(offset, code)| format!("{} at {offset:#x}", op::name(code))).collect();
        self
    }
}

/// As a sentence begins.
pub(super) fn whoever(functions: &[&Traced]) -> String {
    let guards: BTreeSet<&Guard> = functions.iter().filter_map(|function| function.guard.as_ref()).collect();
    let owner = || functions.iter().all(|function| matches!(function.guard, Some(Guard::Slot { .. })));
    match guards.len() {
        1 if owner() => "The owner".to_owned(),
        _ if guards.iter().any(|guard| matches!(guard, Guard::Mapping { .. })) => "Holders of a role".to_owned(),
        _ => "Privileged accounts".to_owned(),
    }
}
