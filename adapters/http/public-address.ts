/** Which addresses are on the public internet: nobody who names a URL may reach what only this machine can. */
import { type LookupAddress, lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

/** False for loopback, private, link-local (the cloud's metadata services among them), reserved, and for nonsense. */
export function isPublicAddress(address: string): boolean {
  // Also of an IPv4 address in IPv6's clothes, ::ffff:10.0.0.1.
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "unicast";
}

/** A host of a URL that is an address itself, with or without brackets; such a host is never looked up. */
export function isAddress(host: string): boolean {
  return ipaddr.isValid(host.replace(/^\[|\]$/g, ""));
}

/**
 * For the `lookup` option of a request: fails for a name with any address that is not public. The connection goes to
 * the very addresses that were checked, so a name that changes its mind in between gains nothing.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const found: LookupAddress[] = addresses ?? [];
    const hidden = found.find(({ address }) => !isPublicAddress(address));
    const [first] = found;
    if (error) callback(error, []);
    else if (hidden || !first) callback(new Error(`${hostname} is at a private address`), []);
    else if (options.all) callback(null, found);
    else callback(null, first.address, first.family);
  });
};
