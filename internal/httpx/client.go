package httpx

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ClientAddress returns the client's address as Caddy knows it. Behind a proxy that
// `trusted_proxies` lists, that is the one that the proxy names. The address is invalid where it
// cannot be known: on a Unix socket, and behind a proxy that is not listed, whose own address would
// stand for everybody.
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

// IsUnlistedProxy reports whether the client seems to be a proxy that `trusted_proxies` does not
// list.
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

// Hostname returns the host that the client asked for, without a port.
func Hostname(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return strings.Trim(r.Host, "[]")
}
