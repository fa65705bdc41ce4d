// What viem says of the check sums of addresses. Reads a JSON list of addresses, writes a list of words.
import { readFileSync } from "node:fs";
import { isAddress } from "viem";

const oneCase = (digits) => digits === digits.toLowerCase() || digits === digits.toUpperCase();
const addresses = JSON.parse(readFileSync(0, "utf8"));
const words = addresses.map((address) => {
  if (oneCase(address.slice(2))) return isAddress(address, { strict: false }) ? "unchecked" : "no address";
  return isAddress(address) ? "valid" : "wrong";
});
process.stdout.write(JSON.stringify(words));
