package guard

import "net/netip"

// visitorBits is how much of an IPv6 address tells one visitor from another:
// a connection at home has a /64, and so has every machine in it any number
// of addresses.
const visitorBits = 64

// visitorOf is the part of the address that stands for one visitor.
func visitorOf(addr netip.Addr) netip.Prefix { return prefixOf(addr, 32, visitorBits) }

// networkOf is the network that the address is in, as large as a provider
// gives to one customer who has many.
func networkOf(addr netip.Addr) netip.Prefix { return prefixOf(addr, 24, 48) }

// NetworkOf returns the network that the address is in, as large as a provider
// gives to one customer: of IPv4 a /24, of IPv6 a /48. That of an address that
// is not known is the zero prefix.
func NetworkOf(addr netip.Addr) netip.Prefix { return networkOf(addr) }

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
