// What Contract X-ray is measured on, and what the sources say of it: read in the source, never in our answer.
//
// - `compiler`: a package of package.json; `runs`: of the optimiser, 0 for none; `ir`: through Yul.
// - `only`: the functions that let in nobody but callers whom the contract checks by who they are: an address in storage, in the code,
//   answered by another contract, or itself; or an entry in a list of its own. A caller's own balance, vote or allowance is no such list.
// - `powers`: what that lets somebody do to others (`Power` in src/agents/contract_xray/report.rs). In the words of the sources:
//   mint, burn: makes tokens, destroys those of others. block, pause: keeps chosen accounts, everybody from moving tokens or taking
//   out what is theirs. fee: changes what a transfer costs, its limits or who is paid. withdraw: sends coins that lie in the contract
//   away. call_anything: has it call an address that they give. run_any_code: the same, delegated. destroy. upgrade: replaces code.
//   ownership: hands on a place that such checks read. take_over: a function that checks no caller writes it. roles: lets others into a
//   list that such checks read.
// - `proxy`: its kind, as `ProxyKind` there; `slot` where the source fixes one.
// - `untouched`: variables that the runtime code neither reads nor writes (only the constructor does, or code at another address, or none
//   while the immutables are zero as solc leaves them): nothing of them is in the code.
// - `hidden`: functions that it answers to without declaring them, here: to a proxy's admin alone.

const ownable = ['transferOwnership(address)', 'renounceOwnership()']
const twoStep = [...ownable, 'acceptOwnership()']
const roles = ['grantRole(bytes32,address)', 'revokeRole(bytes32,address)']
const implementation = '0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc'
const beacon = '0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50'

const own = (file, compiler, runs, contracts, more = {}) => ({ file: `contracts/${file}`, compiler, runs, contracts, ...more })
const from = (file, compiler, runs, contracts, more = {}) => ({ file, compiler, runs, contracts, ...more })

const packed8 = { Packed8: { only: [], powers: [] } }
const shapes8 = { Shapes8: { only: [], powers: [] } }
const minters8 = {
  Minters8: {
    only: ['mint(address,uint256)', 'burn(uint256)', 'configureMinter(address,uint256)', 'removeMinter(address)', 'blacklist(address)',
      'unBlacklist(address)', 'updateMasterMinter(address)', 'updateBlacklister(address)', 'transferOwnership(address)', 'acceptOwnership()'],
    powers: ['mint', 'block', 'ownership', 'roles'],
  },
}
const timelock = {
  // execute and executeBatch are open to all where the role was given to the zero address.
  only: ['schedule(address,uint256,bytes,bytes32,bytes32,uint256)', 'scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)',
    'cancel(bytes32)', 'updateDelay(uint256)', ...roles],
  powers: ['roles'],
}
const preset20 = { only: ['mint(address,uint256)', 'pause()', 'unpause()', ...roles], powers: ['mint', 'pause', 'roles'] }
const preset1155 = {
  only: ['mint(address,uint256,uint256,bytes)', 'mintBatch(address,uint256[],uint256[],bytes)', 'pause()', 'unpause()', ...roles],
  powers: ['mint', 'pause', 'roles'],
}
// The owner's calls go to the proxies that it names; the coins that they carry are the caller's own.
const proxyAdmin = {
  only: ['changeProxyAdmin(address,address)', 'upgrade(address,address)', 'upgradeAndCall(address,address,bytes)', ...ownable],
  powers: ['upgrade', 'call_anything', 'ownership'],
}
const adminsOwn = ['admin()', 'implementation()', 'changeAdmin(address)', 'upgradeTo(address)', 'upgradeToAndCall(address,bytes)']
const upgradeableBeacon = { only: ['upgradeTo(address)', ...ownable], powers: ['upgrade', 'ownership'] }
// Where a name is too long for an immutable.
const shortStrings = ['_nameFallback', '_versionFallback']
const nobody = { only: [], powers: [] }

