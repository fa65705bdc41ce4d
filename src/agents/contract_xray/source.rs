//! From an input to a report: reads the code where an address is given, finds what a proxy runs, and who is in charge now.

use std::future::Future;

use alloy::primitives::U256;

use super::{
    Input,
    apart::{self, Failure},
    examine::Examined,
    names::selector,
    proxy,
    report::{Authority, Finding, Guard, Proxy, ProxyKind, Report, Severity},
    words,
};
use crate::{
    chain::{Chain, Unavailable},
    error::{CallError, Code, Retry},
    evm::Address,
};

/// Slots that are read to tell who is in charge; a contract with more guards than that gets the first ones.
const HOLDERS_MAX: usize = 8;

/// Where code lies. The chain, or a test's own.
pub trait CodeSource: Sync {
    /// CAIP-2.
    fn network_id(&self) -> String;
    /// As a person calls it: `Monad testnet`.
    fn network_name(&self) -> String;
    /// Empty where there is none.
    fn code(&self, address: Address) -> impl Future<Output = Result<Vec<u8>, Unavailable>> + Send;
    fn storage(&self, address: Address, slot: [u8; 32]) -> impl Future<Output = Result<[u8; 32], Unavailable>> + Send;
    /// `None`: it reverted.
    fn call(&self, to: Address, data: &[u8]) -> impl Future<Output = Result<Option<Vec<u8>>, Unavailable>> + Send;
}

impl CodeSource for Chain {
    fn network_id(&self) -> String {
        self.network().id.clone()
    }

    fn network_name(&self) -> String {
        self.network().name.clone()
    }

    async fn code(&self, address: Address) -> Result<Vec<u8>, Unavailable> {
        Chain::code(self, address).await
    }

    async fn storage(&self, address: Address, slot: [u8; 32]) -> Result<[u8; 32], Unavailable> {
        Chain::storage(self, address, slot).await
    }

    async fn call(&self, to: Address, data: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
        Chain::call(self, to, data).await
    }
}

/// The whole work of a run.
///
/// # Errors
/// [`Code::AgentFailed`]: no code at the address or code that nobody can analyse (`retry: no`), or a node or a place that is
/// missing right now (`retry: same_payment`).
pub async fn x_ray(input: &Input, source: &impl CodeSource) -> Result<Report, CallError> {
    x_ray_telling(input, source, |_, _| ()).await
}

/// Of [`x_ray_telling`].
pub const STEPS: u32 = 3;

/// The same, telling how far it is: a step of [`STEPS`], in words.
pub async fn x_ray_telling(input: &Input, source: &impl CodeSource, told: impl Fn(u32, &str)) -> Result<Report, CallError> {
    let report = match (&input.address, &input.bytecode) {
        (Some(address), None) => of_address(address.parse().map_err(CallError::agent_failed)?, source, told).await,
        (None, Some(bytecode)) => {
            let code = alloy::hex::decode(bytecode).map_err(CallError::agent_failed)?;
            told(2, "Following the code");
            let examined = apart::examined(code).await.map_err(failed)?;
            Ok(report(examined))
        }
        // The input was validated before anybody paid.
        _ => Err(for_good("Give either an address or bytecode.")),
    }?;
    Ok(Report { headline: words::headline(&report), ..report })
}

async fn of_address(address: Address, source: &impl CodeSource, told: impl Fn(u32, &str)) -> Result<Report, CallError> {
    told(1, "Reading the code");
    let code = source.code(address).await.map_err(no_answer)?;
    if code.is_empty() {
        return Err(for_good(&format!("There is no code at {address} on {}.", source.network_name())));
    }
    told(2, "Following the code");
    let mut examined = apart::examined(code).await.map_err(failed)?;
    examined.contract.address = Some(address.to_string());
    told(3, "Asking who is in charge");
    if let Some(proxy) = &mut examined.proxy {
        resolve(proxy, address, source).await.map_err(no_answer)?;
    }
    let mut report = Report { address: Some(address.to_string()), network: Some(source.network_id()), ..report(examined) };
    let target = report.proxy.as_ref().and_then(|proxy| proxy.implementation.as_ref()?.parse().ok());
    if let Some(target) = target {
        implementation(&mut report, target, source).await?;
    }
    for authority in report.authorities.iter_mut().take(HOLDERS_MAX) {
        if let Guard::Slot { slot, offset } = &authority.guard {
            authority.holder = holder(address, slot, *offset, source).await.map_err(no_answer)?;
        }
    }
    temper(&mut report.findings, &report.authorities);
    Ok(report)
}

fn report(examined: Examined) -> Report {
    Report {
        engine: "computed".to_owned(),
        headline: String::new(),
        address: None,
        network: None,
        findings: examined.findings,
        authorities: examined.authorities,
        proxy: examined.proxy,
        contract: examined.contract,
        implementation: None,
        explanation: None,
    }
}

