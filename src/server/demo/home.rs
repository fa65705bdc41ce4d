//! The directory that a demo lives in: the one it was given, or a temporary one that goes with it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::OPERATOR_KEY;
use crate::server::{
    opening::{CannotOpen, make_data_directory},
    settings::{OperatorKey, Settings},
};

pub struct Home {
    /// Where the chain is kept, if anything is.
    chain_state: Option<PathBuf>,
    temporary: Option<PathBuf>,
}

impl Home {
    /// Makes the directory and points the settings at it. A demo never uses another database than its own file there, nor another operator's
    /// key than its own, nor anybody's facilitator.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn of(settings: &mut Settings, keep: bool) -> Result<Self, CannotOpen> {
        let temporary = (!keep).then(|| env::temp_dir().join(format!("coinslot-demo-{:016x}", rand::random::<u64>())));
        if let Some(temporary) = &temporary {
            settings.data.clone_from(temporary);
        }
        settings.database_url = None;
        settings.operator_key = OperatorKey::new(&OPERATOR_KEY);
        settings.facilitator_urls.clear();
        make_data_directory(&settings.data)?;
        let chain_state = keep.then(|| settings.data.join("chain.json"));
        Ok(Self { chain_state, temporary })
    }

    pub fn chain_state(&self) -> Option<&Path> {
        self.chain_state.as_deref()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_dir_all(temporary);
        }
    }
}
