//! Standards, recognised by having all their functions.

use std::{collections::BTreeSet, sync::LazyLock};

use super::names::{Selector, selector};

/// Only what a contract must have to keep the standard's promise; optional parts are left out.
const STANDARDS: &[(&str, &str)] = &[
    (
        "ERC-20",
        "totalSupply() balanceOf(address) transfer(address,uint256) transferFrom(address,address,uint256) approve(address,uint256)
         allowance(address,address)",
    ),
    ("ERC-165", "supportsInterface(bytes4)"),
    ("ERC-173", "owner() transferOwnership(address)"),
    (
        "ERC-721",
        "balanceOf(address) ownerOf(uint256) safeTransferFrom(address,address,uint256) safeTransferFrom(address,address,uint256,bytes)
         transferFrom(address,address,uint256) approve(address,uint256) setApprovalForAll(address,bool) getApproved(uint256)
         isApprovedForAll(address,address)",
    ),
    (
        "ERC-1155",
        "balanceOf(address,uint256) balanceOfBatch(address[],uint256[]) setApprovalForAll(address,bool) isApprovedForAll(address,address)
         safeTransferFrom(address,address,uint256,uint256,bytes) safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    ),
    ("ERC-1271", "isValidSignature(bytes32,bytes)"),
    ("ERC-1822", "proxiableUUID()"),
    ("ERC-2535", "facets() facetFunctionSelectors(address) facetAddresses() facetAddress(bytes4)"),
    ("ERC-2612", "permit(address,address,uint256,uint256,uint8,bytes32,bytes32) nonces(address) DOMAIN_SEPARATOR()"),
    ("ERC-2981", "royaltyInfo(uint256,uint256)"),
    (
        "ERC-3009",
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)
         receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32) authorizationState(address,bytes32)",
    ),
    (
        "ERC-4626",
        "asset() totalAssets() convertToShares(uint256) convertToAssets(uint256) maxDeposit(address) previewDeposit(uint256)
         deposit(uint256,address) maxMint(address) previewMint(uint256) mint(uint256,address) maxWithdraw(address)
         previewWithdraw(uint256) withdraw(uint256,address,address) maxRedeem(address) previewRedeem(uint256)
         redeem(uint256,address,address)",
    ),
    ("ERC-5267", "eip712Domain()"),
    ("AccessControl", "hasRole(bytes32,address) getRoleAdmin(bytes32) grantRole(bytes32,address) revokeRole(bytes32,address)"),
];

/// Names, in the order of the list.
pub fn recognised(functions: &BTreeSet<Selector>) -> Vec<String> {
    static WANTED: LazyLock<Vec<(&str, Vec<Selector>)>> = LazyLock::new(|| {
        STANDARDS.iter().map(|(name, wanted)| (*name, wanted.split_whitespace().map(selector).collect())).collect()
    });
    WANTED
        .iter()
        .filter(|(_, wanted)| wanted.iter().all(|selector| functions.contains(selector)))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}
