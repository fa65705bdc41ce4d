//! One file per page; `data` is what they ask the server for, and the second group is what several pages share.

pub mod data;

pub mod agent;
pub mod credit;
pub mod history;
pub mod home;
pub mod not_found;
pub mod receipt;
pub mod run;

pub mod connect;
mod loaded;
mod own_run;
pub mod personal;
pub mod shop;
mod status;
