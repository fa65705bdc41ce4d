//! Questions to strangers' contracts: through Multicall3 where there is one, else in batches.
//!
//! A contract that burns all the gas would leave none for those that are asked after it in the same Multicall3 call: so only what it says
//! succeeded is believed, and whoever failed is asked again, alone.

use std::future::Future;

use alloy::{
    primitives::Address as Word20,
    sol_types::SolCall,
};

use super::known::MULTICALL3;
use crate::{
    chain::{
        Chain, Unavailable,
        state::{AtBlock, LOOKS_MAX, LogsOf, Look, Saw, Written},
    },
    evm::Address,
    network::Network,
};

alloy::sol! {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }
    struct Result3 {
        bool success;
        bytes returnData;
    }
    function aggregate3(Call3[] calls) external payable returns (Result3[] results);
}

/// Views in one Multicall3 call: a third of its gas, where each takes a hundred thousand.
const GROUP: usize = 60;
/// Gas of one Multicall3 call: below the block gas limit of every network we know.
const GROUP_GAS: u64 = 20_000_000;
/// Multicall3 calls in one batch; each can answer 7 MB at most for its gas.
const GROUPS_MAX: usize = 4;
/// Bytes of an answer that anything can be made of.
const ANSWER_MAX: usize = 4096;

/// Where state lies. The chain, or a test's own.
pub trait StateSource: Sync {
    fn network(&self) -> &Network;
    fn final_block(&self) -> impl Future<Output = Result<AtBlock, Unavailable>> + Send;
    /// At most [`LOOKS_MAX`] at once.
    fn state(&self, at: &AtBlock, looks: &[Look]) -> impl Future<Output = Result<Vec<Saw>, Unavailable>> + Send;
    fn written(
        &self,
        at: &AtBlock,
        wanted: &[LogsOf],
    ) -> impl Future<Output = Result<Vec<Option<Vec<Written>>>, Unavailable>> + Send;
}

impl StateSource for Chain {
    fn network(&self) -> &Network {
        Chain::network(self)
    }

    async fn final_block(&self) -> Result<AtBlock, Unavailable> {
        Chain::final_block(self).await
    }

    async fn state(&self, at: &AtBlock, looks: &[Look]) -> Result<Vec<Saw>, Unavailable> {
        Chain::state(self, at, looks).await
    }

    async fn written(&self, at: &AtBlock, wanted: &[LogsOf]) -> Result<Vec<Option<Vec<Written>>>, Unavailable> {
        Chain::written(self, at, wanted).await
    }
}

/// One view: whom, and what.
pub type View = (Address, Vec<u8>);

/// A source at one block.
pub struct Asker<'a, S> {
    pub source: &'a S,
    pub at: AtBlock,
    pub has_multicall: bool,
}

impl<S: StateSource> Asker<'_, S> {
    /// As many as there are, in batches.
    pub async fn looks(&self, looks: &[Look]) -> Result<Vec<Saw>, Unavailable> {
        let mut all = Vec::with_capacity(looks.len());
        for batch in looks.chunks(LOOKS_MAX) {
            all.extend(self.source.state(&self.at, batch).await?);
        }
        Ok(all)
    }

    /// Code, by address; empty where there is none.
    pub async fn codes(&self, addresses: &[Address]) -> Result<Vec<Vec<u8>>, Unavailable> {
        let looks: Vec<Look> = addresses.iter().map(|address| Look::Code(*address)).collect();
        let answers = self.looks(&looks).await?;
        Ok(answers.into_iter().map(|saw| if let Saw::Bytes(code) = saw { code } else { Vec::new() }).collect())
    }

    /// `None`: it failed, or said more than anything can be made of.
    pub async fn views(&self, views: &[View]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        let mut answers: Vec<Option<Vec<u8>>> = vec![None; views.len()];
        let mut alone: Vec<usize> = Vec::new();
        if self.has_multicall {
            let groups: Vec<&[View]> = views.chunks(GROUP).collect();
            for (at, batch) in groups.chunks(GROUPS_MAX).enumerate() {
                let looks: Vec<Look> = batch.iter().map(|group| together(group)).collect();
                let saw = self.source.state(&self.at, &looks).await?;
                for (place, (group, saw)) in batch.iter().zip(saw).enumerate() {
                    let first = (at * GROUPS_MAX + place) * GROUP;
                    for (index, said) in apart(saw, group.len()).into_iter().enumerate() {
                        match said {
                            Some(said) => answers[first + index] = Some(said),
                            None => alone.push(first + index),
                        }
                    }
                }
            }
        } else {
            alone.extend(0..views.len());
        }
        let looks: Vec<Look> = alone.iter().map(|index| Look::view(views[*index].0, views[*index].1.clone())).collect();
        for (batch, places) in looks.chunks(LOOKS_MAX).zip(alone.chunks(LOOKS_MAX)) {
            for (saw, place) in self.source.state(&self.at, batch).await?.into_iter().zip(places) {
                // Dropped at once: a hundred floods would be a hundred times half a megabyte.
                answers[*place] = if let Saw::Bytes(said) = saw { (said.len() <= ANSWER_MAX).then_some(said) } else { None };
            }
        }
        Ok(answers)
    }
}

fn together(group: &[View]) -> Look {
    let calls = group.iter().map(|(to, data)| Call3 {
        target: Word20::from(to.0),
        allowFailure: true,
        callData: data.clone().into(),
    });
    let data = aggregate3Call { calls: calls.collect() }.abi_encode();
    Look::View { to: MULTICALL3, data, gas: GROUP_GAS }
}

/// `None`: it failed, and may have failed for another's sake.
fn apart(saw: Saw, count: usize) -> Vec<Option<Vec<u8>>> {
    let results = match saw {
        Saw::Bytes(said) => aggregate3Call::abi_decode_returns(&said).ok().filter(|results| results.len() == count),
        _ => None,
    };
    let Some(results) = results else { return vec![None; count] };
    let kept = |result: Result3| match result.success {
        // Nothing is made of so much, and asking again would bring the same: it is as good as nothing.
        true if result.returnData.len() > ANSWER_MAX => Some(Vec::new()),
        true => Some(result.returnData.to_vec()),
        false => None,
    };
    results.into_iter().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(results: &[(bool, usize)]) -> Saw {
        let results: Vec<Result3> = results
            .iter()
            .map(|(success, length)| Result3 { success: *success, returnData: vec![7; *length].into() })
            .collect();
        Saw::Bytes(aggregate3Call::abi_encode_returns(&results))
    }

    /// Whoever failed may have failed for another's sake, who burnt all the gas.
    #[test]
    fn only_what_succeeded_in_a_group_is_believed() {
        let group = said(&[(true, 32), (false, 0), (true, 100_000)]);
        assert_eq!(apart(group, 3), [Some(vec![7; 32]), None, Some(Vec::new())]);
    }

    #[test]
    fn a_group_that_failed_or_makes_no_sense_says_nothing() {
        assert_eq!(apart(Saw::Failed, 2), [None, None]);
        assert_eq!(apart(Saw::Bytes(vec![1, 2, 3]), 2), [None, None]);
        assert_eq!(apart(said(&[(true, 32)]), 2), [None, None]);
    }
}
