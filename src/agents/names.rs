//! Functions that many contracts share, by their selector: what more than one agent knows by heart.
//!
//! A selector is four bytes of a hash, so a name is a hint.

use std::{collections::BTreeMap, sync::LazyLock};

use alloy::primitives::keccak256;

pub type Selector = [u8; 4];

/// The first four bytes of the signature's Keccak-256 (Solidity ABI, "Function Selector").
pub fn selector(signature: &str) -> Selector {
    let [a, b, c, d, ..] = keccak256(signature).0;
    [a, b, c, d]
}

/// `None`: nothing that we know by heart.
pub fn signature(of: Selector) -> Option<&'static str> {
    static BY_SELECTOR: LazyLock<BTreeMap<Selector, &'static str>> = LazyLock::new(|| {
        let mut names = BTreeMap::new();
        for signature in WELL_KNOWN.iter().flat_map(|group| group.split_whitespace()) {
            names.entry(selector(signature)).or_insert(signature);
        }
        names
    });
    BY_SELECTOR.get(&of).copied()
}

/// The name alone: `transfer`.
pub fn name(of: Selector) -> Option<&'static str> {
    signature(of).and_then(|signature| signature.split_once('(')).map(|(name, _)| name)
}

/// By subject; where two share a selector, the first is meant.
const WELL_KNOWN: &[&str] = &[
    // ERC-20 and what tokens add to it.
    "name() symbol() decimals() totalSupply() balanceOf(address) transfer(address,uint256) transferFrom(address,address,uint256)
     approve(address,uint256) allowance(address,address) increaseAllowance(address,uint256) decreaseAllowance(address,uint256)
     increaseApproval(address,uint256) decreaseApproval(address,uint256) mint(address,uint256) mint(uint256) mint() mint(address)
     burn(uint256) burn(address,uint256) burnFrom(address,uint256) cap() issue(uint256) redeem(uint256) destroyBlackFunds(address)
     addBlackList(address) removeBlackList(address) getBlackListStatus(address) isBlackListed(address) setParams(uint256,uint256)
     basisPointsRate() maximumFee() deprecate(address) deprecated() upgradedAddress() getOwner() version() crosschainMint(address,uint256)
     crosschainBurn(address,uint256) transferAndCall(address,uint256) transferAndCall(address,uint256,bytes)
     transferFromAndCall(address,address,uint256) approveAndCall(address,uint256) approveAndCall(address,uint256,bytes)
     maxFlashLoan(address) flashFee(address,uint256) flashLoan(address,address,uint256,bytes) multiTransfer(address[],uint256[])
     airdrop(address[],uint256[]) batchTransfer(address[],uint256[]) uri() tokenURI() contractURI() logo() underlying()
     depositFor(address,uint256) withdrawTo(address,uint256)",
    // What fee tokens are made of.
    "setFee(uint256) setFees(uint256,uint256) setTax(uint256) setTaxes(uint256,uint256) setBuyFee(uint256) setSellFee(uint256)
     setFeeReceiver(address) setFeeRecipient(address) setFeeTo(address) setFeeToSetter(address) feeTo() feeToSetter()
     setFee(uint16,address) feeBasisPoints() feeCollector() fee() tax() buyTax() sellTax() excludeFromFee(address) includeInFee(address)
     isExcludedFromFee(address) excludeFromFees(address,bool) isExcludedFromFees(address) setMaxTxAmount(uint256)
     setMaxWalletSize(uint256) setMaxTxPercent(uint256) maxTransactionAmount() maxWallet() _maxTxAmount() _maxWalletSize()
     removeLimits() enableTrading() openTrading() setTradingEnabled(bool) tradingActive() tradingOpen() swapEnabled()
     setSwapEnabled(bool) toggleSwap(bool) manualSwap() manualswap() manualSend() manualsend() uniswapV2Pair() uniswapV2Router()
     setMarketingWallet(address) updateMarketingWallet(address) marketingWallet() developmentWallet() setRule(bool,address,uint256,uint256)
     setAutomatedMarketMakerPair(address,bool) automatedMarketMakerPairs(address) setBots(address[]) delBots(address[]) addBots(address[])
     delBot(address) setBot(address) isBot(address) reduceFee(uint256)",
    // Lists of the blocked and the allowed, freezing.
    "blacklist(address) unBlacklist(address) isBlacklisted(address) setBlacklisted(address,bool) blacklist(address,bool)
     setBlacklist(address,bool) blacklistAddress(address) addToBlacklist(address) removeFromBlacklist(address) blacklister()
     updateBlacklister(address) freeze(address) unfreeze(address) isFrozen(address) frozen(address) freezeAccount(address,bool)
     frozenAccount(address) setFrozen(address,bool) blocklist(address) unblocklist(address) isBlocked(address) blockUser(address)
     whitelist(address) unwhitelist(address) isWhitelisted(address) setWhitelist(address,bool) addToWhitelist(address)
     removeFromWhitelist(address) allowlist(address) wipeFrozenAddress(address) wipeBlacklistedAddress(address) denylist(address)",
    // ERC-2612, 3009, 5267, 1271, 6492 and other signatures.
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32) permit(address,address,uint256,uint256,bytes)
     permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32) nonces(address) nonces(address,uint192) DOMAIN_SEPARATOR()
     PERMIT_TYPEHASH() eip712Domain() isValidSignature(bytes32,bytes) isValidSignature(bytes,bytes)
     transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)
     transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)
     receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)
     receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)
     cancelAuthorization(address,bytes32,uint8,bytes32,bytes32) cancelAuthorization(address,bytes32,bytes)
     authorizationState(address,bytes32) TRANSFER_WITH_AUTHORIZATION_TYPEHASH() RECEIVE_WITH_AUTHORIZATION_TYPEHASH()
     CANCEL_AUTHORIZATION_TYPEHASH() invalidateNonce(uint256) CLOCK_MODE() clock()",
    // Circle's USDC.
    "masterMinter() configureMinter(address,uint256) removeMinter(address) minterAllowance(address) isMinter(address)
     updateMasterMinter(address) pauser() updatePauser(address) rescuer() updateRescuer(address) rescueERC20(address,address,uint256)
     currency() initializeV2(string) initializeV2_1(address) initializeV2_2(address[],string)
     initialize(string,string,string,uint8,address,address,address,address)",
    // ERC-721, 1155, 2981, 4906, 165.
    "supportsInterface(bytes4) ownerOf(uint256) safeTransferFrom(address,address,uint256) safeTransferFrom(address,address,uint256,bytes)
     getApproved(uint256) setApprovalForAll(address,bool) isApprovedForAll(address,address) tokenURI(uint256) tokenByIndex(uint256)
     tokenOfOwnerByIndex(address,uint256) tokensOfOwner(address) exists(uint256) baseURI() setBaseURI(string) setURI(string)
     safeMint(address,uint256) safeMint(address) safeMint(address,string) mint(address,uint256,uint256,bytes)
     mintBatch(address,uint256[],uint256[],bytes) mint(address,uint256,bytes) publicMint(uint256) maxSupply() MAX_SUPPLY() mintPrice()
     reveal() balanceOf(address,uint256) balanceOfBatch(address[],uint256[])
     safeTransferFrom(address,address,uint256,uint256,bytes) safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)
     uri(uint256) totalSupply(uint256) burn(address,uint256,uint256) burnBatch(address,uint256[],uint256[])
     royaltyInfo(uint256,uint256) setDefaultRoyalty(address,uint96) deleteDefaultRoyalty() setTokenRoyalty(uint256,address,uint96)
     onERC721Received(address,address,uint256,bytes) onERC1155Received(address,address,uint256,uint256,bytes)
     onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)
     tokensReceived(address,address,address,uint256,bytes,bytes) onTransferReceived(address,address,uint256,bytes)
     onApprovalReceived(address,uint256,bytes) onFlashLoan(address,address,uint256,uint256,bytes)",
    // ERC-4626, 7540, wrapped coins, staking.
    "asset() totalAssets() convertToShares(uint256) convertToAssets(uint256) maxDeposit(address) previewDeposit(uint256)
     deposit(uint256,address) maxMint(address) previewMint(uint256) mint(uint256,address) maxWithdraw(address) previewWithdraw(uint256)
     withdraw(uint256,address,address) maxRedeem(address) previewRedeem(uint256) redeem(uint256,address,address) deposit()
     withdraw(uint256) withdraw() deposit(uint256) depositTo(address) withdraw(address) withdraw(address,uint256)
     withdraw(address,address,uint256) withdrawAll() stake(uint256) unstake(uint256) claim() claim(address) claimRewards() getReward()
     getReward(address) earned(address) exit() rewardRate() rewardPerToken() notifyRewardAmount(uint256) rewardToken()
     stakingToken() harvest() compound() pricePerShare() getPricePerFullShare() share() stEthPerToken() wrap(uint256) unwrap(uint256)",
    // Taking out what lies in the contract.
    "sweep(address) sweep(address,address) sweep(address,address,uint256) sweepToken(address,address,uint256)
     sweepToken(address,uint256,address) withdrawToken(address,uint256) withdrawToken(address) withdrawTokens(address,address,uint256)
     withdrawETH() withdrawETH(uint256) withdrawEther() emergencyWithdraw() emergencyWithdraw(uint256)
     emergencyWithdraw(address,uint256) rescueTokens(address,uint256) rescueToken(address,uint256) rescueETH(uint256) rescueETH()
     recoverERC20(address,uint256) recoverTokens(address) recoverToken(address,uint256) clearStuckBalance() claimStuckTokens(address)
     inCaseTokensGetStuck(address,uint256,address) destroy(address) destroy() kill() selfDestruct(address) close()",
    // Owners, admins, roles, pausing.
    "owner() transferOwnership(address) renounceOwnership() pendingOwner() acceptOwnership() claimOwnership()
     setOwner(address) setPendingOwner(address) isOwner() isOwner(address) requestOwnershipHandover() cancelOwnershipHandover()
     completeOwnershipHandover(address) ownershipHandoverExpiresAt(address) admin() setAdmin(address) changeAdmin(address)
     setPendingAdmin(address) acceptAdmin() pendingAdmin() governance() setGovernance(address) governor() setGovernor(address)
     authority() setAuthority(address) rely(address) deny(address) wards(address) isAuthorized(address) operator() setOperator(address)
     keeper() setKeeper(address) manager() setManager(address) guardian() setGuardian(address) treasury() setTreasury(address)
     minter() setMinter(address) addMinter(address) renounceMinter() controller() setController(address)
     hasRole(bytes32,address) getRoleAdmin(bytes32) grantRole(bytes32,address) revokeRole(bytes32,address)
     renounceRole(bytes32,address) getRoleMember(bytes32,uint256) getRoleMemberCount(bytes32) getRoleMembers(bytes32)
     DEFAULT_ADMIN_ROLE() MINTER_ROLE() PAUSER_ROLE() BURNER_ROLE() UPGRADER_ROLE() ADMIN_ROLE() OPERATOR_ROLE()
     defaultAdmin() pendingDefaultAdmin() beginDefaultAdminTransfer(address) acceptDefaultAdminTransfer() grantRoles(address,uint256)
     revokeRoles(address,uint256) rolesOf(address) hasAllRoles(address,uint256) hasAnyRole(address,uint256) renounceRoles(uint256)
     pause() unpause() paused() setPaused(bool) setPause(bool) togglePause() isPaused() stop() start() stopped() emergencyStop()",
    // Proxies and upgrades: EIP-1822, 1967, 2535, 1167; initialisers.
    "implementation() upgradeTo(address) upgradeToAndCall(address,bytes) proxiableUUID() UPGRADE_INTERFACE_VERSION() proxyType()
     childImplementation() masterCopy() changeMasterCopy(address) getImplementation() setImplementation(address) proxyAdmin()
     getProxyAdmin(address) getProxyImplementation(address) changeProxyAdmin(address,address) upgrade(address,address)
     upgradeAndCall(address,address,bytes) upgrade(address) updateImplementation(address) beacon() upgradeBeaconToAndCall(address,bytes)
     facets() facetFunctionSelectors(address) facetAddresses() facetAddress(bytes4)
     diamondCut((address,uint8,bytes4[])[],address,bytes) initialize() initialize(address) initialize(address,address)
     initialize(address,uint256) initialize(string,string) initialize(string,string,uint8) initialize(bytes) initialize(string,string,address)
     initialized() init() init(address) reinitialize(uint64) clone(address) createClone(address)",
    // Wallets, accounts, calls on behalf.
    "multicall(bytes[]) multicall(uint256,bytes[]) multicall(bytes32,bytes[]) aggregate((address,bytes)[])
     aggregate3((address,bool,bytes)[]) aggregate3Value((address,bool,uint256,bytes)[]) blockAndAggregate((address,bytes)[])
     tryAggregate(bool,(address,bytes)[]) tryBlockAndAggregate(bool,(address,bytes)[]) getEthBalance(address) getBlockNumber()
     getBlockHash(uint256) getCurrentBlockTimestamp() getCurrentBlockGasLimit() getCurrentBlockDifficulty() getCurrentBlockCoinbase()
     getLastBlockHash() getBasefee() getChainId() execute(address,uint256,bytes) execute(address,bytes) execute(bytes32,bytes) execute(bytes,bytes[])
     execute(bytes,bytes[],uint256) execute((address,uint256,bytes)[]) executeBatch(address[],bytes[])
     executeBatch(address[],uint256[],bytes[]) executeBatch((address,uint256,bytes)[]) run(address,bytes) call(address,bytes)
     exec(address,bytes) execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)
     execTransactionFromModule(address,uint256,bytes,uint8) execTransactionFromModuleReturnData(address,uint256,bytes,uint8)
     setup(address[],uint256,address,bytes,address,address,uint256,address) getOwners() getThreshold() addOwnerWithThreshold(address,uint256)
     removeOwner(address,address,uint256) swapOwner(address,address,address) changeThreshold(uint256) enableModule(address)
     disableModule(address,address) isModuleEnabled(address) setGuard(address) setFallbackHandler(address) domainSeparator()
     approveHash(bytes32) nonce() VERSION() getModulesPaginated(address,uint256) getStorageAt(uint256,uint256) simulateAndRevert(address,bytes)
     entryPoint() addDeposit() withdrawDepositTo(address,uint256) getDeposit() getNonce() getNonce(address,uint192)
     validateUserOp((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes),bytes32,uint256)
     validateUserOp((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes),bytes32,uint256)
     handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address) depositTo(address) incrementNonce(uint192)
     isTrustedForwarder(address) trustedForwarder()",
    // Permit2, batches and routers, as transactions call them.
    "approve(address,address,uint160,uint48) transferFrom(address,address,uint160,address)
     transferFrom((address,address,uint160,address)[]) lockdown((address,address)[]) invalidateNonces(address,address,uint48)
     invalidateUnorderedNonces(uint256,uint256) permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)
     permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)
     permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)
     permitTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes)
     permitWitnessTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes32,string,bytes)
     settle(((address,uint256),uint256,uint256),address,(address,uint256),bytes) multiSend(bytes) execute(address[],uint256[],bytes[])
     executeBatch(bytes32,bytes) scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)
     executeBatch(address[],uint256[],bytes[],bytes32,bytes32) unwrapWETH9(uint256,address) refundETH() sweepToken(address,uint256)
     selfPermit(address,uint256,uint256,uint8,bytes32,bytes32) wrapETH(uint256)
     exactInputSingle((address,address,uint24,address,uint256,uint256,uint160)) exactInput((bytes,address,uint256,uint256))
     exactOutputSingle((address,address,uint24,address,uint256,uint256,uint160)) exactOutput((bytes,address,uint256,uint256))
     exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160)) exactOutput((bytes,address,uint256,uint256,uint256))
     swapETHForExactTokens(uint256,address[],address,uint256) swapTokensForExactETH(uint256,uint256,address[],address,uint256)
     swapExactETHForTokensSupportingFeeOnTransferTokens(uint256,address[],address,uint256)",
    // Exchanges.
    "factory() WETH() WETH9() token0() token1() getReserves() price0CumulativeLast() price1CumulativeLast() kLast() sync() skim(address)
     swap(uint256,uint256,address,bytes) swap(address,bool,int256,uint160,bytes) MINIMUM_LIQUIDITY() getPair(address,address)
     createPair(address,address) allPairs(uint256) allPairsLength() getPool(address,address,uint24) createPool(address,address,uint24)
     addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)
     addLiquidityETH(address,uint256,uint256,uint256,address,uint256)
     removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)
     removeLiquidityETH(address,uint256,uint256,uint256,address,uint256)
     swapExactTokensForTokens(uint256,uint256,address[],address,uint256) swapTokensForExactTokens(uint256,uint256,address[],address,uint256)
     swapExactETHForTokens(uint256,address[],address,uint256) swapExactTokensForETH(uint256,uint256,address[],address,uint256)
     swapExactTokensForETHSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)
     swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)
     getAmountsOut(uint256,address[]) getAmountsIn(uint256,address[]) getAmountOut(uint256,uint256,uint256) quote(uint256,uint256,uint256)
     slot0() liquidity() fee() tickSpacing() ticks(int24) positions(bytes32) positions(uint256) observe(uint32[]) observations(uint256)
     flash(address,uint256,uint256,bytes) collect(address,int24,int24,uint128,uint128) initialize(uint160) maxLiquidityPerTick()
     feeGrowthGlobal0X128() feeGrowthGlobal1X128() tickBitmap(int16) protocolFees() setFeeProtocol(uint8,uint8)
     exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))
     exactInput((bytes,address,uint256,uint256,uint256)) uniswapV2Call(address,uint256,uint256,bytes)
     uniswapV3SwapCallback(int256,int256,bytes) uniswapV3MintCallback(uint256,uint256,bytes) unlockCallback(bytes) unlock(bytes)
     get_virtual_price() exchange(int128,int128,uint256,uint256) coins(uint256) balances(uint256) add_liquidity(uint256[2],uint256)
     remove_liquidity(uint256,uint256[2])",
    // Lending and prices.
    "supply(address,uint256,address,uint16) borrow(address,uint256,uint256,uint16,address) repay(address,uint256,uint256,address)
     getReserveData(address) getUserAccountData(address) liquidationCall(address,address,address,uint256,bool)
     flashLoanSimple(address,address,uint256,bytes,uint16) mintToTreasury(address[]) borrow(uint256) repayBorrow(uint256)
     liquidateBorrow(address,uint256,address) redeemUnderlying(uint256) exchangeRateStored() exchangeRateCurrent() borrowBalanceStored(address)
     getCash() comptroller() accrueInterest() latestAnswer() latestRoundData() getRoundData(uint80) description() latestRound()
     aggregator() getPrice(address) setPrice(uint256) setPrice(address,uint256) setOracle(address) oracle()",
    // Voting, timelocks, vesting.
    "delegate(address) delegates(address) getVotes(address) getPastVotes(address,uint256) getPastTotalSupply(uint256) getCurrentVotes(address)
     getPriorVotes(address,uint256) numCheckpoints(address) checkpoints(address,uint32) delegateBySig(address,uint256,uint256,uint8,bytes32,bytes32)
     propose(address[],uint256[],bytes[],string) castVote(uint256,uint8) castVoteWithReason(uint256,uint8,string) queue(uint256) execute(uint256)
     cancel(uint256) state(uint256) quorum(uint256) votingDelay() votingPeriod() proposalThreshold() timelock()
     schedule(address,uint256,bytes,bytes32,bytes32,uint256) execute(address,uint256,bytes,bytes32,bytes32) getMinDelay() updateDelay(uint256)
     delay() setDelay(uint256) queueTransaction(address,uint256,string,bytes,uint256) executeTransaction(address,uint256,string,bytes,uint256)
     release() release(address) released() released(address) releasable() vestedAmount(uint64) beneficiary() duration() cliff()",
    // Bridges and other everyday things.
    "lzReceive(uint16,bytes,uint64,bytes) sendFrom(address,uint16,bytes,uint256,address,address,bytes) setTrustedRemote(uint16,bytes)
     setPeer(uint32,bytes32) peers(uint32) endpoint() token() token(uint256) isApproved(address) get(uint256) set(uint256) get() increment()
     number() setNumber(uint256) value() setValue(uint256) store(uint256) retrieve() greet() setGreeting(string) greeting() count()
     deploy(bytes32,bytes) deploy(uint256,bytes32,bytes) computeAddress(bytes32,bytes32) create2(bytes32,bytes) metadata()
     setName(string) setSymbol(string) register(address) isRegistered(address) root() merkleRoot() setMerkleRoot(bytes32) claimed(address)",
];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn selectors_are_solidity_s() {
        assert_eq!(signature([0xa9, 0x05, 0x9c, 0xbb]), Some("transfer(address,uint256)"));
        assert_eq!(name([0x8d, 0xa5, 0xcb, 0x5b]), Some("owner"));
        assert_eq!(signature([0; 4]), None);
    }

    /// A slip of the pen would name a function that no contract has.
    #[test]
    fn each_signature_is_written_as_the_abi_writes_it() {
        let all: Vec<_> = WELL_KNOWN.iter().flat_map(|group| group.split_whitespace()).collect();
        assert!(all.len() > 500, "{}", all.len());
        for signature in &all {
            let (_, arguments) = signature.split_once('(').expect("a name and arguments");
            let types: alloy::dyn_abi::DynSolType = format!("({arguments}").parse().expect(signature);
            assert_eq!(types.sol_type_name().replace(",)", ")"), format!("({arguments}"), "{signature}");
        }
        let selectors: BTreeSet<_> = all.iter().map(|signature| selector(signature)).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(selectors.len(), distinct.len(), "two well-known signatures share a selector");
    }
}