export const groups = [
  own('xray/Old5.sol', 'solc-0.5', 200, {
    OldToken: {
      only: ['mint(address,uint256)', 'setStopped(bool)', 'freezeAccount(address,bool)', 'setPhase(uint8)',
        'lockUp(address,(uint128,uint64,bool))', 'transferOwnership(address)', 'kill()', 'cash(uint256)'],
      powers: ['mint', 'pause', 'block', 'destroy', 'withdraw', 'ownership'],
    },
    OldWrapped: nobody,
    OldWards: {
      only: ['rely(address)', 'deny(address)', 'file(bytes32,uint256)', 'cage()'],
      powers: ['roles'],
    },
    OldShapes: nobody,
    OldMultisig: {
      only: ['addOwner(address)', 'changeRequirement(uint256)', 'submit(address,uint256,bytes)', 'confirm(uint256)', 'execute(uint256)'],
      powers: ['withdraw', 'roles'],
    },
  }),
  own('xray/Middle6.sol', 'solc-0.6', 0, {
    Stable6: {
      only: ['pause()', 'unpause()', 'transferOwnership(address)', 'setSupplyController(address)', 'setComplianceRole(address)',
        'increaseSupply(uint256)', 'decreaseSupply(uint256)', 'freeze(address)', 'unfreeze(address)', 'wipeFrozenAddress(address)'],
      powers: ['mint', 'burn', 'block', 'pause', 'ownership'],
    },
    Piggy6: { only: ['label(bytes5)', 'reschedule(uint40)', 'rescue(uint256)'], powers: ['withdraw', 'pause'] },
  }),
  own('xray/Middle6.sol', 'solc-0.6', 200, {
    Linked6: { ...nobody, untouched: ['list.items', 'list.places'] },
    Lock6: {
      only: ['setDelay(uint256)', 'setPendingAdmin(address)', 'acceptAdmin()', 'queueTransaction(address,uint256,string,bytes,uint256)',
        'executeTransaction(address,uint256,string,bytes,uint256)'],
      powers: ['withdraw', 'ownership'],
    },
  }),
  own('xray/Middle6.sol', 'solc-0.7', 200, { Shapes6: nobody }),
  own('xray/Fee7.sol', 'solc-0.7', 200, {
    Fee7: {
      only: ['renounceOwnership()', 'openTrading(address)', 'setTaxes(uint256,uint256)', 'setMaxTxAmount(uint256)',
        'setMarketingWallet(address)', 'excludeFromFee(address)', 'includeInFee(address)', 'setBots(address[])', 'delBot(address)',
        'manualSend()'],
      powers: ['fee', 'block', 'pause', 'withdraw', 'ownership'],
    },
    Staking7: {
      only: ['notifyRewardAmount(uint256)', 'lockTier(address,uint32)', 'setPaused(bool)', 'setRewardsDistribution(address)',
        'nominateNewOwner(address)', 'acceptOwnership()'],
      powers: ['block', 'pause', 'ownership'],
    },
  }),
  own('xray/Proxies.sol', 'solc-0.6', 200, {
    SlotProxy: { ...nobody, proxy: 'slot', slot: '0x0' },
    Proxy1822: { ...nobody, proxy: 'uups', slot: '0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7' },
    FixedForwarder: { ...nobody, proxy: 'fixed' },
  }),
  own('xray/Proxies.sol', 'solc-0.8.19', 0, {
    AdminProxy: { only: ['upgradeTo(address)', 'changeAdmin(address)'], powers: ['upgrade', 'ownership'], proxy: 'eip1967', slot: implementation },
    Facets: { only: ['setFacet(bytes4,address)'], powers: ['upgrade'], proxy: 'diamond', slot: '0x1' },
    Handler: { only: ['setHandler(address)'], powers: [] },
  }),
  own('xray/New8.sol', 'solc-0.8.19', 200, {
    ...packed8,
    ...shapes8,
    Immutable8: {
      only: ['setLimit(uint256)', 'allow(address,bool)', 'pay(address,uint256)', 'execute(address,bytes)', 'take(uint256)'],
      powers: ['withdraw', 'call_anything', 'roles'],
    },
    Auction8: nobody,
    Account8: { only: ['execute((address,uint256,bytes)[])', 'bump(uint192)'], powers: ['withdraw'] },
    ...minters8,
  }),
  own('xray/New8.sol', 'solc', 200, {
    ...packed8,
    ...shapes8,
    ...minters8,
    Namespaced8: { only: ['setFee(uint64)', 'close()', 'transferOwnership(address)'], powers: ['take_over', 'ownership'] },
  }, { ir: true }),
  own('xray/New8.sol', 'solc', 0, { ...packed8, ...shapes8 }),

  own('xray/Oz2.sol', 'solc-0.5', 200, {
    Coin2: {
      // Giving up a role asks for the role, too.
      only: ['mint(address,uint256)', 'addMinter(address)', 'renounceMinter()', 'pause()', 'unpause()', 'addPauser(address)', 'renouncePauser()'],
      powers: ['mint', 'pause', 'roles'],
    },
    Art2: { only: ['mintWithTokenURI(address,uint256,string)', 'addMinter(address)', 'renounceMinter()'], powers: ['mint', 'roles'] },
    Vesting2: { only: ['revoke(address)', ...ownable], powers: ['call_anything', 'ownership'] },
    Escrow2: {
      only: ['deposit(address)', 'withdraw(address)', 'withdrawWithGas(address)', 'close()', 'enableRefunds()', 'transferPrimary(address)'],
      powers: ['withdraw', 'ownership'],
    },
    Shop2: { only: ['setPrice(uint256,uint256)', 'withdraw(address)', ...ownable], powers: ['withdraw', 'ownership'] },
  }),
  own('xray/Oz3.sol', 'solc-0.6', 200, {
    Snap3: { only: ['snapshot()', 'stop()', 'go()', ...ownable], powers: ['pause', 'ownership'] },
    Goods3: {
      only: ['mintBatch(address,uint256[],uint256[])', 'burn(address,uint256,uint256)', 'setURI(string)', ...ownable],
      powers: ['mint', 'burn', 'ownership'],
    },
  }),
  from('@openzeppelin/contracts-3/presets/ERC20PresetMinterPauser.sol', 'solc-0.6', 200, { ERC20PresetMinterPauser: preset20 }),
  from('@openzeppelin/contracts-3-7/presets/ERC721PresetMinterPauserAutoId.sol', 'solc-0.7', 200, {
    ERC721PresetMinterPauserAutoId: { only: ['mint(address)', 'pause()', 'unpause()', ...roles], powers: ['mint', 'pause', 'roles'] },
  }),
  from('@openzeppelin/contracts-3-7/presets/ERC1155PresetMinterPauser.sol', 'solc-0.7', 0, { ERC1155PresetMinterPauser: preset1155 }),
  from('@openzeppelin/contracts-3/proxy/TransparentUpgradeableProxy.sol', 'solc-0.6', 200, {
    TransparentUpgradeableProxy: { only: adminsOwn, powers: ['upgrade', 'ownership'], proxy: 'transparent', slot: implementation },
  }),
  from('@openzeppelin/contracts-3-7/proxy/ProxyAdmin.sol', 'solc-0.7', 200, { ProxyAdmin: proxyAdmin }),
  from('@openzeppelin/contracts-3-7/proxy/UpgradeableBeacon.sol', 'solc-0.7', 200, { UpgradeableBeacon: upgradeableBeacon }),
  from('@openzeppelin/contracts-3/proxy/BeaconProxy.sol', 'solc-0.6', 200, { BeaconProxy: { ...nobody, proxy: 'beacon', slot: beacon } }),
  from('@openzeppelin/contracts-3/access/TimelockController.sol', 'solc-0.6', 200, {
    // In this version every role is open to all where the zero address has it.
    TimelockController: { only: ['updateDelay(uint256)', ...roles], powers: ['roles'] },
  }),
  from('@openzeppelin/contracts-3/payment/PaymentSplitter.sol', 'solc-0.6', 200, { PaymentSplitter: nobody }),
  own('xray/Oz4.sol', 'solc-0.8.19', 200, {
    Votes4: { only: ['mint(address,uint256)', ...twoStep], powers: ['mint', 'ownership'], untouched: ['_PERMIT_TYPEHASH_DEPRECATED_SLOT'] },
    Box4: { only: ['upgradeTo(address)', 'upgradeToAndCall(address,bytes)'], powers: ['upgrade', 'take_over'] },
    Cards4: {
      only: ['mint(address,uint256)', 'setBase(string)', 'setDefaultRoyalty(address,uint96)', ...twoStep],
      powers: ['mint', 'ownership'],
    },
    Maker4: nobody,
  }),
  from('@openzeppelin/contracts-4/token/ERC20/presets/ERC20PresetMinterPauser.sol', 'solc-0.8.4', 0, { ERC20PresetMinterPauser: preset20 }),
  from('@openzeppelin/contracts-4/token/ERC1155/presets/ERC1155PresetMinterPauser.sol', 'solc-0.8.4', 200, { ERC1155PresetMinterPauser: preset1155 }),
  from('@openzeppelin/contracts-4/proxy/transparent/TransparentUpgradeableProxy.sol', 'solc-0.8.19', 200, {
    TransparentUpgradeableProxy: { only: adminsOwn, powers: ['upgrade', 'ownership'], proxy: 'transparent', slot: implementation, hidden: adminsOwn },
  }),
  from('@openzeppelin/contracts-4/proxy/transparent/ProxyAdmin.sol', 'solc-0.8.19', 200, { ProxyAdmin: proxyAdmin }),
  from('@openzeppelin/contracts-4/proxy/ERC1967/ERC1967Proxy.sol', 'solc-0.8.4', 200, { ERC1967Proxy: { ...nobody, proxy: 'eip1967', slot: implementation } }),
  from('@openzeppelin/contracts-4/proxy/beacon/BeaconProxy.sol', 'solc-0.8.19', 0, { BeaconProxy: { ...nobody, proxy: 'beacon', slot: beacon } }),
  from('@openzeppelin/contracts-4/governance/TimelockController.sol', 'solc-0.8.19', 200, { TimelockController: timelock }),
  from('@openzeppelin/contracts-4/finance/VestingWallet.sol', 'solc-0.8.19', 200, { VestingWallet: nobody }),
  from('@openzeppelin/contracts-4/metatx/MinimalForwarder.sol', 'solc-0.8.19', 200, { MinimalForwarder: nobody }),
  own('xray/Oz5.sol', 'solc', 200, {
    Coin5: preset20,
    Paper5: { only: ['safeMint(address,string)', 'setTokenURI(uint256,string)', ...twoStep], powers: ['mint', 'ownership'] },
    // What its manager answers of the caller decides.
    Managed5: { only: ['setLimit(uint256)', 'setAuthority(address)'], powers: ['ownership'] },
  }),
  own('DemoToken.sol', 'solc', 200, {
    DemoToken: {
      only: ['mint(address,uint256)', 'burnFrom(address,uint256)', 'setPaused(bool)', 'setBlacklisted(address,bool)', 'setFee(uint16,address)',
        'sweep(address)', 'sweepToken(address,address,uint256)', 'run(address,bytes)', ...ownable],
      powers: ['mint', 'burn', 'block', 'run_any_code', 'pause', 'fee', 'withdraw', 'call_anything', 'ownership'],
    },
  }),
  own('DemoDollar.sol', 'solc', 200, { DemoDollar: { only: ['blacklist(address)', 'unBlacklist(address)'], powers: ['block'], untouched: shortStrings } }),
  own('Shapes.sol', 'solc', 200, { Shapes: nobody }),
  own('Traps.sol', 'solc', 200, { Traps: { only: ['guarded(uint256)'], powers: ['destroy', 'withdraw', 'run_any_code', 'take_over'] } }),
  own('Standards.sol', 'solc', 200, {
    Tickets: { only: ['safeMint(address,uint256)', 'pause()', 'unpause()', ...roles], powers: ['mint', 'pause', 'roles'] },
    Items: { only: ['mint(address,uint256,uint256,bytes)', ...ownable], powers: ['mint', 'ownership'] },
    Dollar: { ...nobody, untouched: shortStrings },
    Vault: nobody,
    Upgradeable: { only: ['upgradeToAndCall(address,bytes)'], powers: ['upgrade', 'take_over'] },
    Proxy1967: { ...nobody, proxy: 'eip1967', slot: implementation },
    Transparent: {
      only: ['upgradeToAndCall(address,bytes)'], powers: ['upgrade'], proxy: 'transparent', slot: implementation,
      hidden: ['upgradeToAndCall(address,bytes)'],
    },
    Beacon: upgradeableBeacon,
    FromBeacon: { ...nobody, proxy: 'beacon', slot: beacon },
  }),
  own('Wallet1271.sol', 'solc', 200, { Wallet1271: { only: ['execute(address,uint256,bytes)'], powers: ['withdraw'] } }),
  own('Permit2Standin.sol', 'solc', 200, { Permit2Standin: nobody }),
  own('ExactProxyStandin.sol', 'solc', 200, { ExactProxyStandin: nobody }),

  from('@uniswap/v2-core/contracts/UniswapV2Pair.sol', 'solc-0.5', 999999, {
    UniswapV2Pair: { only: ['initialize(address,address)'], powers: [] },
  }),
  from('@uniswap/v2-core/contracts/UniswapV2ERC20.sol', 'solc-0.5', 0, { UniswapV2ERC20: nobody }),
  from('@uniswap/v2-core/contracts/UniswapV2Factory.sol', 'solc-0.5', 999999, {
    UniswapV2Factory: { only: ['setFeeTo(address)', 'setFeeToSetter(address)'], powers: ['ownership'] },
  }),
]

// Shipped as code with its ABI; their storage layout is not told.
export const shipped = [
  {
    file: '@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json',
    only: ['setOwner(address)', 'enableFeeAmount(uint24,int24)'],
    powers: ['ownership'],
  },
  {
    // The factory is asked who its owner is.
    file: '@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json',
    only: ['setFeeProtocol(uint8,uint8)', 'collectProtocol(address,uint128,uint128)'],
    powers: [],
  },
]

// As their standards spell them.
const target = '00112233445566778899aabbccddeeff00112233'
export const spelled = [
  { name: 'EIP-1167', runtime: `363d3d373d3d3d363d73${target}5af43d82803e903d91602b57fd5bf3`, proxy: 'minimal' },
  { name: 'EIP-1167 with arguments after it', runtime: `363d3d373d3d3d363d73${target}5af43d82803e903d91602b57fd5bf3${'ab'.repeat(40)}`, proxy: 'minimal' },
  { name: 'ERC-7511', runtime: `365f5f375f5f365f73${target}5af43d5f5f3e5f3d91602a57fd5bf3`, proxy: 'minimal' },
  { name: 'EIP-7702', runtime: `ef0100${target}`, proxy: 'delegation' },
]