/// Asks the chain what the code could not tell: the implementation, the beacon, the admin.
async fn resolve(proxy: &mut Proxy, at: Address, source: &impl CodeSource) -> Result<(), Unavailable> {
    if matches!(proxy.kind, ProxyKind::Minimal | ProxyKind::Delegation) {
        return Ok(());
    }
    // Newer proxies keep admin and beacon in their code as well; the slots that wallets and explorers read are there all the same.
    proxy.admin = address_at(at, proxy::ADMIN, source).await?;
    if proxy.kind == ProxyKind::Eip1967 && proxy.admin.is_some() {
        proxy.kind = ProxyKind::Transparent;
    }
    proxy.beacon = address_at(at, proxy::BEACON, source).await?;
    let beacon = proxy.beacon.as_ref().and_then(|beacon| beacon.parse::<Address>().ok());
    if let Some(beacon) = beacon {
        proxy.kind = ProxyKind::Beacon;
        proxy.slot = Some(super::examine::slot_text(proxy::BEACON));
        let answer = source.call(beacon, &selector("implementation()")).await?;
        proxy.implementation = answer.and_then(|word| address_in(word.as_slice().try_into().ok()?, 0));
    } else if proxy.implementation.is_none() && proxy.kind != ProxyKind::Diamond {
        let slot = proxy.slot.as_ref().and_then(|slot| slot.parse().ok());
        proxy.implementation = match slot {
            Some(slot) => address_at(at, slot, source).await?,
            None => None,
        };
    }
    Ok(())
}

/// One level: what the implementation itself hands on is not followed.
async fn implementation(report: &mut Report, at: Address, source: &impl CodeSource) -> Result<(), CallError> {
    let code = source.code(at).await.map_err(no_answer)?;
    if code.is_empty() {
        return Ok(());
    }
    let mut examined = apart::examined(code).await.map_err(failed)?;
    examined.contract.address = Some(at.to_string());
    if let Some(proxy) = &mut report.proxy
        && proxy.kind == ProxyKind::Eip1967
        && examined.contract.interfaces.iter().any(|standard| standard == "ERC-1822")
    {
        proxy.kind = ProxyKind::Uups;
    }
    report.findings.extend(examined.findings.into_iter().map(|finding| Finding { in_implementation: true, ..finding }));
    report.findings.sort_by_key(|finding| (finding.severity, finding.power, finding.in_implementation));
    report.authorities.extend(examined.authorities);
    report.implementation = Some(examined.contract);
    Ok(())
}

/// An owner that is nobody has no powers: what only that owner can do is no danger.
fn temper(findings: &mut [Finding], authorities: &[Authority]) {
    let nobody = Address([0; 20]).to_string();
    for finding in findings.iter_mut().filter(|finding| finding.severity < Severity::Low) {
        let mut guards = finding.functions.iter().map(|function| {
            authorities.iter().find(|authority| authority.functions.contains(function)).and_then(|guard| match guard.guard {
                Guard::Slot { .. } => guard.holder.as_ref(),
                _ => None,
            })
        });
        if guards.len() > 0 && guards.all(|holder| holder == Some(&nobody)) {
            finding.severity = Severity::Low;
            finding.detail.push_str(" Right now nobody can: the slot that decides holds the zero address.");
            finding.advice = "Nothing to do while that is so.".to_owned();
        }
    }
    findings.sort_by_key(|finding| (finding.severity, finding.power, finding.in_implementation));
}

async fn holder(at: Address, slot: &str, offset: u8, source: &impl CodeSource) -> Result<Option<String>, Unavailable> {
    let Ok(slot) = slot.parse::<U256>() else { return Ok(None) };
    let word = source.storage(at, slot.to_be_bytes()).await?;
    Ok(address_in(word, offset).or_else(|| Some(Address([0; 20]).to_string())))
}

/// `None`: the slot is empty.
async fn address_at(at: Address, slot: U256, source: &impl CodeSource) -> Result<Option<String>, Unavailable> {
    Ok(address_in(source.storage(at, slot.to_be_bytes()).await?, 0))
}

/// The address that begins `offset` bytes from the word's low end. `None`: zero, or no room for one.
fn address_in(word: [u8; 32], offset: u8) -> Option<String> {
    let end = 32usize.checked_sub(usize::from(offset))?;
    let bytes: [u8; 20] = word[end.checked_sub(20)?..end].try_into().ok()?;
    (bytes != [0; 20]).then(|| Address(bytes).to_string())
}

fn no_answer(_: Unavailable) -> CallError {
    CallError::saying(Code::AgentFailed, "The network's node did not answer. You were not charged; try again.")
}

fn failed(failure: Failure) -> CallError {
    match failure {
        Failure::Refused(refusal) => for_good(&refusal.to_string()),
        Failure::Busy => CallError::agent_failed(failure),
    }
}

/// The same input will always fail.
fn for_good(why: &str) -> CallError {
    CallError { retry: Retry::No, ..CallError::agent_failed(why) }
}
