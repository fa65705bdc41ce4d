// Compiles the contracts of this folder and writes what the server and the tests include: `npm run contracts`.
//
// The artifacts are committed, so neither a build nor `make run` needs solc. Run it again after changing a contract;
// the same sources give the same bytes.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const modules = join(here, '..', 'node_modules')
const solc = createRequire(import.meta.url)('solc')

const sources = Object.fromEntries(
  readdirSync(here).filter(name => name.endsWith('.sol')).sort().map(name => [name, { content: readFileSync(join(here, name), 'utf8') }]),
)
const input = {
  language: 'Solidity',
  sources,
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object', 'evm.methodIdentifiers', 'storageLayout'] } },
  },
}
const read = path => ({ contents: readFileSync(join(modules, path), 'utf8') })
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }))

const errors = (output.errors ?? []).filter(error => error.severity === 'error')
if (errors.length > 0) {
  for (const error of errors) console.error(error.formattedMessage)
  process.exit(1)
}

for (const file of Object.keys(sources)) {
  for (const [name, contract] of Object.entries(output.contracts[file])) {
    const { storage, types } = contract.storageLayout
    const artifact = {
      contract: name,
      // What a creation transaction carries, constructor arguments aside.
      creation: contract.evm.bytecode.object,
      // What is then at the address, immutables still zero.
      runtime: contract.evm.deployedBytecode.object,
      // Signature to selector, and what calling it may do.
      functions: Object.entries(contract.evm.methodIdentifiers).map(([signature, selector]) => ({
        signature, selector, mutability: contract.abi.find(entry => matches(entry, signature))?.stateMutability,
      })),
      storage: storage.map(({ label, slot, offset, type }) => ({
        label, slot, offset, bytes: Number(types[type].numberOfBytes), type: types[type].label,
      })),
    }
    writeFileSync(join(here, 'out', `${name}.json`), JSON.stringify(artifact, null, 1) + '\n')
    console.log(`${name}: ${artifact.runtime.length / 2} bytes, ${artifact.functions.length} functions`)
  }
}

// What `coinslot demo` puts on its chain: one line of hex each, no 0x. The stand-ins' is what is at the address: they have no constructor.
const includes = { DemoToken: 'bytecode', DemoDollar: 'bytecode', Permit2Standin: 'deployedBytecode', ExactProxyStandin: 'deployedBytecode' }
for (const [name, code] of Object.entries(includes)) {
  writeFileSync(join(here, 'out', `${name}.hex`), output.contracts[`${name}.sol`][name].evm[code].object + '\n')
}

function matches(entry, signature) {
  return entry.type === 'function' && signature === `${entry.name}(${entry.inputs.map(canonical).join(',')})`
}

function canonical({ type, components }) {
  return components ? type.replace('tuple', `(${components.map(canonical).join(',')})`) : type
}
