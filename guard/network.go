package guard

import "net/netip"

// visitorBits is the length of the IPv6 prefix that identifies a visitor. A home connection has a
// /64, and each machine in it any number of addresses.
const visitorBits = 64

// visitorOf returns the part of the address that identifies a visitor.
func visitorOf(addr netip.Addr) netip.Prefix { return prefixOf(addr, 32, visitorBits) }

// NetworkOf returns the network of the address, as large as providers give to one customer: a /24
// for IPv4, a /48 for IPv6. It returns the zero prefix for an unknown address.
func NetworkOf(addr netip.Addr) netip.Prefix { return prefixOf(addr, 24, 48) }

func prefixOf(addr netip.Addr, bits4, bits6 int) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := bits6
	if addr.Is4() {
		bits = bits4
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
