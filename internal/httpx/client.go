package httpx

import (
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ClientAddress returns the client's address as Caddy knows it. Behind a proxy listed in
// `trusted_proxies`, that is the address that the proxy reports. The address is invalid if it
// cannot be known: on a Unix socket, and behind a proxy that is not listed, because all visitors
// would share its address.
func ClientAddress(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || (addr.IsLoopback() || addr.IsPrivate()) && isForwarded(r) && text == remoteHost(r) {
		return netip.Addr{}
	}
	return addr
}

// IsUnlistedProxy reports whether the client seems to be a proxy not listed in `trusted_proxies`.
func IsUnlistedProxy(r *http.Request) bool {
	return isForwarded(r) && ClientAddress(r).String() == remoteHost(r)
}

func isForwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
}

func remoteHost(r *http.Request) string {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return remote.Addr().String()
}
