// What solc, and the sources, say of the contracts of contract_xray.corpus.mjs: JSON on standard output.
//
// Compiled here and now, by each compiler in a process of its own; what it said is kept outside the repository (COINSLOT_CACHE), by what
// it was asked.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { groups, shipped, spelled } from './contract_xray.corpus.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const modules = join(here, 'node_modules')
const cache = join(process.env.COINSLOT_CACHE ?? join(homedir(), '.cache', 'coinslot'), 'agents')
// Where a linked library would be.
const LIBRARY = '0x00000000000000000000000000000000000000Aa'

if (process.argv[2] === '--compile') {
  // The child: standard JSON in, standard JSON out.
  const solc = createRequire(import.meta.url)(process.argv[3])
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')))
} else {
  const contracts = []
  for (const group of groups) {
    const output = await compiled(group)
    const version = JSON.parse(readFileSync(join(modules, group.compiler, 'package.json'), 'utf8')).version
    for (const [name, expected] of Object.entries(group.contracts)) {
      const contract = output.contracts[group.file][name]
      const how = group.ir ? 'through Yul' : group.runs === 0 ? 'not optimised' : 'optimised'
      contracts.push({
        name: `${name} (${group.file.startsWith('@') ? group.file.split('/').slice(0, 2).join('/') : 'ours'}, solc ${version}, ${how})`,
        runtime: contract.evm.deployedBytecode.object,
        functions: functionsOf(contract.abi, contract.evm.methodIdentifiers),
        storage: contract.storageLayout.storage.flatMap(variable => laid(variable, contract.storageLayout.types)).filter(({ label }) => !expected.untouched?.includes(label)),
        ...table(expected),
      })
    }
  }
  for (const { file, ...expected } of shipped) {
    const { contractName, abi, deployedBytecode } = JSON.parse(readFileSync(join(modules, file), 'utf8'))
    contracts.push({
      name: `${contractName} (${file.split('/').slice(0, 2).join('/')}, as shipped)`, runtime: deployedBytecode.slice(2),
      functions: functionsOf(abi), storage: [], ...table(expected),
    })
  }
  for (const { name, runtime, ...expected } of spelled) {
    contracts.push({ name, runtime, functions: [], storage: [], ...table({ only: [], powers: [], ...expected }) })
  }
  process.stdout.write(JSON.stringify(contracts))
}

function table({ only, powers, proxy = null, slot = null, hidden = [] }) {
  return { only, powers, proxy, slot, hidden }
}

async function compiled({ file, compiler, runs, ir, contracts }) {
  const sources = {}
  collect(file, sources)
  const input = JSON.stringify({
    language: 'Solidity',
    sources,
    settings: {
      optimizer: { enabled: runs > 0, runs: runs || 200 },
      ...(ir ? { viaIR: true } : {}),
      ...(file.endsWith('Middle6.sol') ? { libraries: { [file]: { Lists: LIBRARY } } } : {}),
      outputSelection: { [file]: { '*': ['abi', 'evm.deployedBytecode.object', 'evm.methodIdentifiers', 'storageLayout'] } },
    },
  })
  const { version } = JSON.parse(readFileSync(join(modules, compiler, 'package.json'), 'utf8'))
  const kept = join(cache, `${createHash('sha256').update(version).update(input).digest('hex')}.json`)
  if (!existsSync(kept)) {
    const output = await child(compiler, input)
    const errors = (JSON.parse(output).errors ?? []).filter(error => error.severity === 'error')
    if (errors.length > 0) throw new Error(`${file}, ${compiler}: ${errors.map(error => error.formattedMessage).join('\n')}`)
    mkdirSync(cache, { recursive: true })
    writeFileSync(`${kept}.${process.pid}`, output)
    renameSync(`${kept}.${process.pid}`, kept)
  }
  return JSON.parse(readFileSync(kept, 'utf8'))
}

function child(compiler, input) {
  return new Promise((resolve, reject) => {
    const solc = spawn(process.execPath, [fileURLToPath(import.meta.url), '--compile', compiler], { stdio: ['pipe', 'pipe', 'inherit'] })
    const parts = []
    solc.stdout.on('data', part => parts.push(part))
    solc.on('error', reject)
    solc.on('close', code => (code === 0 ? resolve(Buffer.concat(parts).toString('utf8')) : reject(new Error(`${compiler} ended with ${code}`))))
    solc.stdin.end(input)
  })
}

// A source and all that it imports, by the names that solc will ask for.
function collect(name, into) {
  if (into[name]) return
  const content = readFileSync(name.startsWith('@') ? join(modules, name) : join(here, '..', name), 'utf8')
  into[name] = { content }
  for (const [, wanted] of content.matchAll(/^\s*(?:import|\}\s*from|import[^;]*?from)\s*"([^"]+)"/gm)) into[resolved(wanted, name)] ?? collect(resolved(wanted, name), into)
  for (const [, wanted] of content.matchAll(/^\s*import[^;"']*["']([^"']+)["']/gm)) into[resolved(wanted, name)] ?? collect(resolved(wanted, name), into)
}

function resolved(wanted, by) {
  return wanted.startsWith('.') ? posix.join(posix.dirname(by), wanted) : wanted
}

// Signature, and what calling it may do; where solc did not say the selectors, the Rust side hashes them.
function functionsOf(abi, identifiers = null) {
  const functions = abi.filter(entry => entry.type === 'function').map(entry => ({
    signature: `${entry.name}(${entry.inputs.map(canonical).join(',')})`, mutability: entry.stateMutability.replace('nonpayable', 'non_payable'),
  }))
  if (identifiers) {
    const declared = Object.keys(identifiers).sort().join()
    if (functions.map(({ signature }) => signature).sort().join() !== declared) throw new Error(`ABI and selectors differ: ${declared}`)
  }
  return functions
}

function canonical({ type, components }) {
  return components ? type.replace('tuple', `(${components.map(canonical).join(',')})`) : type
}

// Where solc puts it, and what the words there are: a struct is its members, wherever it lies.
function laid({ label, slot, offset, type }, types, base = 0n, path = '') {
  const known = types[type]
  const at = base + BigInt(slot)
  const name = path ? `${path}.${label}` : label
  if (known.members) return known.members.flatMap(member => laid(member, types, at, name))
  return [{ label: name, slot: `0x${at.toString(16)}`, offset, bytes: Math.min(Number(known.numberOfBytes), 32), type: written(type, types) }]
}

// The type as it is in storage, without the names that the source gives: a contract is an address, an enumeration a small number.
function written(type, types) {
  const { encoding, label, key, value, base, members, numberOfBytes } = types[type]
  if (encoding === 'mapping') return `mapping(${written(key, types)} => ${written(value, types)})`
  if (encoding === 'dynamic_array') return `${written(base, types)}[]`
  if (base) return `${written(base, types)}${label.slice(label.lastIndexOf('['))}`
  // Members of a struct in a struct lie as if they were the outer one's own; a struct of one lies as that one.
  if (members) {
    const all = flat(members, types)
    return all.length === 1 ? all[0] : `(${all.join(',')})`
  }
  if (label.startsWith('contract ') || label === 'address payable') return 'address'
  if (label.startsWith('enum ')) return `uint${numberOfBytes * 8}`
  // solc does not say what lies below a type of one's own; the corpus has two.
  if (label === 'Price') return 'uint128'
  if (label === 'Id') return 'bytes32'
  return label
}

function flat(members, types) {
  return members.flatMap(member => (types[member.type].members ? flat(types[member.type].members, types) : [written(member.type, types)]))
}
