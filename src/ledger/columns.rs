//! Our types as the text and integers that both databases have, and back. What does not come back is corrupt, and said to be.

use std::str::FromStr;

use sqlx::{Row, any::AnyRow};

use super::store::{BooksError, Result};
use crate::evm::TxHash;

/// Rows of one page of a listing, whatever its caller asks for.
pub(super) const PAGE_MAX: u32 = 1000;
/// Later than any id, for a first page that goes back in time. Hexadecimal, so that no collation sorts it elsewhere.
pub(super) const AFTER_ALL: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// A column whose text is one of our types.
pub(super) fn read<T: FromStr>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| BooksError::Corrupt(format!("{column}: {text}")))
}

/// The same, where it may be null.
pub(super) fn read_optional<T: FromStr>(row: &AnyRow, column: &str) -> Result<Option<T>> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| BooksError::Corrupt(format!("{column}: {text}")))).transpose()
}

/// A block's height, as the databases' only integer has it.
pub(super) fn signed(height: u64) -> Result<i64> {
    i64::try_from(height).map_err(|_| BooksError::refused(format_args!("no block is at height {height}")))
}

pub(super) fn unsigned(height: i64) -> Result<u64> {
    u64::try_from(height).map_err(|_| BooksError::Corrupt(format!("a negative count: {height}")))
}

/// Lower case, as everything in the books.
pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A block's hash.
pub(super) fn unhex(text: &str) -> Result<[u8; 32]> {
    let hash: TxHash = format!("0x{text}").parse().map_err(|_| BooksError::Corrupt(format!("a block's hash: {text}")))?;
    Ok(hash.0)
}
